#include "tcp/pacing.h"

#include <algorithm>

#include "tcp/congestion/congestion.h"
#include "tcp/recovery.h"
#include "tcp/send_queue.h"
#include "tcp/timers.h"

namespace estab::tcp {
namespace {

// Linux's tcp_update_pacing_rate: a share of a window per round trip, more than all of it so that
// pacing never is what keeps the window from being used.
std::uint64_t RateOfWindow(const Context& cx, const Tcb& tcb) {
  if (tcb.rtt.srtt8 == 0) return kNoRate;
  const bool early = tcb.cwnd < tcb.ssthresh / 2;
  const auto percent =
      static_cast<std::uint64_t>(early ? cx.settings.pacing_ss_ratio : cx.settings.pacing_ca_ratio);
  const std::uint64_t window = std::max(tcb.cwnd, Outstanding(tcb));
  return window * percent * 80'000 / tcb.rtt.srtt8;
}

// The first segments go as the window says: as Linux's, which follows sch_fq in this.
bool Begins(const Tcb& tcb) { return tcb.bytes_sent < std::uint64_t{10} * tcb.send_mss; }

}  // namespace

std::uint64_t PacingRate(const Context& cx, const Tcb& tcb) {
  if (tcb.congestion == Congestion::kBySetting) return tcb.options->max_pacing_rate;
  const auto own = Control(tcb).pacing_rate;
  const std::uint64_t rate = own != nullptr ? own(cx, tcb) : RateOfWindow(cx, tcb);
  return std::min(rate, tcb.options->max_pacing_rate);
}

std::uint32_t PacingQuantum(const Tcb& tcb, std::uint64_t rate) {
  constexpr std::uint64_t kMost = 65536;
  const std::uint32_t mss = tcb.send_mss;
  const auto least = Control(tcb).least_burst;
  const std::uint32_t segments = least != nullptr ? least(rate) : 2;
  const auto burst = static_cast<std::uint32_t>(std::min(rate >> 10, kMost)) / mss;
  return std::max(burst, segments) * mss;
}

std::uint32_t BurstGoal(const Context& cx, const Tcb& tcb) {
  constexpr std::uint32_t kMost = 65536;
  constexpr std::uint32_t kTripUnit = 512;  // microseconds; each halves what is added
  const std::uint32_t shift = tcb.rtt.min / kTripUnit;
  const std::uint32_t near = shift < 32 ? kMost >> shift : 0;
  return PacingQuantum(tcb, PacingRate(cx, tcb)) + near;
}

std::uint32_t PaceRoom(const Context& cx, const Tcb& tcb, const LossState& loss) {
  if (!tcb.paced) return UINT32_MAX;
  if (Begins(tcb)) return tcb.send_mss;
  if (loss.pace.next > cx.now)
    return (loss.pace.left + tcb.send_mss - 1) / tcb.send_mss * tcb.send_mss;
  const std::uint64_t rate = PacingRate(cx, tcb);
  return rate == kNoRate || rate == 0 ? UINT32_MAX : PacingQuantum(tcb, rate);
}

bool PaceHolds(const Context& cx, const Tcb& tcb, const LossState& loss) {
  if (!tcb.paced || loss.pace.next <= cx.now) return false;
  return loss.pace.left == 0 || loss.pace.burst_at != cx.now;
}

void NotePaced(const Context& cx, const Tcb& tcb, LossState& loss, std::uint32_t bytes) {
  if (!tcb.paced) return;
  auto& pace = loss.pace;
  const std::uint64_t rate = Begins(tcb) ? kNoRate : PacingRate(cx, tcb);
  if (rate == kNoRate || rate == 0) {
    pace.next = std::max(pace.next, cx.now);
    return;
  }
  if (pace.next <= cx.now) {
    // What the last burst came too late by is made up for, but never by more than half of this one.
    pace.credit = std::max(cx.now - pace.next, Duration(0));
    pace.next = std::max(pace.next, cx.now);
    pace.burst_at = cx.now;
    pace.left = PacingQuantum(tcb, rate);
  } else if (pace.burst_at != cx.now) {
    pace.left = 0;  // it did not wait: no burst follows
  }
  const Duration whole(static_cast<std::int64_t>(std::uint64_t{bytes} * 1'000'000'000 / rate));
  const Duration saved = std::min(whole / 2, pace.credit);
  pace.credit -= saved;
  pace.next += whole - saved;
  pace.left -= std::min(pace.left, bytes);
}

void SchedulePacing(Context& cx, Tcb& tcb) {
  if (!tcb.paced) return;
  LossState* loss = LossOf(cx, tcb);
  if (loss == nullptr) return;
  // With nothing in flight the state that knows the time would go, were it not for the deadline.
  const bool idle = loss->flight.empty() && IsIn(tcb.state, kMaySend);
  const bool waits = SendEnd(cx, tcb) > tcb.snd.nxt || loss->flight.lost_count() != 0;
  if (loss->pace.next <= cx.now || (!waits && !idle)) return DisarmPace(cx, tcb, *loss);
  if (loss->pace_at != loss->pace.next) ArmPace(cx, tcb, *loss, loss->pace.next);
}

}  // namespace estab::tcp
