// Opening, where segments are lost.
#include "observe/format.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

constexpr Parameter kSynLostParameters[] = {
    {"lost", "all", "how many SYNs are lost: a number, or all"},
    kSynRetries,
    kLinear,
    kRtoInitial,
    kDelay,
};

void SynLost(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Schedule syns = SynRepeats(ctx);
  const auto lost = HowMany(ctx, "lost");
  const bool opens = lost && *lost < syns.at.size();
  ctx.b().Listen(kServerPort);
  if (!lost || *lost > 0) {
    ctx.Fault(lost ? fmt::format("drop the first {} SYN from A", *lost) : "drop every SYN from A");
  }
  const SocketId a = ctx.a().Connect(ctx.b(), kServerPort, kClientPort);
  std::vector<ExpectedSegment> wire;
  for (std::size_t i = 0; i < syns.at.size() && (!opens || i <= *lost); ++i) {
    wire.push_back({syns.at[i], "A S seq=x"});
  }
  if (opens) {
    const Duration at = syns.at[*lost];
    ctx.RunUntil(at + 3 * d);
    ctx.ExpectWire(
        Then(wire, {{at + d, "B S. seq=y ack=x+1"}, {at + 2 * d, "A . seq=x+1 ack=y+1"}}));
    ctx.ExpectTransition(Side::kA, State::kSynSent, State::kEstablished, at + 2 * d);
    return ctx.CloseAndExpectNothingLeft();
  }
  ctx.RunUntil(syns.end - 1ms);
  ctx.ExpectState(Side::kA, a, State::kSynSent);
  ctx.RunUntil(syns.end);
  ctx.ExpectError(ctx.a().TakeError(a), Error::kTimedOut, "connect of A");
  ctx.ExpectWire(wire);
  ctx.ExpectStates(Side::kA, {State::kClosed, State::kSynSent, State::kClosed});
  ctx.ExpectTransition(Side::kA, State::kSynSent, State::kClosed, syns.end);
  (void)ctx.a().Close(a);
  ctx.ExpectNothingLeft();
}

constexpr Parameter kSynAckLostParameters[] = {
    {"lost", "all", "how many SYN|ACKs are lost: a number, or all"},
    {"again", "0s", "A repeats its SYN once, after this time; 0: not at all"},
    kSynAckRetries,
    kRtoInitial,
    kDelay,
};

// A is patient here, so that what is seen is B's own timer. A repeated SYN is answered at once with
// the same SYN|ACK, which sets the timer anew without being counted as one of its repeats.
void SynAckLost(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Duration again = ctx.Span("again", 0ms, 100s);
  const Schedule repeats = SynAckRepeats(ctx);
  const auto lost = HowMany(ctx, "lost");
  ctx.a().Set("net.ipv4.tcp_syn_retries", again > 0ms ? "1" : "0");
  ctx.a().Set("estab.tcp_rto_initial", fmt::format("{}", (again > 0ms ? again : 120s) / 1ms));
  const SocketId listener = ctx.b().Listen(kServerPort);
  if (!lost || *lost > 0) {
    ctx.Fault(lost ? fmt::format("drop the first {} SYN|ACK from B", *lost)
                   : "drop every SYN|ACK from B");
  }
  const SocketId a = ctx.a().Connect(ctx.b(), kServerPort, kClientPort);
  std::vector<Duration> times{d};
  Duration from = d;
  const auto limit = ctx.SettingNumber("net.ipv4.tcp_invalid_ratelimit") * 1ms;
  if (again > 0ms && again < repeats.at.at(1) && again >= limit) {
    from = d + again;
    times.push_back(from);
  } else if (again > 0ms) {
    return ctx.Fail("parameter again: the play knows times from 500ms to the first repeat only");
  }
  for (std::size_t i = 1; i < repeats.at.size(); ++i) times.push_back(from + repeats.at[i]);
  if (lost && *lost < times.size()) {
    times.resize(*lost + 1);
    ctx.RunUntil(times.back() + 2 * d);
    ctx.ExpectTimes(Side::kB, kSyn | kAck, times);
    ctx.ExpectTransition(Side::kA, State::kSynSent, State::kEstablished, times.back() + d);
    ctx.ExpectTransition(Side::kB, State::kSynRcvd, State::kEstablished, times.back() + 2 * d);
    (void)ctx.b().MustAccept(listener);
    return ctx.CloseAndExpectNothingLeft();
  }
  ctx.RunUntil(from + repeats.end);
  ctx.ExpectTimes(Side::kB, kSyn | kAck, times);
  ctx.ExpectStates(Side::kB, {State::kListen, State::kSynRcvd, State::kListen});
  ctx.ExpectTransition(Side::kB, State::kSynRcvd, State::kListen, from + repeats.end);
  ctx.ExpectEqual(ctx.b().stack().Counters().half_open, 0u, "the half-open record is gone");
  ctx.ExpectError(ctx.b().Accept(listener), Error::kWouldBlock, "accept of B");
  (void)a;
  ctx.CloseAndExpectNothingLeft();
}

constexpr Parameter kAckLostParameters[] = {
    {"lost", "1", "how many bare ACKs of A are lost: a number, or all"},
    {"data", "0s", "when A sends data, which completes the handshake by itself; 0: never"},
    kSynAckRetries,
    kRtoInitial,
    kDelay,
};

// Data that comes while B still waits completes the handshake.
void AckLostData(ScenarioContext& ctx, SocketId listener, SocketId a, Duration d, Duration at) {
  ctx.RunUntil(at);
  ctx.ExpectState(Side::kB, State::kSynRcvd);
  (void)ctx.a().Send(a, "hello");
  ctx.Run(2 * d);
  ctx.ExpectTransition(Side::kB, State::kSynRcvd, State::kEstablished, at + d);
  ctx.ExpectData(ctx.b().Read(ctx.b().MustAccept(listener)), "hello", "recv of B");
  ctx.CloseAndExpectNothingLeft();
}

// B has given up, A believes the connection open: its data meets a reset.
void AckLostForGood(ScenarioContext& ctx, SocketId listener, SocketId a, Duration d, Duration end) {
  ctx.RunUntil(end + d);
  ctx.ExpectTransition(Side::kB, State::kSynRcvd, State::kListen, end);
  ctx.ExpectError(ctx.b().Accept(listener), Error::kWouldBlock, "accept of B");
  ctx.ExpectState(Side::kA, a, State::kEstablished);
  const Duration late = end + 1s;
  ctx.RunUntil(late);
  (void)ctx.a().Send(a, "hello");
  ctx.Run(2 * d);
  ctx.ExpectTimes(Side::kB, kRst, {late + d});
  ExpectErrorOnce(ctx, Side::kA, a, Error::kConnectionReset);
  ctx.ExpectState(Side::kA, a, State::kClosed);
  (void)ctx.a().Close(a);
  ctx.ExpectNothingLeft();
}

void AckLost(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Duration data = ctx.Span("data");
  const Schedule repeats = SynAckRepeats(ctx);
  const auto lost = HowMany(ctx, "lost");
  const SocketId listener = ctx.b().Listen(kServerPort);
  if (!lost || *lost > 0) {
    ctx.Fault(lost ? fmt::format("drop the first {} ACK from A", *lost) : "drop every ACK from A");
  }
  const SocketId a = ctx.a().Connect(ctx.b(), kServerPort, kClientPort);
  ctx.RunUntil(3 * d);
  ctx.ExpectTransition(Side::kA, State::kSynSent, State::kEstablished, 2 * d);
  std::vector<Duration> synacks;
  for (const Duration at : repeats.at) synacks.push_back(d + at);
  const bool forever = !lost || *lost >= synacks.size();
  const Duration until = forever ? d + repeats.end : synacks[*lost];
  if (data > 0ms && data < until) return AckLostData(ctx, listener, a, d, data);
  if (forever) {
    AckLostForGood(ctx, listener, a, d, until);
    ctx.ExpectTimes(Side::kB, kSyn | kAck, synacks);
    return;
  }
  ctx.RunUntil(until + 2 * d);
  synacks.resize(*lost + 1);
  std::vector<Duration> acks;
  for (const Duration at : synacks) acks.push_back(at + d);
  ctx.ExpectTimes(Side::kB, kSyn | kAck, synacks);
  ctx.ExpectTimes(Side::kA, kAck, acks);
  ctx.ExpectStates(Side::kA, {State::kClosed, State::kSynSent, State::kEstablished});
  ctx.ExpectTransition(Side::kB, State::kSynRcvd, State::kEstablished, until + 2 * d);
  (void)ctx.b().MustAccept(listener);
  ctx.CloseAndExpectNothingLeft();
}

constexpr Scenario kOpenLossScenarios[] = {
    {"open/syn-lost", "nobody answers the SYN",
     "A repeats the same SYN, each wait twice as long as the one before, tcp_syn_retries times, "
     "and waits once more: by default at 0, 1, 3, 7, 15 and 31 s, given up at 63 s with ETIMEDOUT. "
     "Linux sends the first four repeats a second apart; RFC 9293 wants three minutes, which takes "
     "seven (--profile linux, rfc; RFC 6298 §5, RFC 9293 §3.8.3). With --set lost=2 the third one "
     "gets through.",
     kSynLostParameters, SynLost},
    {"open/synack-lost", "the answers to the SYN are lost",
     "B repeats its SYN|ACK like A its SYN, tcp_synack_retries times, and drops the half-open "
     "record "
     "after one more wait; nobody is told, since nobody had accepted it. With --set again=600ms A "
     "repeats its SYN: answered with the same SYN|ACK, which restarts the timer without counting.",
     kSynAckLostParameters, SynAckLost},
    {"open/ack-lost", "the third segment is lost",
     "A is ESTABLISHED, B is not. A bare ACK is never repeated: it is B that repeats its SYN|ACK, "
     "which A acknowledges again. Data from A completes the handshake by itself (--set "
     "data=500ms); "
     "if all is lost (--set lost=all) B drops the record silently, and A's later data is reset.",
     kAckLostParameters, AckLost},
};

}  // namespace

std::span<const Scenario> OpenLossScenarios() { return kOpenLossScenarios; }

}  // namespace estab::sim
