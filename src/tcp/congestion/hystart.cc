#include "tcp/congestion/hystart.h"

#include <algorithm>

namespace estab::tcp {
namespace {

constexpr std::uint8_t kSamples = 8;          // a round has to have, before its least counts
constexpr std::uint32_t kLeastExcess = 4000;  // microseconds: a queue is one that delays ...
constexpr std::uint32_t kMostExcess = 16000;  // ... by an eighth of the round trip, between these

std::uint32_t Excess(std::uint32_t round_trip) {
  return std::clamp(round_trip / 8, kLeastExcess, kMostExcess);
}

void BeginRound(const Context& cx, const Tcb& tcb, HyStart& hystart) {
  hystart.begun = true;
  hystart.previous_min = hystart.round_min;
  hystart.round_min = UINT32_MAX;
  hystart.samples = 0;
  hystart.round_end = tcb.snd.nxt;
  hystart.round_began = hystart.train_at = cx.now;
}

void LeaveSlowStart(Tcb& tcb, HyStart& hystart) {
  hystart.found = true;
  tcb.ssthresh = tcb.cwnd;
}

// ACKs that follow each other closely come from one burst. Once they take half of the least round
// trip to arrive, the burst fills the path there and back. (Linux: HYSTART_ACK_TRAIN.)
bool TrainIsLong(const Context& cx, const Tcb& tcb, HyStart& hystart) {
  constexpr Duration kClose = std::chrono::milliseconds(2);
  if (cx.now - hystart.train_at > kClose) return false;
  hystart.train_at = cx.now;
  return cx.now - hystart.round_began > std::chrono::microseconds(tcb.rtt.min / 2);
}

// Linux's hystart_update.
void WatchAsLinux(const Context& cx, Tcb& tcb, HyStart& hystart) {
  constexpr std::uint32_t kLowWindow = 16;  // segments: below, there is nothing to tell
  if (tcb.cwnd < kLowWindow * tcb.send_mss) return;
  const bool delayed = hystart.samples > kSamples && tcb.rtt.min != 0 &&
                       hystart.round_min > tcb.rtt.min + Excess(tcb.rtt.min);
  if (TrainIsLong(cx, tcb, hystart) || delayed) LeaveSlowStart(tcb, hystart);
}

// RFC 9406 §4.2.
void WatchByRfc(Tcb& tcb, HyStart& hystart, bool new_round) {
  constexpr std::uint8_t kConservativeRounds = 5;
  if (hystart.conservative && new_round && ++hystart.conservative_rounds >= kConservativeRounds) {
    return LeaveSlowStart(tcb, hystart);
  }
  if (hystart.samples < kSamples) return;
  if (hystart.conservative) {
    // The delay has gone again: it was not the queue of a full path.
    if (hystart.round_min < hystart.baseline) hystart.conservative = false;
    return;
  }
  if (hystart.previous_min == UINT32_MAX) return;
  if (hystart.round_min < hystart.previous_min + Excess(hystart.previous_min)) return;
  hystart.conservative = true;
  hystart.conservative_rounds = 0;
  hystart.baseline = hystart.round_min;
}

}  // namespace

void WatchSlowStart(const Context& cx, Tcb& tcb, HyStart& hystart, const AckNews& news) {
  const std::int32_t mode = cx.settings.hystart;
  if (mode == 0 || hystart.found || news.rtt < Duration(0)) return;
  const bool new_round = !hystart.begun || tcb.snd.una > hystart.round_end;
  if (new_round) BeginRound(cx, tcb, hystart);
  const auto trip = static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(news.rtt).count());
  hystart.round_min = std::min(hystart.round_min, std::max(trip, 1u));
  if (hystart.samples <= kSamples) ++hystart.samples;
  if (mode == kHyStartLinux) {
    WatchAsLinux(cx, tcb, hystart);
  } else {
    WatchByRfc(tcb, hystart, new_round);
  }
}

std::uint32_t SlowStartCredit(const Context& cx, const Tcb& tcb, const HyStart& hystart,
                              std::uint32_t delivered) {
  constexpr std::uint32_t kBurst = 8;              // RFC 9406 §4.3: L, without pacing
  constexpr std::uint32_t kConservativeShare = 4;  // CSS_GROWTH_DIVISOR
  if (cx.settings.hystart != kHyStartPlusPlus) return delivered;
  const std::uint32_t counted = std::min(delivered, kBurst * tcb.send_mss);
  return hystart.conservative ? counted / kConservativeShare : counted;
}

}  // namespace estab::tcp
