// The budget: every byte the core holds is asked for here.
#pragma once

#include <cstddef>
#include <cstdint>

#include "estab/allocator.h"

namespace estab {

/// An allocator with a limit. Refuses (nullptr) what would go beyond it.
class Memory {
 public:
  explicit Memory(Allocator& allocator) : allocator_(&allocator) {}
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  /// `bytes` aligned to `alignment`, or nullptr when the limit or the allocator says no.
  void* Allocate(std::size_t bytes, std::size_t alignment);
  void Free(void* memory, std::size_t bytes);

  std::uint64_t used() const { return used_; }
  std::uint64_t limit() const { return limit_; }
  void set_limit(std::uint64_t limit) { limit_ = limit; }
  /// How often it has refused.
  std::uint64_t refusals() const { return refusals_; }

 private:
  Allocator* allocator_;
  std::uint64_t used_ = 0;
  std::uint64_t limit_ = UINT64_MAX;
  std::uint64_t refusals_ = 0;
};

}  // namespace estab
