// A set of small numbers with a fast "which is the next one".
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace estab {

/// A set of numbers below a capacity, kept as a tree of bits with 64 branches: a bit of an upper
/// level says that the word below it is not empty. Every operation touches at most one word a
/// level: four levels for 16 million numbers. The words belong to the caller.
class BitTree {
 public:
  static constexpr unsigned kLevels = 4;

  /// Words that a set of `capacity` numbers needs.
  static constexpr std::size_t WordsFor(std::uint32_t capacity) {
    std::size_t words = 0;
    std::size_t level = capacity;
    do {
      level = (level + 63) / 64;
      words += level;
    } while (level > 1);
    return words;
  }

  /// Begins an empty set in `words`, which must hold WordsFor(capacity). Capacity: 1 to 2^24.
  void Begin(std::uint64_t* words, std::uint32_t capacity) {
    capacity_ = capacity;
    if (capacity <= 64) {
      levels_ = 1;
      level_[0] = words;
      *words = 0;
      return;
    }
    levels_ = 0;
    std::size_t level = capacity;
    do {
      level = (level + 63) / 64;
      level_[levels_++] = words;
      std::memset(words, 0, level * sizeof(*words));
      words += level;
    } while (level > 1);
  }

  /// Makes it the set of all numbers below its capacity.
  void Fill() {
    std::size_t members = capacity_;
    for (unsigned k = 0; k < levels_; ++k) {
      const std::size_t words = (members + 63) / 64;
      std::memset(level_[k], 0xff, words * sizeof(std::uint64_t));
      if (members % 64 != 0) level_[k][words - 1] = (std::uint64_t{1} << members % 64) - 1;
      members = words;
    }
  }

  bool Has(std::uint32_t i) const { return (level_[0][i / 64] >> (i % 64) & 1) != 0; }

  void Add(std::uint32_t i) {
    for (unsigned k = 0; k < levels_; ++k, i /= 64) {
      std::uint64_t& word = level_[k][i / 64];
      const bool was_empty = word == 0;
      word |= std::uint64_t{1} << (i % 64);
      if (!was_empty) return;
    }
  }

  void Remove(std::uint32_t i) {
    for (unsigned k = 0; k < levels_; ++k, i /= 64) {
      std::uint64_t& word = level_[k][i / 64];
      word &= ~(std::uint64_t{1} << (i % 64));
      if (word != 0) return;
    }
  }

  /// The first number of the set that is not below `from`; the capacity if there is none.
  std::uint32_t Next(std::uint32_t from) const {
    std::uint32_t i = from;
    for (unsigned k = 0; k < levels_; ++k) {
      if (i / 64 >= Words(k)) return capacity_;
      const std::uint64_t word = level_[k][i / 64] & (~std::uint64_t{0} << (i % 64));
      if (word != 0) {
        return Descend(k, i / 64 * 64 + static_cast<std::uint32_t>(std::countr_zero(word)));
      }
      i = i / 64 + 1;
    }
    return capacity_;
  }

 private:
  std::uint32_t Words(unsigned level) const {
    std::uint32_t words = capacity_;
    for (unsigned k = 0; k <= level; ++k) words = (words + 63) / 64;
    return words;
  }

  // The first number below bit `i` of `level`.
  std::uint32_t Descend(unsigned level, std::uint32_t i) const {
    while (level-- > 0) {
      i = i * 64 + static_cast<std::uint32_t>(std::countr_zero(level_[level][i]));
    }
    return i;
  }

  std::uint64_t* level_[kLevels] = {};
  std::uint32_t capacity_ = 0;
  unsigned levels_ = 0;
};

}  // namespace estab
