// Keyed hashes: SipHash, which an outsider cannot steer without the key.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace estab {

using SipKey = std::array<std::uint8_t, 16>;

/// SipHash-1-3: for tables.
std::uint64_t SipHash13(const SipKey& key, std::span<const std::byte> message);
/// SipHash-2-4: for what the wire shows (ISNs, timestamps, cookies).
std::uint64_t SipHash24(const SipKey& key, std::span<const std::byte> message);

/// SipHash-c-d (Aumasson, Bernstein 2012), fed with words: c rounds each, d rounds at the end.
template <int kCompress, int kFinish>
class SipHasher {
 public:
  explicit constexpr SipHasher(const SipKey& key) {
    const std::uint64_t k0 = LoadKey(key, 0);
    const std::uint64_t k1 = LoadKey(key, 8);
    v0_ = k0 ^ 0x736f6d6570736575u;
    v1_ = k1 ^ 0x646f72616e646f6du;
    v2_ = k0 ^ 0x6c7967656e657261u;
    v3_ = k1 ^ 0x7465646279746573u;
  }
  constexpr void Absorb(std::uint64_t word) {
    v3_ ^= word;
    for (int i = 0; i < kCompress; ++i) Round();
    v0_ ^= word;
  }
  /// `last`: the bytes left over and, in its highest byte, the message's size modulo 256.
  constexpr std::uint64_t Finish(std::uint64_t last) {
    Absorb(last);
    v2_ ^= 0xff;
    for (int i = 0; i < kFinish; ++i) Round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  static constexpr std::uint64_t LoadKey(const SipKey& key, std::size_t at) {
    const auto words = std::bit_cast<std::array<std::uint64_t, 2>>(key);
    const std::uint64_t word = words[at / 8];
    return std::endian::native == std::endian::little ? word : std::byteswap(word);
  }
  constexpr void Round() {
    v0_ += v1_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v3_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ += v3_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ += v1_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v2_ = std::rotl(v2_, 32);
  }
  std::uint64_t v0_, v1_, v2_, v3_;
};

/// The same of a message of whole words, each of which stands for its eight bytes, lowest first.
template <std::size_t kWords>
constexpr std::uint64_t SipHash13(const SipKey& key,
                                  const std::array<std::uint64_t, kWords>& message) {
  SipHasher<1, 3> hasher(key);
  for (const std::uint64_t word : message) hasher.Absorb(word);
  return hasher.Finish(std::uint64_t{8 * kWords} << 56);
}
template <std::size_t kWords>
constexpr std::uint64_t SipHash24(const SipKey& key,
                                  const std::array<std::uint64_t, kWords>& message) {
  SipHasher<2, 4> hasher(key);
  for (const std::uint64_t word : message) hasher.Absorb(word);
  return hasher.Finish(std::uint64_t{8 * kWords} << 56);
}

}  // namespace estab
