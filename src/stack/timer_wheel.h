// The timing wheel: every timer of every connection, O(1) to set and cancel.
#pragma once

#include <array>
#include <cstddef>
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
/// equal ticks fire in the order in which they were set. Times are not negative. A node must not
/// move, and must be cancelled before it goes.
///
/// A timer's level is the highest base-64 digit in which its tick differs from the base tick, its
/// slot that digit of its own tick. So every timer of a level is earlier than all of the next, and
/// equal ticks always share a slot, which is what keeps them in order.
class TimerWheel {
 public:
  TimerWheel();
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  /// Sets `node` to fire at `deadline`, moving it (behind others of the same tick) if it is armed.
  /// A deadline that is not later than the last time given to PopDue is due at once. Never kNever.
  /// O(1).
  void Arm(TimerNode& node, Time deadline);
  /// O(1); nothing if it is not armed.
  void Cancel(TimerNode& node);
  /// The earliest deadline, exact to the tick; kNever if nothing is armed. O(1) while the earliest
  /// timer is near or unchanged; otherwise it looks through one bucket.
  Time Earliest();
  /// A timer of that deadline; nullptr if nothing is armed.
  TimerNode* First();
  /// Takes the next timer that is due at `now` off the wheel; nullptr if none is. Cascades as it
  /// goes. Amortized O(1).
  TimerNode* PopDue(Time now);
  /// The moment at which a node fires. It must be armed, or have been.
  static Time DeadlineOf(const TimerNode& node);

  std::uint64_t size() const { return size_; }
  /// The latest time given to PopDue.
  Time latest() const { return last_now_; }

 private:
  static constexpr std::size_t kLevels = 8;
  static constexpr std::size_t kSlots = 64;
  static constexpr unsigned kDigitBits = 6;

  struct Bucket {
    std::size_t level;
    std::size_t slot;
  };
  Bucket BucketOf(std::int64_t tick) const;
  bool FirstBucket(Bucket& bucket) const;
  std::int64_t StartOf(const Bucket& bucket) const;
  void Link(TimerNode& node);
  void Unlink(TimerNode& node);
  void Cascade(const Bucket& bucket);

  std::int64_t base_ = 0;          // the base tick: no timer is earlier, and no `now` was
  Time last_now_{};                // the latest time given to PopDue
  TimerNode* champion_ = nullptr;  // an earliest timer, if known
  std::uint64_t size_ = 0;
  std::array<std::uint64_t, kLevels> occupied_{};  // a bit for every slot that is not empty
  std::array<std::array<TimerNode, kSlots>, kLevels> slots_;  // heads of circular lists
};

}  // namespace estab::stack
