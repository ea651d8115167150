// Guessing a TCP's state from the segments that it sends and receives.
#pragma once

#include <cstdint>
#include <optional>

#include "estab/observer.h"
#include "estab/rule.h"

namespace estab::observe {

/// Follows one end of one connection from outside. What it says is what a well-behaved TCP would be
/// in; it cannot see calls, timers or segments that got lost. Begins in CLOSED, or in LISTEN as
/// soon as a SYN arrives there.
class PeerInference {
 public:
  struct Change {
    State from;
    State to;
  };

  /// It sent `segment`; the change of its state, if that shows one.
  std::optional<Change> Sent(const SegmentSummary& segment);
  /// `segment` reached it.
  std::optional<Change> Received(const SegmentSummary& segment);

  State state() const { return state_; }

 private:
  std::optional<Change> MoveTo(State state);
  bool AcksItsFin(const SegmentSummary& received) const;
  bool AcksTheFin(const SegmentSummary& sent) const;
  std::optional<Change> SentFin(const SegmentSummary& segment);

  State state_ = State::kClosed;
  std::optional<std::uint32_t> its_fin_end_;    // the number that acknowledges its FIN
  std::optional<std::uint32_t> other_fin_end_;  // the number with which it acknowledges the other's
};

}  // namespace estab::observe
