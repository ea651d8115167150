// An index from a keyed hash to a 32-bit value: 8 bytes an entry, grown a few entries at a time.
#pragma once

#include <cstdint>

#include "base/memory.h"
#include "base/prefetch.h"

namespace estab {

/// Open addressing with linear probing over {hash32, value32}; at most half full. Growing makes a
/// second table twice the size and moves a few entries with every Insert and Erase, so that no
/// single call pays for it. The hash must be keyed (siphash.h): its low bits choose the place.
/// Values are the caller's (a slot and what kind of thing it is); 0xffffffff is not a value.
class HashIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffffffffu;

  /// Takes nothing from `memory` before the first Insert. `memory` must outlive the index.
  explicit HashIndex(Memory& memory) : memory_(&memory) {}
  ~HashIndex();
  HashIndex(const HashIndex&) = delete;
  HashIndex& operator=(const HashIndex&) = delete;

  /// The first value under `hash` for which `equal(value)` holds; kNone if there is none.
  template <class Equal>
  std::uint32_t Find(std::uint32_t hash, Equal&& equal) const {
    const std::uint32_t found = FindIn(current_, hash, equal);
    if (found != kNone || old_.entries == nullptr) return found;
    return FindIn(old_, hash, equal);
  }
  /// Adds an entry; equal hashes may occur many times. False when memory is refused and there is no
  /// room left.
  bool Insert(std::uint32_t hash, std::uint32_t value);
  /// Removes the entry with exactly this hash and value; false if there is none.
  bool Erase(std::uint32_t hash, std::uint32_t value);
  /// Replaces `value` under `hash` by `other` in place (a record that becomes another kind); false
  /// if there is none. Never needs memory.
  bool Replace(std::uint32_t hash, std::uint32_t value, std::uint32_t other);
  /// Brings the place of `hash` into the cache.
  void Prefetch(std::uint32_t hash) const {
    if (current_.entries != nullptr) estab::Prefetch(&current_.entries[hash & current_.mask]);
  }
  /// What most likely stands under `hash`; kNone if that is not to be seen at a glance.
  std::uint32_t Guess(std::uint32_t hash) const {
    if (current_.entries == nullptr) return kNone;
    const Entry& entry = current_.entries[hash & current_.mask];
    return entry.hash == hash ? entry.value : kNone;
  }

  std::uint32_t size() const { return size_; }
  /// Places of the table that new entries go to; 0 before the first.
  std::uint32_t capacity() const { return current_.entries == nullptr ? 0 : current_.mask + 1; }

 private:
  struct Entry {
    std::uint32_t hash;
    std::uint32_t value;  // kNone: the place is empty
  };
  static_assert(sizeof(Entry) == 8);
  struct Table {
    Entry* entries = nullptr;
    std::uint32_t mask = 0;  // capacity - 1
  };

  template <class Equal>
  static std::uint32_t FindIn(const Table& table, std::uint32_t hash, Equal& equal) {
    if (table.entries == nullptr) return kNone;
    for (std::uint32_t i = hash & table.mask;; i = (i + 1) & table.mask) {
      const Entry& entry = table.entries[i];
      if (entry.value == kNone) return kNone;
      if (entry.hash == hash && equal(entry.value)) return entry.value;
    }
  }
  static Entry* Locate(const Table& table, std::uint32_t hash, std::uint32_t value);
  static void Put(const Table& table, Entry entry);
  static void RemoveAt(const Table& table, std::uint32_t index);
  bool MakeRoom();
  bool AllocateTable(Table& table, std::uint32_t capacity);
  void FreeTable(Table& table);
  void ClearSome(std::uint32_t places);
  void MoveSome(std::uint32_t steps);
  void Work();

  // A table lives three lives: as `next_` its places are being marked empty, as `current_` it takes
  // new entries, as `old_` its entries are moved away, lowest place first.
  Memory* memory_;
  Table current_;
  Table old_;
  Table next_;
  std::uint32_t moved_ = 0;    // places of old_ below this one are empty
  std::uint32_t cleared_ = 0;  // places of next_ below this one are marked empty
  std::uint32_t size_ = 0;
};

}  // namespace estab
