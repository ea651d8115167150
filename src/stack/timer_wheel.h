// The timing wheel: every timer of every connection, O(1) to set and cancel.
#pragma once

#include <array>
#include <cstdint>

#include "estab/time.h"

namespace estab::stack {

/// A timer's place in the wheel; part of what it belongs to. 24 bytes.
struct TimerNode {
  TimerNode* prev = nullptr;
  TimerNode* next = nullptr;
  std::int64_t deadline_ms : 56 = 0;  // in wheel ticks
  std::int64_t kind : 8 = 0;          // the owner's type, for whoever fires it
  bool armed() const { return next != nullptr; }
};
static_assert(sizeof(TimerNode) == 24);

/// A hierarchical wheel with ticks of 1 ms: level k holds deadlines whose distance needs k more
/// digits of base 64, eight levels (2^48 ms). A deadline between ticks is rounded up. Timers of
/// equal ticks fire in the order in which they were set.
class TimerWheel {
 public:
  TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  /// Sets `node` to fire at `deadline` (at the next tick if that has passed), moving it if it is
  /// armed. O(1).
  void Arm(TimerNode& node, Time deadline);
  /// O(1); nothing if it is not armed.
  void Cancel(TimerNode& node);
  /// The earliest deadline, exact to the tick; kNever if nothing is armed. O(1) while the earliest
  /// timer is near or unchanged; otherwise it looks through one bucket.
  Time Earliest();
  /// Takes the next timer that is due at `now` off the wheel; nullptr if none is. Cascades as it
  /// goes. Amortized O(1).
  TimerNode* PopDue(Time now);
  /// The moment at which a node fires.
  static Time DeadlineOf(const TimerNode& node);

  std::uint64_t size() const { return size_; }

 private:
  std::uint64_t size_ = 0;
};

}  // namespace estab::stack
