#include "base/siphash.h"

namespace estab {
namespace {

// The little-endian number in the `n` (up to 8) bytes at `p`.
std::uint64_t LoadLittle(const std::byte* p, std::size_t n) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < n; ++i) value |= std::to_integer<std::uint64_t>(p[i]) << (8 * i);
  return value;
}

template <int kCompress, int kFinish>
std::uint64_t SipHash(const SipKey& key, std::span<const std::byte> message) {
  SipHasher<kCompress, kFinish> hasher(key);
  const std::size_t size = message.size();
  const std::byte* p = message.data();
  std::size_t left = size;
  for (; left >= 8; left -= 8, p += 8) hasher.Absorb(LoadLittle(p, 8));
  return hasher.Finish(LoadLittle(p, left) | (static_cast<std::uint64_t>(size) << 56));
}

}  // namespace

std::uint64_t SipHash13(const SipKey& key, std::span<const std::byte> message) {
  return SipHash<1, 3>(key, message);
}

std::uint64_t SipHash24(const SipKey& key, std::span<const std::byte> message) {
  return SipHash<2, 4>(key, message);
}

}  // namespace estab
