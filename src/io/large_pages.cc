#include "estab/large_pages.h"

#include <sys/mman.h>

#include <cstdint>

namespace estab {
namespace {

constexpr std::size_t kLeast = std::size_t{1} << 20;
constexpr std::size_t kLargePage = std::size_t{2} << 20;

constexpr std::size_t RoundUp(std::size_t bytes) {
  return (bytes + kLargePage - 1) & ~(kLargePage - 1);
}

// Whole large pages. The mapping is made a page longer, and what stands out at either end is given
// back.
void* Map(std::size_t bytes) {
  const std::size_t size = RoundUp(bytes);
  if (size < bytes || size + kLargePage < size) return nullptr;
  void* mapping =
      mmap(nullptr, size + kLargePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) return nullptr;
  auto* const begin = static_cast<std::byte*>(mapping);
  const std::size_t before =
      RoundUp(reinterpret_cast<std::uintptr_t>(begin)) - reinterpret_cast<std::uintptr_t>(begin);
  if (before != 0) munmap(begin, before);
  munmap(begin + before + size, kLargePage - before);
  madvise(begin + before, size, MADV_HUGEPAGE);  // without it the pages are small: no error
  return begin + before;
}

class LargePages final : public Allocator {
 public:
  void* Allocate(std::size_t bytes, std::size_t alignment) override {
    return bytes < kLeast ? HeapAllocator().Allocate(bytes, alignment) : Map(bytes);
  }
  void Free(void* memory, std::size_t bytes) override {
    if (bytes < kLeast) return HeapAllocator().Free(memory, bytes);
    munmap(memory, RoundUp(bytes));
  }
};

constinit LargePages large_pages;

}  // namespace

Allocator& LargePageAllocator() { return large_pages; }

}  // namespace estab
