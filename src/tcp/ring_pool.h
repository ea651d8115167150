// Memory for scoreboards that outgrow what they bring along.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/memory.h"

namespace estab::tcp {

/// Blocks of memory by size class. Small ones that come back are kept for the next who asks, so
/// that flights that grow and shrink cost the allocator nothing.
class RingPool {
 public:
  /// Bytes of returned blocks that are kept; larger blocks than kLargestKept never are.
  static constexpr std::size_t kKeep = std::size_t{4} << 20;
  static constexpr std::size_t kLargestKept = std::size_t{256} << 10;

  explicit RingPool(Memory& memory) : memory_(&memory) {}
  ~RingPool() { Trim(); }
  RingPool(const RingPool&) = delete;
  RingPool& operator=(const RingPool&) = delete;

  /// `bytes` aligned to a cache line; nullptr when the budget is spent.
  void* Allocate(std::size_t bytes);
  /// Gives back what Allocate gave for the same `bytes`.
  void Free(void* block, std::size_t bytes);
  /// Returns to the budget what is kept.
  void Trim();
  std::size_t kept_bytes() const { return kept_; }

 private:
  struct Kept {
    Kept* next;
    std::size_t bytes;
  };
  static std::size_t ClassOf(std::size_t bytes) {
    return static_cast<std::size_t>(std::bit_width(bytes));
  }

  Memory* memory_;
  std::size_t kept_ = 0;
  std::array<Kept*, 64> free_{};
};

}  // namespace estab::tcp
