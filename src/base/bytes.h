// Numbers in network order, read from and written to bytes of any alignment.
#pragma once

#include <cstddef>
#include <cstdint>

namespace estab {

/// The big-endian number in the two bytes at `p`.
constexpr std::uint16_t Load16(const std::byte* p) {
  return static_cast<std::uint16_t>((std::to_integer<unsigned>(p[0]) << 8) |
                                    std::to_integer<unsigned>(p[1]));
}
/// The big-endian number in the four bytes at `p`.
constexpr std::uint32_t Load32(const std::byte* p) {
  return (std::to_integer<std::uint32_t>(p[0]) << 24) |
         (std::to_integer<std::uint32_t>(p[1]) << 16) |
         (std::to_integer<std::uint32_t>(p[2]) << 8) | std::to_integer<std::uint32_t>(p[3]);
}
/// The big-endian number in the eight bytes at `p`.
constexpr std::uint64_t Load64(const std::byte* p) {
  return (std::uint64_t{Load32(p)} << 32) | Load32(p + 4);
}

/// Writes `value` big-endian into the two bytes at `p`.
constexpr void Store16(std::byte* p, std::uint16_t value) {
  p[0] = static_cast<std::byte>(value >> 8);
  p[1] = static_cast<std::byte>(value);
}
/// Writes `value` big-endian into the four bytes at `p`.
constexpr void Store32(std::byte* p, std::uint32_t value) {
  p[0] = static_cast<std::byte>(value >> 24);
  p[1] = static_cast<std::byte>(value >> 16);
  p[2] = static_cast<std::byte>(value >> 8);
  p[3] = static_cast<std::byte>(value);
}
/// Writes `value` big-endian into the eight bytes at `p`.
constexpr void Store64(std::byte* p, std::uint64_t value) {
  Store32(p, static_cast<std::uint32_t>(value >> 32));
  Store32(p + 4, static_cast<std::uint32_t>(value));
}

}  // namespace estab
