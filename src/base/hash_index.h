// An index from a keyed hash to a 32-bit value: 8 bytes an entry, grown a few entries at a time.
#pragma once

#include <cstdint>

#include "base/memory.h"

namespace estab {

/// Open addressing with linear probing over {hash32, value32}; at most half full. Growing makes a
/// second table twice the size and moves a few entries with every Insert and Erase, so that no
/// single call pays for it. The hash must be keyed (siphash.h): its low bits choose the place.
/// Values are the caller's (a slot and what kind of thing it is); 0xffffffff is not a value.
class HashIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffffffffu;

  explicit HashIndex(Memory& memory) : memory_(&memory) {}
  ~HashIndex();
  HashIndex(const HashIndex&) = delete;
  HashIndex& operator=(const HashIndex&) = delete;

  /// The first value under `hash` for which `equal(value)` holds; kNone if there is none.
  template <class Equal>
  std::uint32_t Find(std::uint32_t hash, Equal&& equal) const;
  /// Adds an entry; equal hashes may occur many times. False when memory is refused and there is no
  /// room left.
  bool Insert(std::uint32_t hash, std::uint32_t value);
  /// Removes the entry with exactly this hash and value; false if there is none.
  bool Erase(std::uint32_t hash, std::uint32_t value);
  /// Replaces `value` under `hash` by `other` in place (a record that becomes another kind); false
  /// if there is none. Never needs memory.
  bool Replace(std::uint32_t hash, std::uint32_t value, std::uint32_t other);
  /// Brings the place of `hash` into the cache.
  void Prefetch(std::uint32_t hash) const;

  std::uint32_t size() const { return size_; }

 private:
  struct Entry {
    std::uint32_t hash;
    std::uint32_t value;
  };
  static_assert(sizeof(Entry) == 8);

  Memory* memory_;
  std::uint32_t size_ = 0;
};

}  // namespace estab
