#include "base/memory.h"

#include "base/check.h"

namespace estab {

void* Memory::Allocate(std::size_t bytes, std::size_t alignment) {
  // The limit may have been set below what is in use.
  if (bytes > limit_ || used_ > limit_ - bytes) {
    ++refusals_;
    return nullptr;
  }
  void* memory = allocator_->Allocate(bytes, alignment);
  if (memory == nullptr) {
    ++refusals_;
    return nullptr;
  }
  used_ += bytes;
  return memory;
}

void Memory::Free(void* memory, std::size_t bytes) {
  ESTAB_CHECK(bytes <= used_);
  used_ -= bytes;
  allocator_->Free(memory, bytes);
}

}  // namespace estab
