// What BBR knows of the path: how much it takes, how long it takes, and where BBR stands in finding
// out. It outlasts pauses, so that it has a record of its own (Buffers::models).
#pragma once

#include <array>
#include <cstdint>

#include "estab/time.h"
#include "tcp/congestion/windowed_max.h"
#include "tcp/deliveries.h"

namespace estab::tcp {

/// Shares of 256.
constexpr std::uint32_t kGainUnit = 256;

struct BbrModel {
  enum class Mode : std::uint8_t {
    kStartup,         // faster and faster, until the rate grows no more
    kDrain,           // what that has queued goes
    kProbeBandwidth,  // at the path's rate; now and then a little more, and less
    kProbeRoundTrip,  // little or almost nothing in flight: what is the round trip without a queue?
  };
  Mode mode = Mode::kStartup;
  bool round_start = false;   // this ACK begins a round trip
  bool conserving = false;    // first round of recovery: as much leaves as arrives
  bool idle_restart = false;  // sending goes on after a pause
  bool full = false;          // the pipe has been filled
  bool has_round_trip = false;
  bool in_recovery = false;      // as of the last ACK: losses are repaired
  std::uint8_t full_rounds = 0;  // round trips in which the rate did not grow
  std::uint8_t phase = 0;        // of the cycle of gains

  std::uint32_t pacing_gain = kGainUnit;
  std::uint32_t cwnd_gain = kGainUnit;
  std::uint64_t pacing_rate = 0;     // bytes a second
  WindowedMax bandwidth;             // likewise
  std::uint64_t full_bandwidth = 0;  // where it stood when it last grew by a quarter
  std::uint32_t rounds = 0;
  std::uint32_t round_end = 0;   // Deliveries::delivered: what is sent from then on ends it
  std::uint32_t prior_cwnd = 0;  // from before recovery, or kProbeRoundTrip

  Duration min_rtt = Duration::max();
  Time min_rtt_at{};
  Time phase_at{};
  Time probe_rtt_done = kNever;          // kNever: the pipe is not empty enough yet
  bool probe_rtt_round = false;          // a round trip of it has passed
  bool probe_is_deep = false;            // it goes down to four segments
  std::uint32_t probe_window = 0;        // bytes in flight meanwhile
  Duration clear_rtt = Duration::max();  // the least since a deep one ended

  // A policer lets so much pass and no more (Linux: lt_bw): told by loss at the same rate twice.
  struct {
    bool sampling = false;
    bool used = false;
    std::uint32_t rounds = 0;
    std::uint64_t bandwidth = 0;
    std::uint32_t delivered = 0;  // as of the interval's beginning ...
    std::uint32_t lost = 0;
    Time at{};  // ... then
  } policer;

  // ACKs that come in bunches: how much more arrives at once than the rate lets expect.
  struct {
    Time began{};
    std::uint64_t acked = 0;
    std::array<std::uint32_t, 2> extra{};  // its most, in five rounds each
    std::uint8_t rounds = 0;
    std::uint8_t now = 0;  // which of the two
  } bunches;

  Deliveries kept;  // while there is no LossState
};

}  // namespace estab::tcp
