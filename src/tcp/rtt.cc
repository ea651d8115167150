#include "tcp/rtt.h"

#include <algorithm>

#include "tcp/policy.h"

namespace estab::tcp {
namespace {

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
  if (tcb.rtt.srtt8 == 0) {
    tcb.rtt.srtt8 = r * 8;
    tcb.rtt.rttvar4 = r * 2;
    tcb.rtt.min = r;
  } else {
    const auto srtt = static_cast<std::int64_t>(tcb.rtt.srtt8) / 8;
    const std::int64_t error = us - srtt;
    const auto variation = static_cast<std::int64_t>(tcb.rtt.rttvar4);
    tcb.rtt.rttvar4 =
        static_cast<std::uint32_t>(variation + (error < 0 ? -error : error) - variation / 4);
    tcb.rtt.srtt8 = static_cast<std::uint32_t>(
        std::max<std::int64_t>(static_cast<std::int64_t>(tcb.rtt.srtt8) + error, 1));
    tcb.rtt.min = std::min(tcb.rtt.min, r);
  }
  tcb.rtt.rto = RtoFor(cx, tcb);
  tcb.rtt.backoff = 0;
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
