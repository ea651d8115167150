#include "stack/timer_wheel.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace estab::stack {
namespace {

constexpr std::int64_t kTick = 1'000'000;  // ns
constexpr std::int64_t kLastTick = INT64_MAX / kTick;

std::int64_t TickBefore(Time time) {
  return std::max<std::int64_t>(time.time_since_epoch().count() / kTick, 0);
}

std::int64_t TickAfter(Time time) {
  const std::int64_t ns = time.time_since_epoch().count();
  return std::min(ns / kTick + (ns % kTick > 0 ? 1 : 0), kLastTick);
}

}  // namespace

TimerWheel::TimerWheel() {
  for (auto& level : slots_) {
    for (TimerNode& head : level) head.prev = head.next = &head;
  }
}

void TimerWheel::Arm(TimerNode& node, Time deadline) {
  ESTAB_CHECK(deadline != kNever);
  Cancel(node);
  std::int64_t tick = TickAfter(deadline);
  // A time that has passed is due now, not at the end of the tick that it fell into.
  if (deadline <= last_now_) tick = std::min(tick, TickBefore(last_now_));
  tick = std::max(tick, base_);
  node.deadline_ms = tick & ((std::int64_t{1} << 55) - 1);
  Link(node);
  ++size_;
  if (size_ == 1 || (champion_ != nullptr && tick < champion_->deadline_ms)) champion_ = &node;
}

void TimerWheel::Cancel(TimerNode& node) {
  if (!node.armed()) return;
  Unlink(node);
  --size_;
  if (champion_ == &node) champion_ = nullptr;
}

Time TimerWheel::Earliest() {
  Bucket bucket;
  if (!FirstBucket(bucket)) return kNever;
  if (champion_ == nullptr) {
    // The first bucket holds the earliest timers, but in a higher level not in their order.
    TimerNode& head = slots_[bucket.level][bucket.slot];
    champion_ = head.next;
    if (bucket.level > 0) {
      for (TimerNode* node = head.next; node != &head; node = node->next) {
        if (node->deadline_ms < champion_->deadline_ms) champion_ = node;
      }
    }
  }
  return DeadlineOf(*champion_);
}

TimerNode* TimerWheel::First() { return Earliest() == kNever ? nullptr : champion_; }

TimerNode* TimerWheel::PopDue(Time now) {
  const std::int64_t tick = TickBefore(now);
  last_now_ = std::max(last_now_, now);
  Bucket bucket;
  while (FirstBucket(bucket)) {
    const std::int64_t start = StartOf(bucket);
    if (start > tick) break;
    base_ = start;
    if (bucket.level > 0) {
      Cascade(bucket);
      continue;
    }
    TimerNode* node = slots_[0][bucket.slot].next;
    Cancel(*node);
    return node;
  }
  // Nothing lies between here and `now`, so every timer's place is right for the new base too.
  base_ = std::max(base_, tick);
  return nullptr;
}

Time TimerWheel::DeadlineOf(const TimerNode& node) {
  return Time(Duration(node.deadline_ms * kTick));
}

TimerWheel::Bucket TimerWheel::BucketOf(std::int64_t tick) const {
  const auto difference = static_cast<std::uint64_t>(tick ^ base_);
  const unsigned level =
      difference == 0 ? 0 : static_cast<unsigned>(std::bit_width(difference) - 1) / kDigitBits;
  const auto slot = static_cast<std::uint64_t>(tick) >> (level * kDigitBits) & (kSlots - 1);
  return {level, static_cast<std::size_t>(slot)};
}

// The earliest bucket that is not empty; false if all are.
bool TimerWheel::FirstBucket(Bucket& bucket) const {
  for (std::size_t level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    bucket = {level, static_cast<std::size_t>(std::countr_zero(occupied_[level]))};
    return true;
  }
  return false;
}

// The first tick of a bucket's span: the base's higher digits, the slot, and zeros.
std::int64_t TimerWheel::StartOf(const Bucket& bucket) const {
  const unsigned shift = static_cast<unsigned>(bucket.level) * kDigitBits;
  const std::uint64_t above = static_cast<std::uint64_t>(base_) >> shift >> kDigitBits;
  return static_cast<std::int64_t>((above << kDigitBits | bucket.slot) << shift);
}

// Puts `node` where its tick belongs, behind those that are there.
void TimerWheel::Link(TimerNode& node) {
  const Bucket bucket = BucketOf(node.deadline_ms);
  TimerNode& head = slots_[bucket.level][bucket.slot];
  node.prev = head.prev;
  node.next = &head;
  head.prev->next = &node;
  head.prev = &node;
  occupied_[bucket.level] |= std::uint64_t{1} << bucket.slot;
}

void TimerWheel::Unlink(TimerNode& node) {
  if (node.prev == node.next) {  // the head on both sides: it was the last
    const Bucket bucket = BucketOf(node.deadline_ms);
    occupied_[bucket.level] &= ~(std::uint64_t{1} << bucket.slot);
  }
  node.prev->next = node.next;
  node.next->prev = node.prev;
  node.prev = node.next = nullptr;
}

// Spreads the bucket that the base has entered over the levels below, in order. They are empty:
// whatever was in them was earlier.
void TimerWheel::Cascade(const Bucket& bucket) {
  TimerNode& head = slots_[bucket.level][bucket.slot];
  TimerNode* node = head.next;
  head.prev = head.next = &head;
  occupied_[bucket.level] &= ~(std::uint64_t{1} << bucket.slot);
  while (node != &head) {
    TimerNode* next = node->next;
    Link(*node);
    node = next;
  }
}

}  // namespace estab::stack
