// What one ACK has told us about our own segments.
#pragma once

#include <cstdint>

#include "base/seq.h"
#include "estab/time.h"

namespace estab::tcp {

/// What an ACK says of the rate at which data arrives (delivery.h).
struct RateSample {
  bool marked = false;       // something marked has arrived; what follows is of the last sent of it
  bool valid = false;        // and it makes a rate: `delivered` bytes in `interval`
  bool app_limited = false;  // the user kept it low
  std::uint32_t turn = 0;    // SentSegment::turn
  std::uint32_t delivered = 0;
  std::uint32_t prior_delivered = 0;  // bytes delivered when it was sent ...
  Time prior_at{};                    // ... the last of them at this time
  Duration interval{};
  Duration rtt = Duration(-1);  // least round trip of what was sent once only; negative: none
};

/// Gathered while an ACK is taken in; then recovery and congestion control decide by it. Bytes are
/// sequence numbers: a FIN counts as one.
struct AckNews {
  std::uint32_t prior_outstanding = 0;  // before this ACK: sent and not acknowledged,
  SndSeq prior_una;                     // SND.UNA,
  SndSeq prior_highest;                 // and the end of what was SACKed
  std::uint32_t acked = 0;              // newly acknowledged cumulatively
  std::uint32_t sacked = 0;             // newly SACKed
  std::uint32_t delivered = 0;          // newly known to have arrived, by either
  std::uint32_t lost = 0;               // newly found lost
  Duration rtt = Duration(-1);          // of what was sent once only; negative: none
  Duration sack_rtt = Duration(-1);     // likewise, of what was SACKed
  SndSeq late_from;                     // the lowest number that arrived after later ones ...
  bool late = false;                    // ... if there is one
  bool advanced = false;                // SND.UNA moved
  bool acked_repeat = false;            // what was acknowledged cumulatively had been sent again
  bool original = false;         // something sent once, before the time-out, has arrived (F-RTO)
  bool lost_repeat = false;      // a repeat was found lost
  bool duplicate = false;        // RFC 5681 §2: the same ACK once more
  SndSeq dsack_end;              // where that ends
  bool dsack = false;            // it begins with a D-SACK (RFC 2883)
  bool ece = false;              // congestion was experienced on the way
  std::uint32_t prior_pipe = 0;  // bytes in flight before it
  RateSample sample;
  bool has_echo = false;  // it echoes a timestamp of ours:
  std::uint32_t echo = 0;
};

}  // namespace estab::tcp
