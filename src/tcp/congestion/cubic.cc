#include "tcp/congestion/cubic.h"

#include <algorithm>

#include "tcp/congestion/hystart.h"
#include "tcp/recovery.h"

namespace estab::tcp {
namespace {

// Words of congestion_state: what an epoch is made of. They outlast pauses in which nothing is in
// flight; the curve is made from them again.
constexpr std::size_t kMaxWindow = 0;    // W_max; 0: no loss is known
constexpr std::size_t kEpoch = 1;        // when congestion avoidance began; 0: it has not
constexpr std::size_t kEpochWindow = 2;  // cwnd as of then

// A window is at most 2^30 bytes: further from K the curve has left that behind for any MSS.
constexpr std::uint64_t kFarMs = std::uint64_t{1} << 19;

void BeginEpoch(const Context& cx, Tcb& tcb, CubicScratch& cubic) {
  if (tcb.congestion_state[kEpoch] == 0) {
    tcb.congestion_state[kEpoch] = std::max(cx.stamp(), 1u);
    tcb.congestion_state[kEpochWindow] = tcb.cwnd;
    cubic.begun = false;
  }
  if (cubic.begun) return;
  cubic.begun = true;
  cubic.curve = MakeCubicCurve(tcb.congestion_state[kMaxWindow], tcb.congestion_state[kEpochWindow],
                               tcb.send_mss);
  cubic.estimate = tcb.cwnd;
  cubic.estimate_acked = 0;
}

// §4.3: what Reno would have with CUBIC's reductions, and hence a smaller increase: alpha = 3 (1 -
// beta) / (1 + beta) = 9/17 segments a round trip.
void FollowReno(const Tcb& tcb, CubicScratch& cubic, std::uint32_t bytes) {
  const std::uint64_t round = std::uint64_t{tcb.cwnd} * 17 / 9;
  cubic.estimate_acked += bytes;
  const std::uint64_t rounds = cubic.estimate_acked / round;
  cubic.estimate_acked -= rounds * round;
  cubic.estimate =
      std::min(cubic.estimate + static_cast<std::uint32_t>(rounds) * tcb.send_mss, kLargestWindow);
}

// Bytes by which the window is to grow while one window is acknowledged.
std::uint32_t Rise(const Context& cx, const Tcb& tcb, const CubicScratch& cubic) {
  const std::uint32_t cwnd = tcb.cwnd;
  const std::uint32_t t = cx.stamp() - tcb.congestion_state[kEpoch] + tcb.rtt.min / 1000;
  const std::uint32_t target = CubicWindow(cubic.curve, t, tcb.send_mss);
  std::uint32_t rise = target > cwnd ? target - cwnd : 0;
  rise = std::max(rise, tcb.send_mss / 100u);  // never quite flat
  if (tcb.congestion_state[kMaxWindow] == 0) rise = std::max(rise, cwnd / 20);
  if (cubic.estimate > cwnd) rise = std::max(rise, cubic.estimate - cwnd);
  return std::clamp(rise, 1u, std::max(cwnd / 2, 1u));
}

void AvoidCongestion(const Context& cx, Tcb& tcb, CubicScratch& cubic, std::uint32_t bytes) {
  BeginEpoch(cx, tcb, cubic);
  FollowReno(tcb, cubic, bytes);
  // Bytes to be acknowledged for each segment that the window grows by.
  const std::uint64_t price = std::uint64_t{tcb.cwnd} * tcb.send_mss / Rise(cx, tcb, cubic);
  if (cubic.acked >= price) {  // what was saved up at a higher price buys one at the most
    cubic.acked = 0;
    tcb.cwnd += tcb.send_mss;
  }
  cubic.acked += bytes;
  const std::uint64_t segments = cubic.acked / price;
  cubic.acked -= segments * price;
  tcb.cwnd += static_cast<std::uint32_t>(segments) * tcb.send_mss;
}

void Acked(const Context& cx, Tcb& tcb, const AckNews& news, bool limited) {
  CongestionScratch& scratch = LossIn(cx, tcb).congestion;
  if (tcb.cwnd < tcb.ssthresh) WatchSlowStart(cx, tcb, scratch.hystart, news);
  if (!limited || tcb.cwnd >= kLargestWindow) return;
  std::uint32_t bytes = news.delivered;
  if (tcb.cwnd < tcb.ssthresh) {
    bytes = SlowStart(tcb, SlowStartCredit(cx, tcb, scratch.hystart, bytes));
  }
  if (bytes != 0) AvoidCongestion(cx, tcb, scratch.cubic, bytes);
}

std::uint32_t Reduced(const Context& cx, Tcb& tcb) {
  LossIn(cx, tcb).congestion.cubic.prior = tcb.congestion_state;
  std::uint32_t& w_max = tcb.congestion_state[kMaxWindow];
  const std::uint64_t cwnd = tcb.cwnd;
  // §4.7, fast convergence: a window that did not get as far as the last one makes room for others,
  // (1 + beta) / 2.
  w_max = static_cast<std::uint32_t>(cwnd < w_max ? cwnd * 17 / 20 : cwnd);
  tcb.congestion_state[kEpoch] = 0;
  const std::uint64_t less = cwnd * 7 / 10 / tcb.send_mss * tcb.send_mss;  // beta
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(less, 2u * tcb.send_mss));
}

// §4.8: what follows has K = 0 and begins where slow start ends.
void TimedOut(const Context& cx, Tcb& tcb) {
  tcb.congestion_state[kMaxWindow] = 0;
  tcb.congestion_state[kEpoch] = 0;
  LossIn(cx, tcb).congestion.hystart = HyStart{};
}

std::uint32_t Undone(const Context& cx, Tcb& tcb, std::uint32_t prior_cwnd) {
  CubicScratch& cubic = LossIn(cx, tcb).congestion.cubic;
  tcb.congestion_state = cubic.prior;
  cubic.begun = false;
  return prior_cwnd;
}

// §5.8: time in which the application has nothing to send is none of the curve's.
void Resumed(const Context& cx, Tcb& tcb, std::uint32_t pause_ms) {
  std::uint32_t& epoch = tcb.congestion_state[kEpoch];
  if (epoch == 0) return;
  epoch += std::min(pause_ms, cx.stamp() - epoch);
  if (epoch == 0) epoch = 1;
}

}  // namespace

const CongestionControl kCubic = {"cubic",  BeginFirstWindow, Acked,   Reduced,
                                  TimedOut, Undone,           Resumed, 85};

std::uint32_t CubeRoot(std::uint64_t n) {
  std::uint64_t root = 0;
  for (std::uint64_t bit = std::uint64_t{1} << 20; bit != 0; bit >>= 1) {
    const std::uint64_t more = root | bit;
    if (more * more * more <= n) root = more;
  }
  return static_cast<std::uint32_t>(root);
}

// K = cubic root of (W_max - cwnd_epoch) / C, with C = 0.4 segments / s^3 (§4.2).
CubicCurve MakeCubicCurve(std::uint32_t w_max, std::uint32_t cwnd, std::uint32_t mss) {
  if (w_max <= cwnd) return {cwnd, 0};
  return {w_max, CubeRoot(std::uint64_t{w_max - cwnd} * 2'500'000'000 / mss)};
}

std::uint32_t CubicWindow(const CubicCurve& curve, std::uint32_t t_ms, std::uint32_t mss) {
  const bool before = t_ms < curve.k_ms;
  const std::uint64_t far =
      std::min<std::uint64_t>(before ? curve.k_ms - t_ms : t_ms - curve.k_ms, kFarMs);
  const std::uint64_t distance = far * far * far / 2500 * mss / 1'000'000;
  if (before)
    return static_cast<std::uint32_t>(curve.origin -
                                      std::min<std::uint64_t>(distance, curve.origin));
  return static_cast<std::uint32_t>(
      std::min<std::uint64_t>(curve.origin + distance, kLargestWindow));
}

}  // namespace estab::tcp
