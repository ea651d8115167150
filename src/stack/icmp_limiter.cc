#include "stack/icmp_limiter.h"

#include <algorithm>

namespace estab::stack {

bool IcmpLimiter::Take(Time now, std::uint64_t host_hash, const Limits& limits) {
  if (limits.per_second == 0 || limits.burst == 0) return false;
  constexpr std::int64_t kSecond = 1'000'000'000;
  constexpr std::int64_t kMillisecond = 1'000'000;
  const std::int64_t t = now.time_since_epoch().count();
  const std::int64_t each = kSecond / limits.per_second;
  const Earned all = std::max<Earned>(all_, t) + each;
  if (all - t > each * limits.burst) return false;

  const std::int64_t interval = limits.host_interval_ms * kMillisecond;
  Earned& host = hosts_[host_hash % kHosts];
  const Earned earned = std::max<Earned>(host, t) + interval;
  if (interval != 0 && earned - t > interval * kHostBurst) return false;
  host = earned;
  all_ = all;
  return true;
}

}  // namespace estab::stack
