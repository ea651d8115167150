#include "base/hash_index.h"

#include <algorithm>

#include "base/check.h"

namespace estab {
namespace {

constexpr std::uint32_t kFirstCapacity = 64;
constexpr std::uint32_t kLastCapacity = std::uint32_t{1} << 31;

// Work per Insert or Erase. The next table is asked for at 3/8 of the present capacity c and needed
// at 1/2: c/8 calls to mark 2c places empty. Its own successor is asked for 1/4 c calls later, and
// by then c places have been looked at and c/2 entries moved. Both with a margin of two.
constexpr std::uint32_t kClearPerCall = 32;
constexpr std::uint32_t kMovePerCall = 12;

}  // namespace

HashIndex::~HashIndex() {
  FreeTable(current_);
  FreeTable(old_);
  FreeTable(next_);
}

bool HashIndex::Insert(std::uint32_t hash, std::uint32_t value) {
  ESTAB_CHECK(value != kNone);
  Work();
  if (!MakeRoom()) return false;
  Put(current_, {hash, value});
  ++size_;
  return true;
}

bool HashIndex::Erase(std::uint32_t hash, std::uint32_t value) {
  Work();
  for (const Table* table : {&current_, &old_}) {
    if (Entry* entry = Locate(*table, hash, value); entry != nullptr) {
      RemoveAt(*table, static_cast<std::uint32_t>(entry - table->entries));
      --size_;
      return true;
    }
  }
  return false;
}

bool HashIndex::Replace(std::uint32_t hash, std::uint32_t value, std::uint32_t other) {
  ESTAB_CHECK(other != kNone);
  Entry* entry = Locate(current_, hash, value);
  if (entry == nullptr) entry = Locate(old_, hash, value);
  if (entry == nullptr) return false;
  entry->value = other;
  return true;
}

HashIndex::Entry* HashIndex::Locate(const Table& table, std::uint32_t hash, std::uint32_t value) {
  if (table.entries == nullptr) return nullptr;
  for (std::uint32_t i = hash & table.mask;; i = (i + 1) & table.mask) {
    Entry& entry = table.entries[i];
    if (entry.value == kNone) return nullptr;
    if (entry.hash == hash && entry.value == value) return &entry;
  }
}

void HashIndex::Put(const Table& table, Entry entry) {
  std::uint32_t i = entry.hash & table.mask;
  while (table.entries[i].value != kNone) i = (i + 1) & table.mask;
  table.entries[i] = entry;
}

// Closes the gap by pulling back what was pushed beyond it, so that no tombstone is needed.
void HashIndex::RemoveAt(const Table& table, std::uint32_t index) {
  std::uint32_t gap = index;
  for (std::uint32_t i = (gap + 1) & table.mask; table.entries[i].value != kNone;
       i = (i + 1) & table.mask) {
    const std::uint32_t from_home = (i - table.entries[i].hash) & table.mask;
    const std::uint32_t from_gap = (i - gap) & table.mask;
    if (from_home < from_gap) continue;  // it would land before its home
    table.entries[gap] = table.entries[i];
    gap = i;
  }
  table.entries[gap].value = kNone;
}

// Makes sure that current_ takes one more entry within its load; false if it cannot.
bool HashIndex::MakeRoom() {
  if (current_.entries == nullptr) {
    if (!AllocateTable(current_, kFirstCapacity)) return false;
    for (std::uint32_t i = 0; i < kFirstCapacity; ++i) current_.entries[i].value = kNone;
    return true;
  }
  const std::uint32_t capacity = current_.mask + 1;
  if (size_ < capacity / 8 * 3) return true;
  if (next_.entries == nullptr && capacity < kLastCapacity) {
    AllocateTable(next_, capacity * 2);
    cleared_ = 0;
  }
  if (size_ < capacity / 2) return true;
  if (next_.entries == nullptr) return false;
  // Both loops have ended long before, unless memory was refused for a while.
  ClearSome(next_.mask + 1);
  while (old_.entries != nullptr) MoveSome(kMovePerCall);
  old_ = current_;
  current_ = next_;
  next_ = {};
  moved_ = 0;
  return true;
}

bool HashIndex::AllocateTable(Table& table, std::uint32_t capacity) {
  void* memory = memory_->Allocate(sizeof(Entry) * capacity, 64);
  if (memory == nullptr) return false;
  table.entries = static_cast<Entry*>(memory);
  table.mask = capacity - 1;
  return true;
}

void HashIndex::FreeTable(Table& table) {
  if (table.entries == nullptr) return;
  memory_->Free(table.entries, sizeof(Entry) * (std::size_t{table.mask} + 1));
  table = {};
}

void HashIndex::ClearSome(std::uint32_t places) {
  const std::uint32_t end = cleared_ + std::min(places, next_.mask + 1 - cleared_);
  for (; cleared_ < end; ++cleared_) next_.entries[cleared_].value = kNone;
}

// Takes up to `steps` steps of emptying old_ from its lowest place on; each moves an entry or
// passes an empty place. Places below moved_ stay empty, since a gap is only filled from above.
void HashIndex::MoveSome(std::uint32_t steps) {
  for (; steps > 0; --steps) {
    if (moved_ > old_.mask) {
      FreeTable(old_);
      return;
    }
    const Entry entry = old_.entries[moved_];
    if (entry.value == kNone) {
      ++moved_;
      continue;
    }
    RemoveAt(old_, moved_);
    Put(current_, entry);
  }
}

void HashIndex::Work() {
  if (old_.entries != nullptr) MoveSome(kMovePerCall);
  if (next_.entries != nullptr) ClearSome(kClearPerCall);
}

}  // namespace estab
