// Counts the allocations of the whole process.
#include <cstdlib>
#include <new>

#include "engine/region.h"

namespace {

std::uint64_t allocations = 0;

}  // namespace

void* operator new(std::size_t bytes) {
  ++allocations;
  void* memory = std::malloc(bytes);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace bench_engine {

std::uint64_t HeapAllocations() { return allocations; }

}  // namespace bench_engine
