// Memory that will be wanted soon.
#pragma once

#include <cstddef>

namespace estab {

/// Asks for the cache line at `address`, which need not be valid, and does not wait for it.
inline void Prefetch(const void* address) {
  __builtin_prefetch(address);
  // GCC takes a function that does nothing else for one without effect, and drops its calls.
  asm volatile("");
}

/// The same for all lines of `size` bytes.
inline void Prefetch(const void* address, std::size_t size) {
  constexpr std::size_t kLine = 64;
  const auto* const bytes = static_cast<const std::byte*>(address);
#pragma GCC unroll 8
  for (std::size_t at = 0; at < size; at += kLine) Prefetch(bytes + at);
}

}  // namespace estab
