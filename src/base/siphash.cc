// SipHash-c-d (Aumasson, Bernstein 2012): c rounds per 8 bytes, d rounds at the end.
#include "base/siphash.h"

#include <bit>

namespace estab {
namespace {

struct State {
  std::uint64_t v0, v1, v2, v3;

  void Round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
};

// The little-endian number in the `n` (up to 8) bytes at `p`.
template <class Byte>
std::uint64_t LoadLittle(const Byte* p, std::size_t n) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < n; ++i) value |= static_cast<std::uint64_t>(p[i]) << (8 * i);
  return value;
}

template <int kCompress, int kFinish>
std::uint64_t SipHash(const SipKey& key, std::span<const std::byte> message) {
  const std::uint64_t k0 = LoadLittle(key.data(), 8);
  const std::uint64_t k1 = LoadLittle(key.data() + 8, 8);
  State s{k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u,
          k1 ^ 0x7465646279746573u};
  const auto absorb = [&s](std::uint64_t word) {
    s.v3 ^= word;
    for (int i = 0; i < kCompress; ++i) s.Round();
    s.v0 ^= word;
  };
  const std::size_t size = message.size();
  const std::byte* p = message.data();
  std::size_t left = size;
  for (; left >= 8; left -= 8, p += 8) absorb(LoadLittle(p, 8));
  absorb(LoadLittle(p, left) | (static_cast<std::uint64_t>(size) << 56));
  s.v2 ^= 0xff;
  for (int i = 0; i < kFinish; ++i) s.Round();
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

}  // namespace

std::uint64_t SipHash13(const SipKey& key, std::span<const std::byte> message) {
  return SipHash<1, 3>(key, message);
}

std::uint64_t SipHash24(const SipKey& key, std::span<const std::byte> message) {
  return SipHash<2, 4>(key, message);
}

}  // namespace estab
