// Pseudo-random numbers from a seed: for choices that need spread, not secrecy.
#pragma once

#include <cstdint>

namespace estab {

/// A small, fast generator with a 64-bit seed (splitmix64 into xoshiro256**). The same seed gives
/// the same numbers everywhere.
class Prng {
 public:
  explicit Prng(std::uint64_t seed);
  std::uint64_t Next();
  /// Uniform in [0, bound), without bias; bound > 0.
  std::uint64_t Below(std::uint64_t bound);
  /// True in `parts` of `whole` cases.
  bool Chance(std::uint64_t parts, std::uint64_t whole) { return Below(whole) < parts; }

 private:
  std::uint64_t state_[4];
};

}  // namespace estab
