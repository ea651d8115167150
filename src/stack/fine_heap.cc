#include "stack/fine_heap.h"

#include <cstring>

namespace estab::stack {

FineHeap::~FineHeap() {
  if (entries_ != nullptr) memory_->Free(entries_, capacity_ * sizeof(Entry));
}

bool FineHeap::Grow() {
  const std::uint32_t capacity = capacity_ == 0 ? 64 : capacity_ * 2;
  void* place = memory_->Allocate(capacity * sizeof(Entry), alignof(Entry));
  if (place == nullptr) return false;
  if (entries_ != nullptr) {
    std::memcpy(place, entries_, size_ * sizeof(Entry));
    memory_->Free(entries_, capacity_ * sizeof(Entry));
  }
  entries_ = static_cast<Entry*>(place);
  capacity_ = capacity;
  return true;
}

void FineHeap::Put(std::uint32_t place, const Entry& entry) {
  entries_[place] = entry;
  entry.node->place = place;
}

void FineHeap::Up(std::uint32_t place, const Entry& entry) {
  while (place != 0) {
    const std::uint32_t parent = (place - 1) / 2;
    if (!Before(entry, entries_[parent])) break;
    Put(place, entries_[parent]);
    place = parent;
  }
  Put(place, entry);
}

void FineHeap::Down(std::uint32_t place, const Entry& entry) {
  for (;;) {
    std::uint32_t child = 2 * place + 1;
    if (child >= size_) break;
    if (child + 1 < size_ && Before(entries_[child + 1], entries_[child])) ++child;
    if (!Before(entries_[child], entry)) break;
    Put(place, entries_[child]);
    place = child;
  }
  Put(place, entry);
}

void FineHeap::Settle(std::uint32_t place, const Entry& entry) {
  const bool rises = place != 0 && Before(entry, entries_[(place - 1) / 2]);
  return rises ? Up(place, entry) : Down(place, entry);
}

bool FineHeap::Arm(FineNode& node, Time deadline) {
  const Entry entry{deadline, turns_++, &node};
  if (node.filed()) {
    Settle(node.place, entry);
    return true;
  }
  if (size_ == capacity_ && !Grow()) return false;
  Up(size_++, entry);
  return true;
}

void FineHeap::Cancel(FineNode& node) {
  if (!node.filed()) return;
  const std::uint32_t place = node.place;
  node.place = FineNode::kNowhere;
  const Entry last = entries_[--size_];
  if (place != size_) Settle(place, last);
}

}  // namespace estab::stack
