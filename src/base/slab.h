// Fixed slabs of one type: stable addresses, 32-bit slots, generations that outlive the object.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/memory.h"
#include "base/prefetch.h"

namespace estab {

inline constexpr std::uint32_t kNoSlot = 0xffffffffu;

/// Which slots of a block hold an object: a bit each.
template <std::size_t kSlots>
class LiveBits {
 public:
  bool IsLive(std::size_t i) const { return (words_[i / 64] >> i % 64 & 1) != 0; }
  void Begin(std::size_t i) { words_[i / 64] |= std::uint64_t{1} << i % 64; }
  void End(std::size_t i) { words_[i / 64] &= ~(std::uint64_t{1} << i % 64); }
  const void* Place(std::size_t i) const { return &words_[i / 64]; }

 private:
  std::array<std::uint64_t, (kSlots + 63) / 64> words_{};
};

/// The same, with the slots' generations (31 bits).
template <std::size_t kSlots>
class LiveGenerations {
 public:
  bool IsLive(std::size_t i) const { return (words_[i] & 1) != 0; }
  std::uint32_t generation(std::size_t i) const { return words_[i] >> 1; }
  void Begin(std::size_t i) { words_[i] |= 1; }
  void End(std::size_t i) { ++words_[i]; }  // live becomes the next generation, not live
  const void* Place(std::size_t i) const { return &words_[i]; }

 private:
  std::array<std::uint32_t, kSlots> words_{};
};

/// Objects of type T in blocks that never move. Freed slots are reused last-in first-out. With
/// LiveGenerations for `Tags` a slot has a generation, which grows with every Destroy, so that a
/// stale handle is told from the slot's next tenant.
///
/// Blocks are kept until the slab goes. The first are taken one by one, later ones many together,
/// so that an allocator can put them on large pages. The tags lie behind the objects of a block,
/// not within them, so that asking for a stale slot never touches a dead object.
template <class T, std::size_t kPerBlock = 64, template <std::size_t> class Tags = LiveBits>
class Slab {
  static_assert((kPerBlock & (kPerBlock - 1)) == 0);
  static_assert(sizeof(T) >= sizeof(std::uint32_t), "a free slot holds the next one's number");

 public:
  /// Takes nothing from `memory` before the first Create. `memory` must outlive the slab.
  explicit Slab(Memory& memory) : memory_(&memory) {}
  ~Slab();  // destroys what is left
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  /// Makes an object; kNoSlot when memory is refused.
  template <class... Args>
  std::uint32_t Create(Args&&... args);
  /// Ends it and frees the slot. The slot must hold an object.
  void Destroy(std::uint32_t slot);

  /// The object of `slot`, which must hold one.
  T& operator[](std::uint32_t slot) { return *Object(slot); }
  const T& operator[](std::uint32_t slot) const { return *Object(slot); }
  /// Brings the object of `slot`, if there is such a slot, into the cache.
  void Prefetch(std::uint32_t slot) const {
    if (slot >= capacity_) return;
    estab::Prefetch(Place(slot), sizeof(T));
    estab::Prefetch(BlockOf(slot).tags.Place(slot % kPerBlock));
  }
  /// The slot's generation. `slot` may be any number below capacity().
  std::uint32_t generation(std::uint32_t slot) const {
    return BlockOf(slot).tags.generation(slot % kPerBlock);
  }
  /// True if `slot` is a slot that holds an object of that generation. Any two numbers may be
  /// asked.
  bool Holds(std::uint32_t slot, std::uint32_t generation) const {
    return IsLive(slot) && this->generation(slot) == generation;
  }
  /// True if `slot` is a slot that holds an object.
  bool IsLive(std::uint32_t slot) const {
    return slot < capacity_ && BlockOf(slot).tags.IsLive(slot % kPerBlock);
  }

  std::uint32_t live() const { return live_; }
  /// Slots that exist, free ones included.
  std::uint32_t capacity() const { return capacity_; }
  /// Calls `visit(slot, object)` for every object, in slot order. It may destroy objects; whether
  /// it sees those that it creates depends on their slots.
  template <class Visit>
  void ForEach(Visit&& visit) {
    for (std::uint32_t slot = 0; slot < capacity_; ++slot) {
      if (IsLive(slot)) visit(slot, (*this)[slot]);
    }
  }
  template <class Visit>
  void ForEach(Visit&& visit) const {
    for (std::uint32_t slot = 0; slot < capacity_; ++slot) {
      if (IsLive(slot)) visit(slot, (*this)[slot]);
    }
  }

 private:
  static constexpr std::size_t kFirstDirectory = 8;

  struct Block {
    alignas(T) std::byte objects[kPerBlock * sizeof(T)];
    Tags<kPerBlock> tags;
  };
  // Blocks that are taken together: what fits a large page, once eight times as much is in use, so
  // that it is never much more than what is needed.
  static constexpr std::size_t kLargePage = std::size_t{2} << 20;
  static constexpr std::size_t kExtent = std::max(kLargePage / sizeof(Block), std::size_t{1});
  static constexpr std::size_t kSingles = 8 * kExtent;
  static constexpr std::size_t kBlockAlignment = std::max(alignof(Block), std::size_t{64});

  Block& BlockOf(std::uint32_t slot) const { return *directory_[slot / kPerBlock]; }
  void* Place(std::uint32_t slot) const {
    return BlockOf(slot).objects + (slot % kPerBlock) * sizeof(T);
  }
  T* Object(std::uint32_t slot) const { return std::launder(static_cast<T*>(Place(slot))); }
  // Whether an extent begins with block `index`.
  static bool BeginsExtent(std::size_t index) { return index < kSingles || index % kExtent == 0; }
  static std::size_t ExtentSize(std::size_t index) {
    return (index < kSingles ? 1 : kExtent) * sizeof(Block);
  }
  Block* NewBlock(std::size_t index);
  bool AddBlock();
  bool GrowDirectory();

  Memory* memory_;
  Block** directory_ = nullptr;
  std::size_t directory_size_ = 0;
  std::uint32_t live_ = 0;
  std::uint32_t capacity_ = 0;
  std::uint32_t fresh_ = 0;  // slots from here on have never held an object
  std::uint32_t first_free_ = kNoSlot;
};

template <class T, std::size_t kPerBlock, template <std::size_t> class Tags>
Slab<T, kPerBlock, Tags>::~Slab() {
  ForEach([](std::uint32_t, T& object) { object.~T(); });
  // The last ones of an extent lie behind its first one, and go with it.
  for (std::size_t i = 0; i < capacity_ / kPerBlock; ++i) {
    if (BeginsExtent(i)) memory_->Free(directory_[i], ExtentSize(i));
  }
  if (directory_ != nullptr) memory_->Free(directory_, directory_size_ * sizeof(Block*));
}

template <class T, std::size_t kPerBlock, template <std::size_t> class Tags>
template <class... Args>
std::uint32_t Slab<T, kPerBlock, Tags>::Create(Args&&... args) {
  const bool reuse = first_free_ != kNoSlot;
  if (!reuse && fresh_ == capacity_ && !AddBlock()) return kNoSlot;
  const std::uint32_t slot = reuse ? first_free_ : fresh_;
  void* const place = Place(slot);
  // The slot is taken first: a constructor may itself create objects here.
  if (reuse) {
    std::memcpy(&first_free_, place, sizeof(first_free_));
  } else {
    ++fresh_;
  }
  BlockOf(slot).tags.Begin(slot % kPerBlock);
  ++live_;
  if constexpr (sizeof...(Args) == 0) {
    ::new (place) T;  // as its members say; not all zeros before
  } else {
    ::new (place) T(std::forward<Args>(args)...);
  }
  return slot;
}

template <class T, std::size_t kPerBlock, template <std::size_t> class Tags>
void Slab<T, kPerBlock, Tags>::Destroy(std::uint32_t slot) {
  ESTAB_CHECK(IsLive(slot));
  Object(slot)->~T();
  BlockOf(slot).tags.End(slot % kPerBlock);
  std::memcpy(Place(slot), &first_free_, sizeof(first_free_));
  first_free_ = slot;
  --live_;
}

template <class T, std::size_t kPerBlock, template <std::size_t> class Tags>
auto Slab<T, kPerBlock, Tags>::NewBlock(std::size_t index) -> Block* {
  if (!BeginsExtent(index)) return ::new (directory_[index - 1] + 1) Block;
  void* memory = memory_->Allocate(ExtentSize(index), kBlockAlignment);
  return memory == nullptr ? nullptr : ::new (memory) Block;
}

template <class T, std::size_t kPerBlock, template <std::size_t> class Tags>
bool Slab<T, kPerBlock, Tags>::AddBlock() {
  if (capacity_ > kNoSlot - kPerBlock) return false;
  const std::size_t index = capacity_ / kPerBlock;
  if (index == directory_size_ && !GrowDirectory()) return false;
  Block* block = NewBlock(index);
  if (block == nullptr) return false;
  directory_[index] = block;
  capacity_ += static_cast<std::uint32_t>(kPerBlock);
  return true;
}

template <class T, std::size_t kPerBlock, template <std::size_t> class Tags>
bool Slab<T, kPerBlock, Tags>::GrowDirectory() {
  const std::size_t size = directory_size_ == 0 ? kFirstDirectory : directory_size_ * 2;
  void* memory = memory_->Allocate(size * sizeof(Block*), alignof(Block*));
  if (memory == nullptr) return false;
  if (directory_ != nullptr) {
    std::memcpy(memory, directory_, directory_size_ * sizeof(Block*));
    memory_->Free(directory_, directory_size_ * sizeof(Block*));
  }
  directory_ = static_cast<Block**>(memory);
  directory_size_ = size;
  return true;
}

}  // namespace estab
