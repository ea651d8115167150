#include "tcp/ring_pool.h"

#include <new>

namespace estab::tcp {
namespace {

constexpr std::size_t kAlignment = 64;

}  // namespace

void* RingPool::Allocate(std::size_t bytes) {
  Kept*& first = free_[ClassOf(bytes)];
  if (first == nullptr || first->bytes != bytes) return memory_->Allocate(bytes, kAlignment);
  Kept* block = first;
  first = block->next;
  kept_ -= bytes;
  return block;
}

void RingPool::Free(void* block, std::size_t bytes) {
  if (bytes > kLargestKept || kept_ + bytes > kKeep) return memory_->Free(block, bytes);
  Kept*& first = free_[ClassOf(bytes)];
  first = ::new (block) Kept{first, bytes};
  kept_ += bytes;
}

void RingPool::Trim() {
  for (Kept*& first : free_) {
    while (first != nullptr) {
      Kept* block = first;
      first = block->next;
      memory_->Free(block, block->bytes);
    }
  }
  kept_ = 0;
}

}  // namespace estab::tcp
