// Closing, where segments are lost.
#include "observe/format.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

std::vector<Duration> From(Duration begin, const Schedule& schedule) {
  std::vector<Duration> times;
  for (const Duration at : schedule.at) times.push_back(begin + at);
  return times;
}

constexpr Parameter kFinLostParameters[] = {kDelay, kOrphanRetries, kRtoMin};

void FinLost(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Schedule fins = OrphanRepeats(ctx, d);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  ctx.Fault("drop every FIN from A");
  (void)ctx.a().Close(pair.a);
  ctx.RunUntil(kClose + fins.end - 1ms);
  ctx.ExpectState(Side::kA, State::kFinWait1);
  ctx.RunUntil(kClose + fins.end);
  ctx.ExpectTimes(Side::kA, kFin | kAck, From(kClose, fins));
  ctx.ExpectStates(Side::kA, {State::kClosed, State::kSynSent, State::kEstablished,
                              State::kFinWait1, State::kClosed});
  ctx.ExpectTransition(Side::kA, State::kFinWait1, State::kClosed, kClose + fins.end);
  ctx.ExpectEqual(ctx.a().stack().Counters().orphans, 0u, "A has no orphan left");
  ctx.ExpectEqual(ctx.a().stack().Counters().time_wait, 0u, "A has no TIME_WAIT");
  ctx.ExpectState(Side::kB, pair.b, State::kEstablished);
  ctx.CloseAndExpectNothingLeft();
}

constexpr Parameter kLastAckParameters[] = {
    {"lost", "1", "how many last ACKs are lost: a number, or all"},
    kDelay,
    kMsl,
    kOrphanRetries,
    kRtoMin,
};

void LastAckLost(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Duration msl2 = TwoMsl(ctx);
  const Schedule fins = OrphanRepeats(ctx, d);
  const auto lost = HowMany(ctx, "lost");
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  (void)ctx.a().Close(pair.a);
  ctx.RunUntil(kClose + d);
  ctx.ExpectData(ctx.b().Read(pair.b), "", "recv of B");
  const Duration last = kClose + 200ms;
  ctx.RunUntil(last);
  if (!lost || *lost > 0) {
    ctx.Fault(lost ? fmt::format("drop the first {} ACK from A", *lost) : "drop every ACK from A");
  }
  (void)ctx.b().Close(pair.b);
  const bool forever = !lost || *lost >= fins.at.size();
  std::vector<Duration> times = From(last, fins);
  if (!forever) times.resize(*lost + 1);
  // A may have forgotten the connection before B gives up: then a reset answers, which ends it.
  if (times.back() - last > msl2) {
    return ctx.Fail("parameters: here B still repeats its FIN when TIME_WAIT is over");
  }
  const Duration closed_b = forever ? last + fins.end : times.back() + 2 * d;
  const Duration closed_a = times.back() + d + msl2;
  ctx.RunUntil(std::max(closed_a, closed_b));
  ctx.ExpectTimes(Side::kB, kFin | kAck, times);
  std::vector<Duration> acks{2 * d};
  for (const Duration at : times) acks.push_back(at + d);
  ctx.ExpectTimes(Side::kA, kAck, acks);
  ctx.ExpectStates(Side::kA,
                   {State::kClosed, State::kSynSent, State::kEstablished, State::kFinWait1,
                    State::kFinWait2, State::kTimeWait, State::kClosed});
  ctx.ExpectTransition(Side::kA, State::kFinWait2, State::kTimeWait, last + d);
  ctx.ExpectTransition(Side::kB, State::kLastAck, State::kClosed, closed_b);
  ctx.ExpectTransition(Side::kA, State::kTimeWait, State::kClosed, closed_a);
  ctx.ExpectNothingLeft();
}

constexpr Parameter kSecondFinParameters[] = {
    kDelay,
    {"tcp_orphan_retries", "2", "repeats after close(); 0 means 8", "net.ipv4.tcp_orphan_retries"},
    kFinTimeout,
    kRtoMin,
};

void SecondFinLost(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Schedule fins = OrphanRepeats(ctx, d);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(kClose);
  (void)ctx.a().Close(pair.a);
  const Duration last = kClose + 200ms;
  ctx.RunUntil(last);
  ctx.Fault("drop every FIN from B");
  (void)ctx.b().Close(pair.b);
  const Duration closed_a = kClose + 2 * d + kFinAckWait + FinWait2Span(ctx, d);
  const Duration closed_b = last + fins.end;
  ctx.RunUntil(std::max(closed_a, closed_b) + 1ms);
  ctx.ExpectTimes(Side::kB, kFin | kAck, From(last, fins));
  ctx.ExpectStates(Side::kB, {State::kListen, State::kSynRcvd, State::kEstablished,
                              State::kCloseWait, State::kLastAck, State::kClosed});
  ctx.ExpectTransition(Side::kB, State::kLastAck, State::kClosed, closed_b);
  ctx.ExpectStates(Side::kA, {State::kClosed, State::kSynSent, State::kEstablished,
                              State::kFinWait1, State::kFinWait2, State::kClosed});
  ctx.ExpectTransition(Side::kA, State::kFinWait2, State::kClosed, closed_a);
  ctx.ExpectNothingLeft();
}

constexpr Scenario kCloseLossScenarios[] = {
    {"close/fin-lost", "the first FIN is lost, again and again",
     "After close() A repeats its FIN exactly tcp_orphan_retries times, each wait twice as long, "
     "waits once more, and is CLOSED without TIME_WAIT; profile linux counts a time instead, which "
     "is one repeat more. The first time-out is the round trip and 200 ms, under rfc at least 1 s "
     "(RFC 6298, RFC 9293 §3.8.3). B learns nothing of it.",
     kFinLostParameters, FinLost},
    {"close/last-ack-lost", "the last ACK is lost",
     "B in LAST_ACK repeats its FIN. That is what TIME_WAIT is for: A is still there to "
     "acknowledge "
     "again, and begins its 2 MSL anew (RFC 9293 §3.10.7.4).",
     kLastAckParameters, LastAckLost},
    {"close/second-fin-lost", "the second FIN is lost, again and again",
     "B in LAST_ACK repeats its FIN as A does in close/fin-lost, and gives up. A, closed by "
     "close(), "
     "leaves FIN_WAIT_2 after tcp_fin_timeout.",
     kSecondFinParameters, SecondFinLost},
};

}  // namespace

std::span<const Scenario> CloseLossScenarios() { return kCloseLossScenarios; }

}  // namespace estab::sim
