#include "base/prng.h"

#include <bit>

namespace estab {

Prng::Prng(std::uint64_t seed) {
  for (std::uint64_t& word : state_) {
    // splitmix64 (Steele, Lea, Flood 2014): four words, never all zero.
    seed += 0x9e3779b97f4a7c15u;
    std::uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    word = z ^ (z >> 31);
  }
}

std::uint64_t Prng::Next() {
  // xoshiro256** (Blackman, Vigna 2018).
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Prng::Below(std::uint64_t bound) {
  // 2^64 mod bound: numbers below it would make some results likelier than others.
  const std::uint64_t surplus = (0 - bound) % bound;
  std::uint64_t n = Next();
  while (n < surplus) n = Next();
  return n % bound;
}

}  // namespace estab
