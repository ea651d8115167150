// Copying and summing bytes, as fast as this machine can: the inner loops of every segment.
#pragma once

#include <cstddef>
#include <cstdint>

namespace estab {

/// Copies `size` bytes from `from` to `to`; they do not overlap.
void CopyBytes(std::byte* to, const std::byte* from, std::size_t size);

/// The bytes as 16-bit words in this machine's order, the last one filled up with a zero byte,
/// summed in one's complement (RFC 1071 §2): congruent to their sum modulo 65535, and zero only if
/// all of them are.
std::uint64_t SumBytes(const std::byte* bytes, std::size_t size);

/// Both in one pass.
std::uint64_t CopyAndSum(std::byte* to, const std::byte* from, std::size_t size);

}  // namespace estab
