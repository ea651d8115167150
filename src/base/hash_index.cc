#include "base/hash_index.h"

#include <algorithm>
#include <new>

#include "base/check.h"

namespace estab {
namespace {

// Growing begins when two thirds of the places are taken, and ends before three quarters are: that
// leaves 42 entries for each segment there was, and makes one and a quarter of them, or two if
// there are few: sixteen calls each.
constexpr std::uint32_t kCallsPerSegment = 16;
// A segment is full when so many of its places are taken: finding that nothing is there costs more
// and more. It takes as many only if memory is refused.
constexpr std::uint32_t kFull = 480;

}  // namespace

HashIndex::~HashIndex() {
  FreeTable(current_);
  FreeTable(next_);
}

bool HashIndex::Insert(std::uint32_t hash, std::uint32_t value) {
  ESTAB_CHECK(value != kNone);
  if (!MakeRoom(hash)) return false;
  Put(HomeOf(hash), {hash, value});
  ++size_;
  return true;
}

bool HashIndex::Erase(std::uint32_t hash, std::uint32_t value) {
  const Entry* entry = Locate(hash, value);
  if (entry == nullptr) return false;
  Seat& seat = HomeOf(hash);
  RemoveAt(*seat.segment, static_cast<std::uint32_t>(entry - seat.segment->entries.data()));
  --seat.taken;
  --size_;
  return true;
}

bool HashIndex::Replace(std::uint32_t hash, std::uint32_t value, std::uint32_t other) {
  ESTAB_CHECK(other != kNone);
  Entry* entry = Locate(hash, value);
  if (entry == nullptr) return false;
  entry->value = other;
  return true;
}

HashIndex::Entry* HashIndex::Locate(std::uint32_t hash, std::uint32_t value) const {
  if (size_ == 0) return nullptr;
  Segment& segment = *HomeOf(hash).segment;
  for (std::uint32_t i = FirstPlace(hash);; i = Next(i)) {
    Entry& entry = segment.entries[i];
    if (entry.value == kNone) return nullptr;
    if (entry.hash == hash && entry.value == value) return &entry;
  }
}

void HashIndex::Put(Seat& seat, Entry entry) {
  ESTAB_CHECK(seat.taken + 1 < kPlaces);  // one stays empty: there every search ends
  std::uint32_t i = FirstPlace(entry.hash);
  while (seat.segment->entries[i].value != kNone) i = Next(i);
  seat.segment->entries[i] = entry;
  ++seat.taken;
}

// Closes the gap by pulling back what was pushed beyond it, so that no tombstone is needed.
void HashIndex::RemoveAt(Segment& segment, std::uint32_t place) {
  std::uint32_t gap = place;
  for (std::uint32_t i = Next(gap); segment.entries[i].value != kNone; i = Next(i)) {
    const std::uint32_t from_home = (i - FirstPlace(segment.entries[i].hash)) % kPlaces;
    const std::uint32_t from_gap = (i - gap) % kPlaces;
    if (from_home < from_gap) continue;  // it would land before its home
    segment.entries[gap] = segment.entries[i];
    gap = i;
  }
  segment.entries[gap].value = kNone;
}

bool HashIndex::MakeTable(Table& table, std::uint32_t count) {
  void* memory = memory_->Allocate(sizeof(Seat) * count, alignof(Seat));
  if (memory == nullptr) return false;
  table.seats = ::new (memory) Seat[count];
  table.count = count;
  return true;
}

void HashIndex::FreeTable(Table& table) {
  if (table.seats != nullptr) memory_->Free(table.seats, sizeof(Seat) * table.count);
  table = {};
}

bool HashIndex::AddSegment(Seat& seat) {
  const std::uint32_t slot = segments_.Create();
  if (slot == kNoSlot) return false;
  seat = {&segments_[slot], slot, 0};
  return true;
}

bool HashIndex::BeginGrowing() {
  if (!MakeTable(next_, current_.count + std::max(current_.count / 4, 1u))) return false;
  frontier_ = 0;
  moved_ = left_ = calls_ = 0;
  return true;
}

// Moves the entries of the next part of next_ there; the first of a segment makes it. What they
// leave behind is not removed: nobody looks for it there any more, and a segment is given back when
// all have left.
bool HashIndex::MovePart() {
  Seat& seat = next_.seats[moved_ / kParts];
  if (moved_ % kParts == 0 && !AddSegment(seat)) return false;
  calls_ = 0;
  const std::uint64_t end = BeginPart(next_, moved_ + 1);
  const auto begin = static_cast<std::uint32_t>(frontier_);
  const auto width = static_cast<std::uint32_t>(end - frontier_);
  const std::uint32_t last = Rank(current_, static_cast<std::uint32_t>(end - 1));
  for (std::uint32_t rank = left_; rank <= last; ++rank) {
    for (const Entry& entry : current_.seats[rank].segment->entries) {
      if (Order(entry.hash) - begin < width && entry.value != kNone) Put(seat, entry);
    }
  }
  frontier_ = end;
  ++moved_;
  for (; left_ < current_.count && Begin(current_, left_ + 1) <= end; ++left_) {
    segments_.Destroy(current_.seats[left_].slot);
  }
  if (moved_ != next_.count * kParts) return true;
  FreeTable(current_);
  current_ = next_;
  next_ = {};
  frontier_ = 0;
  return true;
}

// Makes sure that the segment of `hash` takes one more; false if it cannot. What memory refuses is
// asked for again with the next call.
bool HashIndex::MakeRoom(std::uint32_t hash) {
  if (current_.seats == nullptr && !MakeTable(current_, 1)) return false;
  if (current_.seats[0].segment == nullptr && !AddSegment(current_.seats[0])) return false;
  const bool growing = next_.seats != nullptr;
  if (!growing && size_ >= capacity() / 3 * 2) (void)BeginGrowing();
  if (growing && ++calls_ >= kCallsPerSegment / kParts) (void)MovePart();
  // Chance, or a refusal of memory, has filled this one: it has its turn at once.
  while (HomeOf(hash).taken >= kFull) {
    if (capacity() / 8 > size_) return false;  // more of one hash than there is room for
    if (next_.seats == nullptr && !BeginGrowing()) return false;
    if (!MovePart()) return false;
  }
  return true;
}

}  // namespace estab
