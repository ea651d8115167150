// The one way in which the engine gets memory.
#pragma once

#include <cstddef>

namespace estab {

/// Gives the engine its memory, in slabs of some kibibytes. Must outlive the stack that uses it.
/// Called only from the thread that is inside the stack.
class Allocator {
 public:
  /// `bytes` bytes aligned to `alignment` (a power of two up to 4096), or nullptr. Must not throw.
  virtual void* Allocate(std::size_t bytes, std::size_t alignment) = 0;
  /// Gives back what Allocate returned for the same `bytes`.
  virtual void Free(void* memory, std::size_t bytes) = 0;

 protected:
  ~Allocator() = default;
};

/// The process's heap. The only object of the core that allocates from it.
Allocator& HeapAllocator();

}  // namespace estab
