#include "tcp/congestion/bbr_path.h"

#include <algorithm>

#include "base/siphash.h"
#include "tcp/delivery.h"

namespace estab::tcp {
namespace {

constexpr std::uint32_t kBandwidthRounds = 10;

void BeginPolicerInterval(const Deliveries& deliveries, BbrModel& model) {
  auto& policer = model.policer;
  policer.at = deliveries.delivered_at;
  policer.delivered = deliveries.delivered;
  policer.lost = deliveries.lost;
  policer.rounds = 0;
}

// An interval with losses from end to end has ended, and had this rate: about the same twice
// running is what a policer makes.
void EndPolicerInterval(const Deliveries& deliveries, BbrModel& model, std::uint64_t rate) {
  constexpr std::uint64_t kLeastDifference = 500;  // bytes a second
  auto& policer = model.policer;
  if (policer.bandwidth != 0) {
    const std::uint64_t difference =
        std::max(rate, policer.bandwidth) - std::min(rate, policer.bandwidth);
    if (difference <= policer.bandwidth / 8 || difference <= kLeastDifference) {
      policer.bandwidth = (rate + policer.bandwidth) / 2;
      policer.used = true;
      model.pacing_gain = kGainUnit;
      policer.rounds = 0;
      return;
    }
  }
  policer.bandwidth = rate;
  BeginPolicerInterval(deliveries, model);
}

// A while at the policer's rate, and then the path is asked anew.
void OutlastPolicer(const Context& cx, const Tcb& tcb, const Deliveries& deliveries,
                    BbrModel& model) {
  constexpr std::uint32_t kMostRounds = 48;
  if (model.mode != BbrModel::Mode::kProbeBandwidth || !model.round_start) return;
  if (++model.policer.rounds < kMostRounds) return;
  ForgetPolicer(deliveries, model);
  BeginCycle(cx, tcb, deliveries, model);
}

}  // namespace

std::uint64_t BbrBytesIn(std::uint64_t rate, Duration time) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
  if (us <= 0) return 0;
  const auto span = static_cast<std::uint64_t>(us);
  return std::min(std::min(rate, UINT64_MAX / span) * span / 1'000'000, kMostBbrBytes);
}

void ForgetPolicer(const Deliveries& deliveries, BbrModel& model) {
  model.policer = {};
  BeginPolicerInterval(deliveries, model);
}

void WatchForPolicer(const Context& cx, const Tcb& tcb, const Deliveries& deliveries,
                     BbrModel& model, bool lost, bool app_limited) {
  constexpr std::uint32_t kLeastRounds = 4;
  constexpr std::uint64_t kLossShare = 50;  // of 256
  auto& policer = model.policer;
  if (policer.used) return OutlastPolicer(cx, tcb, deliveries, model);
  // It begins with a loss: until then a policer's bucket has been filling.
  if (!policer.sampling) {
    if (!lost) return;
    BeginPolicerInterval(deliveries, model);
    policer.sampling = true;
  }
  if (app_limited) return ForgetPolicer(deliveries, model);
  if (model.round_start) ++policer.rounds;
  if (policer.rounds < kLeastRounds) return;
  if (policer.rounds > 4 * kLeastRounds) return ForgetPolicer(deliveries, model);
  if (!lost) return;  // and it ends with one: the bucket is empty
  const std::uint64_t gone = deliveries.lost - policer.lost;
  const std::uint64_t delivered = deliveries.delivered - policer.delivered;
  if (delivered == 0 || gone * 256 < kLossShare * delivered) return;
  const Duration time = deliveries.delivered_at - policer.at;
  if (time < std::chrono::milliseconds(1)) return;
  EndPolicerInterval(deliveries, model, RateOf(delivered, time));
}

void TakeBandwidth(const BbrStep& step) {
  BbrModel& model = step.model;
  const RateSample& sample = step.news.sample;
  const Deliveries& deliveries = step.loss.deliveries;
  model.round_start = false;
  if (!sample.valid) return;
  if (!Precedes(sample.prior_delivered, model.round_end)) {
    model.round_end = deliveries.delivered;
    ++model.rounds;
    model.round_start = true;
    model.conserving = false;
  }
  WatchForPolicer(step.cx, step.tcb, deliveries, model, step.news.lost != 0, sample.app_limited);
  const std::uint64_t rate = RateOf(sample.delivered, sample.interval);
  if (!sample.app_limited || rate >= model.bandwidth.value()) {
    model.bandwidth.Add(kBandwidthRounds, model.rounds, rate);
  }
}

void TakeBunch(const BbrStep& step) {
  constexpr std::uint8_t kRounds = 5;
  constexpr std::uint64_t kMostSegments = std::uint64_t{1} << 20;
  if (step.news.delivered == 0 || !step.news.sample.valid) return;
  auto& bunches = step.model.bunches;
  if (step.model.round_start && ++bunches.rounds >= kRounds) {
    bunches.rounds = 0;
    bunches.now ^= 1;
    bunches.extra[bunches.now] = 0;
  }
  const Time now = step.loss.deliveries.delivered_at;
  std::uint64_t expected = BbrBytesIn(BbrRate(step.model), now - bunches.began);
  // Behind the rate: a bunch begins now.
  const std::uint64_t most = kMostSegments * step.tcb.send_mss;
  if (bunches.acked <= expected || bunches.acked + step.news.delivered >= most) {
    bunches.acked = expected = 0;
    bunches.began = now;
  }
  bunches.acked += step.news.delivered;
  const std::uint64_t extra = std::min<std::uint64_t>(bunches.acked - expected, step.tcb.cwnd);
  std::uint32_t& known = bunches.extra[bunches.now];
  known = std::max(known, static_cast<std::uint32_t>(extra));
}

void BeginCycle(const Context& cx, const Tcb& tcb, const Deliveries& deliveries, BbrModel& model) {
  // Any phase but the one that drains, which would have nothing to drain.
  const std::array<std::uint32_t, 3> who = {0x626272, tcb.number, model.rounds};
  const std::uint64_t draw = SipHash24(cx.challenges.key, std::as_bytes(std::span(who)));
  model.mode = BbrModel::Mode::kProbeBandwidth;
  model.phase = static_cast<std::uint8_t>((8 - draw % 7) & 7);
  model.phase_at = deliveries.delivered_at;
}

}  // namespace estab::tcp
