// Memory of the kernel's or of our own, mapped, with an owner.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <utility>

namespace estab::io {

/// Unmaps its memory when it goes. Move-only.
class Mapping {
 public:
  Mapping() = default;
  /// As mmap, at any address, readable and writable; not valid if that failed (errno says why).
  Mapping(std::size_t size, int flags, int fd) : size_(size) {
    void* at = mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd, 0);
    at_ = at == MAP_FAILED ? nullptr : static_cast<std::byte*>(at);
  }
  Mapping(Mapping&& other) noexcept
      : at_(std::exchange(other.at_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(at_, other.at_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Mapping() {
    if (at_ != nullptr) munmap(at_, size_);
  }

  bool valid() const { return at_ != nullptr; }
  std::byte* data() const { return at_; }
  std::size_t size() const { return size_; }

 private:
  std::byte* at_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace estab::io
