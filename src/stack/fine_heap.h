// Deadlines that a tick is too coarse for: loss probes, reordering, pacing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/memory.h"
#include "estab/time.h"

namespace estab::stack {

/// A place in the heap; part of what it belongs to.
struct FineNode {
  static constexpr std::uint32_t kNowhere = 0xffffffffu;
  std::uint32_t place = kNowhere;
  bool filed() const { return place != kNowhere; }
};

/// A heap of deadlines, exact to the nanosecond: only connections with something in flight are
/// here. O(log n) to set and to take, O(1) to look. Equal deadlines come in the order in which they
/// were set.
class FineHeap {
 public:
  explicit FineHeap(Memory& memory) : memory_(&memory) {}
  ~FineHeap();
  FineHeap(const FineHeap&) = delete;
  FineHeap& operator=(const FineHeap&) = delete;

  /// Files `node`, or moves it; false without memory for one more.
  bool Arm(FineNode& node, Time deadline);
  void Cancel(FineNode& node);
  bool empty() const { return size_ == 0; }
  /// The earliest; the heap must not be empty.
  FineNode& First() const { return *entries_[0].node; }
  Time FirstDeadline() const { return size_ == 0 ? kNever : entries_[0].deadline; }
  Time DeadlineOf(const FineNode& node) const { return entries_[node.place].deadline; }

 private:
  struct Entry {
    Time deadline;
    std::uint64_t turn;
    FineNode* node;
  };
  bool Grow();
  static bool Before(const Entry& a, const Entry& b) {
    return a.deadline != b.deadline ? a.deadline < b.deadline : a.turn < b.turn;
  }
  void Put(std::uint32_t place, const Entry& entry);
  void Up(std::uint32_t place, const Entry& entry);
  void Down(std::uint32_t place, const Entry& entry);
  void Settle(std::uint32_t place, const Entry& entry);

  Memory* memory_;
  Entry* entries_ = nullptr;
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;
  std::uint64_t turns_ = 0;
};

}  // namespace estab::stack
