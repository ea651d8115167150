// An index from a keyed hash to a 32-bit value: 8 bytes an entry, grown a few entries at a time.
#pragma once

#include <array>
#include <cstdint>

#include "base/memory.h"
#include "base/prefetch.h"
#include "base/slab.h"

namespace estab {

/// Open addressing with linear probing over {hash32, value32}, in segments of 512 places, each a
/// table of its own. A hash belongs to a segment by its rank among all hashes. To grow, the hashes
/// are spread over a quarter more segments, lowest first, a part of a segment now and then as
/// entries come in: so no call pays for all, entries take 12 to 15 bytes at any size (beyond the
/// first segment), and no second table stands beside the first.
///
/// The hash must be keyed (siphash.h), or be known not to collide: some four hundred entries under
/// one hash are all that there is room for. Values are the caller's (a slot and what kind of thing
/// it is); 0xffffffff is not a value.
class HashIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffffffffu;

  /// Takes nothing from `memory` before the first Insert. `memory` must outlive the index.
  explicit HashIndex(Memory& memory) : memory_(&memory), segments_(memory) {}
  ~HashIndex();
  HashIndex(const HashIndex&) = delete;
  HashIndex& operator=(const HashIndex&) = delete;

  /// The first value under `hash` for which `equal(value)` holds; kNone if there is none.
  template <class Equal>
  std::uint32_t Find(std::uint32_t hash, Equal&& equal) const {
    if (size_ == 0) return kNone;
    const Segment& segment = *HomeOf(hash).segment;
    for (std::uint32_t i = FirstPlace(hash);; i = Next(i)) {
      const Entry& entry = segment.entries[i];
      if (entry.value == kNone) return kNone;
      if (entry.hash == hash && equal(entry.value)) return entry.value;
    }
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
    if (size_ != 0) estab::Prefetch(&HomeOf(hash).segment->entries[FirstPlace(hash)]);
  }
  /// What most likely stands under `hash`; kNone if that is not to be seen at a glance.
  std::uint32_t Guess(std::uint32_t hash) const {
    const auto any = [](std::uint32_t) { return true; };
    return Find(hash, any);
  }

  std::uint32_t size() const { return size_; }
  /// Places there are, those that are being left counted once.
  std::uint32_t capacity() const { return current_.count * kPlaces; }

 private:
  static constexpr std::uint32_t kPlaces = 512;

  struct Entry {
    std::uint32_t hash;
    std::uint32_t value;  // kNone: the place is empty
  };
  static_assert(sizeof(Entry) == 8);
  struct alignas(64) Segment {
    Segment() { entries.fill({0, kNone}); }
    std::array<Entry, kPlaces> entries;
  };
  // A segment at its rank.
  struct Seat {
    Segment* segment = nullptr;
    std::uint32_t slot = kNoSlot;  // of segments_
    std::uint32_t taken = 0;       // places, those of entries that have moved on included
  };
  struct Table {
    Seat* seats = nullptr;
    std::uint32_t count = 0;
  };

  // Hashes in an order of their own, in which even small numbers lie far apart. It is another one
  // than that by which a group of stacks divides them (stack/demux.h: ShardOf), or each stack's
  // would crowd into a part of its segments.
  static std::uint32_t Order(std::uint32_t hash) { return hash * 0x85ebca6bu; }
  static std::uint32_t Rank(const Table& table, std::uint32_t order) {
    return static_cast<std::uint32_t>(std::uint64_t{order} * table.count >> 32);
  }
  static std::uint32_t FirstPlace(std::uint32_t hash) { return hash % kPlaces; }
  static std::uint32_t Next(std::uint32_t place) { return (place + 1) % kPlaces; }
  // Where entries of that hash are: what comes before the frontier has moved on.
  Seat& HomeOf(std::uint32_t hash) const {
    const std::uint32_t order = Order(hash);
    const Table& table = order < frontier_ ? next_ : current_;
    // A frontier beyond 0 means that there is a next table.
    // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.UndefReturn)
    return table.seats[Rank(table, order)];
  }
  // A segment of the next table takes over its entries in so many parts.
  static constexpr std::uint32_t kParts = 4;
  // The first order that belongs to a rank; that belongs to a part, of all parts of a table.
  static std::uint64_t Begin(const Table& table, std::uint32_t rank) {
    return BeginPart(table, rank * kParts);
  }
  static std::uint64_t BeginPart(const Table& table, std::uint32_t part) {
    const std::uint64_t parts = std::uint64_t{table.count} * kParts;
    return ((std::uint64_t{part} << 32) + parts - 1) / parts;
  }

  static void Put(Seat& seat, Entry entry);
  static void RemoveAt(Segment& segment, std::uint32_t place);
  Entry* Locate(std::uint32_t hash, std::uint32_t value) const;
  bool MakeTable(Table& table, std::uint32_t count);
  void FreeTable(Table& table);
  bool AddSegment(Seat& seat);
  bool BeginGrowing();
  bool MovePart();
  bool MakeRoom(std::uint32_t hash);

  Memory* memory_;
  Slab<Segment, 1> segments_;
  Table current_;
  Table next_;                  // while it grows
  std::uint64_t frontier_ = 0;  // entries whose order lies before it are in next_
  std::uint32_t moved_ = 0;     // parts of next_
  std::uint32_t left_ = 0;      // segments of current_ that have been given back
  std::uint32_t calls_ = 0;     // since a part was moved
  std::uint32_t size_ = 0;
};

}  // namespace estab
