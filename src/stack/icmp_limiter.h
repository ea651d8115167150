// How many ICMP errors may leave (RFC 1812 §4.3.2.8, RFC 4443 §2.4 (f)), by Linux's two measures.
#pragma once

#include <array>
#include <cstdint>

#include "estab/time.h"

namespace estab::stack {

/// Two allowances, which an error must have both of: that of the host it goes to, and that of the
/// stack. Hosts share allowances by their keyed hash, so that memory is bounded however many are
/// told.
class IcmpLimiter {
 public:
  struct Limits {
    std::int32_t host_interval_ms = 0;  // between two to one host, after kHostBurst; 0: no limit
    std::int32_t per_second = 0;        // in all
    std::int32_t burst = 0;             // in all, at once
  };
  /// To one host, at once: Linux's XRLIM_BURST_FACTOR.
  static constexpr std::int64_t kHostBurst = 6;

  /// Whether an error to the host of that hash may leave now; if so it counts.
  bool Take(Time now, std::uint64_t host_hash, const Limits& limits);

 private:
  static constexpr std::size_t kHosts = 512;
  // When what was taken will have been earned again: the more in the future, the less is left.
  // An allowance that was never used is full.
  using Earned = std::int64_t;
  Earned all_ = 0;
  std::array<Earned, kHosts> hosts_{};
};

}  // namespace estab::stack
