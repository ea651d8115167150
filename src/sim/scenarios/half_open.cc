// One side is gone, and the other does not know.
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

constexpr Parameter kCrashParameters[] = {
    {"idle", "10800s", "how long nobody says anything"},
    kDelay,
};

void Crash(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Duration idle = ctx.Span("idle", 1s, 24h);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(200ms);
  ctx.b().Crash();
  const Duration back = 200ms + idle;
  ctx.RunUntil(back);
  // Idle, so nothing is noticed, ever.
  ctx.ExpectWire(Handshake(d));
  ctx.ExpectState(Side::kA, pair.a, State::kEstablished);
  ctx.Expect(!ctx.a().TakeError(pair.a).has_value(), "A has noticed nothing");
  ctx.b().Restart();
  ctx.RunUntil(back + 200ms);
  (void)ctx.a().Send(pair.a, "hello");
  ctx.RunUntil(back + 200ms + 2 * d);
  ctx.ExpectWire(Then(Handshake(d), {{back + 200ms, "A . seq=x+1 ack=y+1 len=5"},
                                     {back + 200ms + d, "B R seq=y+1"}}));
  ctx.ExpectStates(Side::kA,
                   {State::kClosed, State::kSynSent, State::kEstablished, State::kClosed});
  ExpectErrorOnce(ctx, Side::kA, pair.a, Error::kConnectionReset);
  ctx.ExpectError(ctx.a().Send(pair.a, "x"), Error::kBrokenPipe, "send of A");
  (void)ctx.a().Close(pair.a);
  ctx.ExpectNothingLeft();
}

constexpr Parameter kReconnectParameters[] = {kDelay, kRtoInitial};

void Reconnect(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(200ms);
  ctx.a().Crash();
  ctx.RunUntil(10s);
  ctx.a().Restart();
  ctx.RunUntil(11s);
  ctx.a().Connect(ctx.b(), kServerPort, kClientPort);
  const Duration again = SynAgain(ctx, 11s, 11s + 2 * d);
  ctx.RunUntil(again + 3 * d);
  ctx.ExpectWire(Then(Handshake(d), {{11s, "A S seq=x'"},
                                     {11s + d, "B . seq=y+1 ack=x+1"},
                                     {11s + 2 * d, "A R seq=x+1"},
                                     {again, "A S seq=x'"},
                                     {again + d, "B S. seq=y' ack=x'+1"},
                                     {again + 2 * d, "A . seq=x'+1 ack=y'+1"}}));
  ExpectErrorOnce(ctx, Side::kB, pair.b, Error::kConnectionReset);
  ctx.ExpectStates(Side::kA, {State::kClosed, State::kSynSent, State::kEstablished});
  ctx.ExpectStates(Side::kB, {State::kListen, State::kSynRcvd, State::kEstablished});
  (void)ctx.b().MustAccept(pair.listener);
  ctx.CloseAndExpectNothingLeft();
}

constexpr Parameter kSilentParameters[] = {
    kDelay,
    {"tcp_retries2", nullptr, "unanswered repeats of data", "net.ipv4.tcp_retries2"},
    kRtoMin,
};

void Silent(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(200ms);
  ctx.b().Crash();
  const Duration begin = 1s;
  ctx.RunUntil(begin);
  (void)ctx.a().Send(pair.a, "hello");
  const Schedule repeats =
      DataRepeats(ctx, ctx.SettingNumber("net.ipv4.tcp_retries2"), Rto(ctx, d));
  ctx.RunUntil(begin + repeats.end - 1ms);
  ctx.ExpectState(Side::kA, pair.a, State::kEstablished);
  ctx.RunUntil(begin + repeats.end);
  std::vector<ExpectedSegment> wire = Handshake(d);
  for (const Duration at : repeats.at) wire.push_back({begin + at, "A . seq=x+1 ack=y+1 len=5"});
  ctx.ExpectWire(wire);
  ctx.ExpectTransition(Side::kA, State::kEstablished, State::kClosed, begin + repeats.end);
  ExpectErrorOnce(ctx, Side::kA, pair.a, Error::kTimedOut);
  (void)ctx.a().Close(pair.a);
  ctx.ExpectNothingLeft();
}

constexpr Scenario kHalfOpenScenarios[] = {
    {"half-open/crash", "the peer dies without a word",
     "Nothing tells A that B is gone: an idle connection stays ESTABLISHED for ever. Only when A "
     "sends something does the restarted B, which knows of no connection, answer with a reset "
     "(RFC 9293 §3.5.1).",
     kCrashParameters, Crash},
    {"half-open/reconnect", "the restarted side opens the same four-tuple",
     "The SYN meets a connection that B still believes in: a challenge ACK. A expects something "
     "else and resets, which ends B's half; the repeated SYN opens a new connection (RFC 9293 "
     "§3.5.1, RFC 5961 §4.2).",
     kReconnectParameters, Reconnect},
    {"half-open/silent", "the peer never answers again",
     "A repeats its data tcp_retries2 times, each wait twice as long up to 120 s, waits once more, "
     "and tells its application ETIMEDOUT: by default after 924.6 s, if the time-out begins at "
     "200 ms (profile linux: at the first time-out so long after the first repeat; RFC 9293 "
     "§3.8.3).",
     kSilentParameters, Silent},
};

}  // namespace

std::span<const Scenario> HalfOpenScenarios() { return kHalfOpenScenarios; }

}  // namespace estab::sim
