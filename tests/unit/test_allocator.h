// An allocator that counts, checks what it is given back, and can be told to refuse.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <unordered_map>

#include "estab/allocator.h"

namespace estab::test {

class TestAllocator final : public Allocator {
 public:
  void* Allocate(std::size_t bytes, std::size_t alignment) override {
    if (calls_++ == fail_at_) return nullptr;
    const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    void* memory = std::aligned_alloc(alignment, rounded);
    if (memory == nullptr) return nullptr;
    // Nobody may count on zeros, nor read what is given back.
    std::memset(memory, 0x5a, rounded);
    sizes_[memory] = bytes;
    return memory;
  }
  void Free(void* memory, std::size_t bytes) override {
    const auto found = sizes_.find(memory);
    if (found == sizes_.end() || found->second != bytes) std::abort();
    sizes_.erase(found);
    std::memset(memory, 0xa5, bytes);
    std::free(memory);
  }

  /// Refuses the call number `n`, counted from 0.
  void FailAt(std::uint64_t n) { fail_at_ = n; }
  std::uint64_t calls() const { return calls_; }
  std::size_t outstanding() const { return sizes_.size(); }

 private:
  std::uint64_t calls_ = 0;
  std::uint64_t fail_at_ = UINT64_MAX;
  std::unordered_map<void*, std::size_t> sizes_;
};

}  // namespace estab::test
