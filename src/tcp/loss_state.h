// What loss recovery remembers while something is in flight.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/seq.h"
#include "estab/time.h"
#include "tcp/congestion/scratch.h"
#include "tcp/deliveries.h"
#include "tcp/flight.h"
#include "tcp/sent_marks.h"

namespace estab::tcp {

/// A Flight and what has been learned about it.
struct LossState {
  Flight flight;

  // --- RACK (RFC 8985 §5.2) ---
  struct {
    Duration rtt{};            // of what arrived last; 0: nothing was delivered yet
    std::uint8_t steps = 1;    // the reordering window, in quarters of the least round trip
    std::uint8_t persist = 0;  // recoveries for which a widened window lasts
    bool widened = false;      // once in this round ...
    SndSeq widened_until;      // ... which ends here
  } rack;

  // --- The tail loss probe (RFC 8985 §7) ---
  struct {
    bool out = false;      // one is under way:
    bool repeats = false;  // it repeats a segment (else it was new data)
    SndSeq end;            // SND.NXT when it went out ...
    Time sent_at{};        // ... at this time
  } probe;

  // --- The probe for a larger MTU (RFC 4821) ---
  struct {
    std::uint16_t size = 0;  // of the packet; 0: none is under way
    SndSeq begin;
    SndSeq end;
  } mtu_probe;

  // --- One episode of recovery (Linux: tcp_init_cwnd_reduction, tcp_init_undo) ---
  std::uint32_t prior_cwnd = 0;
  std::uint32_t prior_ssthresh = 0;
  std::uint32_t prr_delivered = 0;
  std::uint32_t prr_out = 0;
  bool tail_lost = false;            // a tail loss probe has brought the loss to light
  bool may_undo = false;             // what follows is meaningful:
  bool repeats_unexplained = false;  // nothing has been repeated yet (Linux: undo_retrans -1)
  bool frto = false;                 // RFC 5682: is this time-out spurious?
  bool new_data_first = false;       // F-RTO asks for new data before it repeats
  SndSeq undo_from;                  // SND.UNA as of the reduction
  std::uint32_t undo_repeats = 0;    // repeats that no D-SACK has shown to be needless
  std::uint32_t forgiven = 0;        // repairs in flight of what was not lost after all
  bool reneged = false;              // what was SACKed is lost again: it may arrive a second time
  bool repeated = false;             // something of this flight was sent again ...
  std::uint32_t repeated_stamp = 0;  // ... first when our timestamp clock said this

  // --- The RTT's deviation (Linux: tcp_rtt_estimator) ---
  std::uint32_t mdev4_most = 0;  // its most in this round trip ...
  bool round_begun = false;
  SndSeq round_end;  // ... which ends here

  SndSeq repeat_from;            // a lost segment is repeated in parts: the next begins here
  std::uint32_t duplicates = 0;  // duplicate ACKs of a peer without SACK

  // --- How the window is used (Linux: tcp_cwnd_validate) ---
  struct {
    bool limited = false;    // it was the limit in this round trip ...
    SndSeq round_end;        // ... which ends here
    std::uint32_t most = 0;  // else the most that was outstanding in it ...
    std::uint32_t used = 0;  // ... and since the window was adapted to that
  } use;

  CongestionScratch congestion;

  Deliveries deliveries;
  SentMarks marks;

  // --- Pacing (pacing.h) ---
  struct {
    Time next{};             // nothing goes before, but for the rest of the burst ...
    Time burst_at{};         // ... that began now, if it did
    Duration credit{};       // by which that burst came later than it could have
    std::uint32_t left = 0;  // bytes of it
  } pace;

  // --- Deadlines, finer than the wheel's ticks; kNever when unset ---
  Time probe_at = kNever;
  Time reorder_at = kNever;
  Time pace_at = kNever;
  /// The earliest of them.
  Time deadline() const { return std::min({probe_at, reorder_at, pace_at}); }
};

}  // namespace estab::tcp
