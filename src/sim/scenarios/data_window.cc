// How the congestion window moves over time.
#include <cmath>

#include "observe/format.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

constexpr Parameter kCubicParameters[] = {
    {"delay", "100ms", "how long a packet takes, each way"},
    {"lost", "120", "which full-sized segment is lost"},
};

double WindowOf(ScenarioContext& ctx, const Pair& pair) {
  const ConnectionInfo info = InfoOf(ctx, Side::kA, pair.a);
  return static_cast<double>(info.congestion_window) / info.send_mss;
}

bool Recovering(ScenarioContext& ctx, const Pair& pair) {
  return InfoOf(ctx, Side::kA, pair.a).recovery_state >= 2;
}

// A writes whatever its buffer takes, B reads whatever has come. `most`: the window as of the loss.
void KeepBusy(ScenarioContext& ctx, const Pair& pair, double& most) {
  auto data = std::make_shared<std::string>(Pattern(262'144));
  ctx.world().SetStepHook([&ctx, pair, data, &most] {
    const Time now = ctx.world().now();
    if (!Recovering(ctx, pair)) most = WindowOf(ctx, pair);
    static_cast<void>(ctx.a().stack().Send(now, pair.a, std::as_bytes(std::span(*data))));
    std::array<std::byte, 65536> piece;
    static_cast<void>(ctx.b().stack().Read(now, pair.b, piece));
  });
}

// From the loss to twice K beyond it, once a round trip; what the curve says beside it.
void FollowCurve(ScenarioContext& ctx, const Pair& pair, double most, Duration round_trip) {
  const double least = WindowOf(ctx, pair);
  const double k = std::cbrt((most - least) / 0.4);
  const Duration began = ctx.now();
  double off = 0;
  for (int round = 1; SecondsOf(ctx.now() - began) < 2 * k; ++round) {
    ctx.Run(round_trip);
    const double t = SecondsOf(ctx.now() - began) - k;
    const double curve = most + 0.4 * t * t * t;
    const double window = WindowOf(ctx, pair);
    off = std::max(off, std::abs(window - curve) / curve);
    if (round % 3 != 0) continue;
    ctx.Say(fmt::format("{:5.1f} s after the repair: {:3.0f} segments, W_cubic says {:3.0f}", t + k,
                        window, curve));
  }
  ctx.Expect(off < 0.1, "the window is never a tenth away from the curve");
  ctx.Expect(WindowOf(ctx, pair) > most, "and has passed W_max");
}

void CubicCurveSeen(ScenarioContext& ctx) {
  const Duration delay = ctx.Span("delay", 50ms, 150ms);
  ctx.SetDelay(delay);
  static_cast<void>(ctx.a().stack().SetSetting("net.ipv4.tcp_congestion_control", "cubic"));
  static_cast<void>(ctx.b().stack().SetSetting("net.ipv4.tcp_rmem", "4096 1048576 6291456"));
  const Pair pair = Establish(ctx);
  ctx.Fault(fmt::format("drop the {}th data from A", ctx.Number("lost", 80, 200)));
  ctx.RunUntil(1s);
  ctx.DrawNoMore("A sends as fast as its window lets it; one segment is lost");
  double window = 0;
  KeepBusy(ctx, pair, window);
  const Duration end = ctx.now() + 20s;
  while (!Recovering(ctx, pair) && ctx.now() < end) ctx.Run(1ms);
  const double most = window;
  while (Recovering(ctx, pair) && ctx.now() < end) ctx.Run(1ms);
  ctx.Say(
      fmt::format("the loss is found with a window of {:.0f} segments, and repaired with {:.0f}",
                  most, WindowOf(ctx, pair)));
  ctx.Expect(std::abs(WindowOf(ctx, pair) - 0.7 * most) <= 2, "seven tenths of it are left");
  FollowCurve(ctx, pair, most, 2 * delay);
  ctx.world().SetStepHook({});
  ctx.CloseAndExpectNothingLeft();
}

constexpr Scenario kDataWindowScenarios[] = {
    {"data/cubic", "the window after a loss",
     "CUBIC leaves seven tenths of the window, comes back to where the loss was fast at first and "
     "slowly at last, stays there for a while, and then looks for more: W(t) = 0.4 (t - K)^3 + "
     "W_max "
     "(RFC 9438 §4.2).",
     kCubicParameters, CubicCurveSeen},
};

}  // namespace

std::span<const Scenario> DataWindowScenarios() { return kDataWindowScenarios; }

}  // namespace estab::sim
