// The only object of the core that knows the process's heap.
#include <algorithm>
#include <cstdlib>

#include "estab/allocator.h"

namespace estab {
namespace {

class Heap final : public Allocator {
 public:
  void* Allocate(std::size_t bytes, std::size_t alignment) override {
    alignment = std::max(alignment, alignof(std::max_align_t));
    // aligned_alloc wants a multiple of the alignment.
    const std::size_t rounded = (bytes + alignment - 1) & ~(alignment - 1);
    if (rounded < bytes) return nullptr;
    return std::aligned_alloc(alignment, rounded);
  }
  void Free(void* memory, std::size_t) override { std::free(memory); }
};

constinit Heap heap;  // has no state: not a global in any sense that matters

}  // namespace

Allocator& HeapAllocator() { return heap; }

}  // namespace estab
