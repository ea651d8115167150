#include "tcp/rtt.h"

#include <algorithm>

#include "tcp/policy.h"
#include "tcp/recovery.h"

namespace estab::tcp {
namespace {

// Modulo 2^32.
std::uint32_t MicrosecondsOf(Time t) {
  return static_cast<std::uint32_t>(t.time_since_epoch().count() / 1000);
}

// RFC 6298 §2.3, with the gains of its §2.
void FollowByRfc(Tcb& tcb, std::int64_t error) {
  const auto deviation = static_cast<std::int64_t>(tcb.rtt.mdev4);
  tcb.rtt.mdev4 =
      static_cast<std::uint32_t>(deviation + (error < 0 ? -error : error) - deviation / 4);
  tcb.rtt.rttvar4 = tcb.rtt.mdev4;
}

// As Linux (tcp_rtt_estimator): with a sample from every ACK the deviation would forget within a
// fraction of a round trip, so that its most in each round trip counts, and a shorter round trip
// than usual does not widen the RTO as much as a longer one.
void FollowByRound(Tcb& tcb, LossState* loss, std::int64_t error, std::uint32_t least) {
  const auto deviation = static_cast<std::int64_t>(tcb.rtt.mdev4);
  std::int64_t change = (error < 0 ? -error : error) - deviation / 4;
  if (error < 0 && change > 0) change /= 8;
  tcb.rtt.mdev4 = static_cast<std::uint32_t>(deviation + change);
  tcb.rtt.rttvar4 = std::max(tcb.rtt.rttvar4, tcb.rtt.mdev4);
  if (loss == nullptr) return;
  loss->mdev4_most = std::max({loss->mdev4_most, tcb.rtt.mdev4, least});
  if (loss->round_begun && tcb.snd.una <= loss->round_end) return;
  if (loss->mdev4_most < tcb.rtt.rttvar4) {
    tcb.rtt.rttvar4 -= (tcb.rtt.rttvar4 - loss->mdev4_most) / 4;
  }
  loss->round_begun = true;
  loss->round_end = tcb.snd.nxt;
  loss->mdev4_most = least;
}

std::uint32_t RtoFor(const Context& cx, const Tcb& tcb) {
  const bool of_whole = cx.settings.policy.rto_min_of_whole;
  const std::int64_t least = cx.settings.rto_min_ms * 1000;
  const std::int64_t margin = std::max<std::int64_t>(tcb.rtt.rttvar4, of_whole ? 1000 : least);
  // To the nearest millisecond, the granularity of the timers: G of RFC 6298 §2.
  std::int64_t rto = (tcb.rtt.srtt8 / 8 + margin + 500) / 1000 * 1000;
  if (of_whole) rto = std::max(rto, least);
  return static_cast<std::uint32_t>(std::min(rto, RtoMaxMs(cx.settings, *tcb.options) * 1000));
}

}  // namespace

void TakeRttSample(Context& cx, Tcb& tcb, Duration sample) {
  const std::int64_t us = std::clamp<std::int64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(sample).count(), 1, 300'000'000);
  const auto r = static_cast<std::uint32_t>(us);
  const bool by_rfc = cx.settings.policy.rto_min_of_whole;
  const auto least = by_rfc ? 0u : static_cast<std::uint32_t>(cx.settings.rto_min_ms * 1000);
  if (tcb.rtt.srtt8 == 0) {
    tcb.rtt.srtt8 = r * 8;
    tcb.rtt.mdev4 = r * 2;
    tcb.rtt.rttvar4 = std::max(tcb.rtt.mdev4, least);
    tcb.rtt.min = r;
  } else {
    const std::int64_t error = us - static_cast<std::int64_t>(tcb.rtt.srtt8) / 8;
    tcb.rtt.srtt8 = static_cast<std::uint32_t>(
        std::max<std::int64_t>(static_cast<std::int64_t>(tcb.rtt.srtt8) + error, 1));
    if (by_rfc) {
      FollowByRfc(tcb, error);
    } else {
      FollowByRound(tcb, LossOf(cx, tcb), error, least);
    }
    tcb.rtt.min = std::min(tcb.rtt.min, r);
  }
  tcb.rtt.rto = RtoFor(cx, tcb);
  tcb.rtt.backoff = 0;
}

void BeginSynTiming(Tcb& tcb, Time sent_at) {
  tcb.rtt.min = std::max(MicrosecondsOf(sent_at) + 1, 1u);
}

void EndSynTiming(Tcb& tcb) {
  if (tcb.rtt.srtt8 == 0) tcb.rtt.min = 0;
}

Duration TakeSynTiming(const Context& cx, Tcb& tcb) {
  if (tcb.rtt.srtt8 != 0 || tcb.rtt.min == 0) return Duration(-1);
  const std::chrono::microseconds trip(MicrosecondsOf(cx.now) + 1 - tcb.rtt.min);
  EndSynTiming(tcb);
  return trip;
}

void ResetRto(Context& cx, Tcb& tcb, bool repeated_syn) {
  const std::int64_t ms = repeated_syn ? std::max<std::int64_t>(3000, cx.settings.rto_initial_ms)
                                       : cx.settings.rto_initial_ms;
  tcb.rtt.rto =
      static_cast<std::uint32_t>(std::min(ms, RtoMaxMs(cx.settings, *tcb.options)) * 1000);
  tcb.rtt.backoff = 0;
}

Duration BackedOffRto(const Context& cx, const Tcb& tcb) {
  const std::int64_t limit = RtoMaxMs(cx.settings, *tcb.options) * 1000;
  std::int64_t us = tcb.rtt.rto;
  for (int i = 0; i < tcb.rtt.backoff && us < limit; ++i) us *= 2;
  return std::chrono::microseconds(std::min(us, limit));
}

Duration SynTimeout(const Settings& settings, const SocketOptions& options, int transmission,
                    int linear) {
  const std::int64_t most = RtoMaxMs(settings, options);
  std::int64_t ms = settings.rto_initial_ms;
  for (int i = linear; i < transmission && ms < most; ++i) ms *= 2;
  return std::chrono::milliseconds(std::min(ms, most));
}

Duration SynSeries(const Settings& settings, const SocketOptions& options, int retries) {
  Duration all{};
  for (int i = 0; i <= retries; ++i) all += SynTimeout(settings, options, i, 0);
  return all;
}

Duration RepeatSeries(const Settings& settings, const SocketOptions& options, int retries) {
  const std::int64_t most = RtoMaxMs(settings, options);
  std::int64_t wait = std::min(settings.rto_min_ms, most);
  std::int64_t all = 0;
  for (int i = 0; i <= retries; ++i) {
    all += wait;
    // Linux doubles only as long as the result stays below the most.
    wait = wait * 2 <= most ? wait * 2 : most;
  }
  return std::chrono::milliseconds(all);
}

}  // namespace estab::tcp
