// What a congestion control remembers while something is in flight.
#pragma once

#include <array>
#include <cstdint>

#include "base/seq.h"
#include "estab/time.h"

namespace estab::tcp {

/// Leaving slow start in time (hystart.h).
struct HyStart {
  bool begun = false;         // a round is under way:
  bool found = false;         // slow start is over
  bool conservative = false;  // RFC 9406: it may be over, and goes on more slowly
  std::uint8_t samples = 0;
  std::uint8_t conservative_rounds = 0;
  SndSeq round_end;
  Time round_began{};
  Time train_at{};                          // the last ACK that came close upon the one before
  std::uint32_t round_min = UINT32_MAX;     // least round trip, microseconds: in this round ...
  std::uint32_t previous_min = UINT32_MAX;  // ... in the one before it ...
  std::uint32_t baseline = UINT32_MAX;      // ... and in the one that made it go more slowly
};

/// W_cubic(t) = C (t - K)^3 + origin (RFC 9438 §4.2).
struct CubicCurve {
  std::uint32_t origin = 0;  // bytes: where it is flat; W_max, if the window began below that
  std::uint32_t k_ms = 0;    // K: when
};

/// CUBIC's share (cubic.h); all of it can be made anew.
struct CubicScratch {
  bool begun = false;  // the three that follow belong to the epoch of tcb.congestion_state
  CubicCurve curve;
  std::uint32_t estimate = 0;            // W_est: the window that Reno would have
  std::uint64_t estimate_acked = 0;      // bytes acknowledged since that last grew
  std::uint64_t acked = 0;               // bytes acknowledged since cwnd last grew
  std::array<std::uint32_t, 3> prior{};  // congestion_state as of the last reduction
};

/// Part of LossState: it goes when everything is acknowledged.
struct CongestionScratch {
  HyStart hystart;
  CubicScratch cubic;
};

}  // namespace estab::tcp
