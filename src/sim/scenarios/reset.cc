// Resets.
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

constexpr Parameter kAcceptParameters[] = {
    kDelay,
    {"tcp_invalid_ratelimit", nullptr, "milliseconds between two challenge ACKs of a connection",
     "net.ipv4.tcp_invalid_ratelimit"},
};

// A segment with these flags that claims to come from A, `offset` beyond what B expects.
void Forge(ScenarioContext& ctx, std::uint16_t flags, std::int32_t offset, const char* note) {
  wire::Segment segment;
  segment.flags = flags;
  segment.seq = ctx.Isn(Side::kA) + 1 + static_cast<std::uint32_t>(offset);
  segment.ack = ctx.Isn(Side::kB) + 1;
  segment.window = 1000;
  segment = Stamped(ctx, Side::kA, segment);
  ctx.Note(note);
  ctx.Inject(Side::kB, ctx.a().endpoint(kClientPort), ctx.b().endpoint(kServerPort), segment,
             ctx.world().path(Side::kA).config().delay);
}

void Accept(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Duration limit = std::chrono::milliseconds(ctx.Number("tcp_invalid_ratelimit", 0, 60'000));
  const Duration step = limit + 500ms;
  const Pair pair = Establish(ctx);
  std::vector<ExpectedSegment> wire = Handshake(d);
  const auto challenged = [&] { wire.push_back({ctx.now() + d, "B . seq=y+1 ack=x+1"}); };

  ctx.RunUntil(200ms);
  Forge(ctx, kRst, -1, "a reset below the window: dropped");
  ctx.Run(step);
  Forge(ctx, kRst, 1 << 20, "a reset beyond the window: dropped");
  ctx.Run(step);
  Forge(ctx, kRst, 100, "a reset in the window, but not exact");
  challenged();
  if (limit > 100ms) {
    ctx.Run(100ms);
    Forge(ctx, kRst, 100, "again, too soon for another answer");
  }
  ctx.Run(step);
  ctx.ExpectState(Side::kB, pair.b, State::kEstablished);
  Forge(ctx, kSyn, 100, "a SYN in the window");
  challenged();
  ctx.Run(step);
  ctx.ExpectState(Side::kB, pair.b, State::kEstablished);
  Forge(ctx, kRst, 0, "a reset with exactly the expected number");
  const Duration end = ctx.now() + d;
  ctx.Run(2 * d);
  ctx.ExpectWire(wire);
  ctx.ExpectStates(Side::kB,
                   {State::kListen, State::kSynRcvd, State::kEstablished, State::kClosed});
  ctx.ExpectTransition(Side::kB, State::kEstablished, State::kClosed, end);
  ExpectErrorOnce(ctx, Side::kB, pair.b, Error::kConnectionReset);
  ctx.ExpectError(ctx.b().Send(pair.b, "x"), Error::kBrokenPipe, "send of B");
  ctx.ExpectEqual(ctx.b().stack().Counters().resets_sent, std::uint64_t{0}, "B has sent no reset");
  ctx.CloseAndExpectNothingLeft();
}

void Errors(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(200ms);
  (void)ctx.a().Send(pair.a, "the last words");
  ctx.RunUntil(200ms + 4 * d);
  (void)ctx.a().Abort(pair.a);
  ctx.Run(d);
  ctx.ExpectSent({200ms + 4 * d, "A R. seq=x+15 ack=y+1"});
  ctx.ExpectState(Side::kB, State::kClosed);
  ctx.ExpectError(ctx.b().TakeError(pair.b), Error::kConnectionReset, "SO_ERROR of B");
  ctx.Expect(!ctx.b().TakeError(pair.b).has_value(), "the error comes once");
  ctx.ExpectData(ctx.b().Read(pair.b), "the last words", "recv of B");
  ctx.ExpectData(ctx.b().Read(pair.b), "", "recv of B");
  ctx.ExpectError(ctx.b().Send(pair.b, "x"), Error::kBrokenPipe, "send of B");
  (void)ctx.b().Close(pair.b);
  ctx.ExpectNothingLeft();
}

constexpr Scenario kResetScenarios[] = {
    {"rst/accept", "which resets are believed",
     "Whoever can guess the ports could guess a number in the window, too. So only a reset with "
     "exactly the expected number is believed; one elsewhere in the window, and any SYN, is "
     "answered with a challenge ACK, to which only the true peer knows the answer; the rest is "
     "dropped (RFC 5961 §3, §4).",
     kAcceptParameters, Accept},
    {"rst/errors", "what the application is told of a reset",
     "The error comes once, from whichever call is first; what was received before stays readable; "
     "then recv returns the end and send EPIPE.",
     kDelayOnly, Errors},
};

}  // namespace

std::span<const Scenario> ResetScenarios() { return kResetScenarios; }

}  // namespace estab::sim
