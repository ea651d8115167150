// Fixed slabs of one type: stable addresses, 32-bit slots, generations that outlive the object.
#pragma once

#include <algorithm>
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

/// Objects of type T in blocks that never move. Freed slots are reused last-in first-out; their
/// generation grows, so that a stale handle is told from the slot's next tenant.
///
/// Blocks are kept until the slab goes. The first are taken one by one, later ones many together,
/// so that an allocator can put them on large pages. The generations lie behind the objects of a
/// block, not within them, so that asking for a stale one never touches a dead object.
template <class T, std::size_t kPerBlock = 64>
class Slab {
  static_assert((kPerBlock & (kPerBlock - 1)) == 0);

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
    estab::Prefetch(&MetaOf(slot));
  }
  /// The slot's generation; grows with every Destroy. `slot` may be any number below capacity().
  std::uint32_t generation(std::uint32_t slot) const { return MetaOf(slot).generation; }
  /// True if `slot` is a slot that holds an object of that generation. Any two numbers may be
  /// asked.
  bool Holds(std::uint32_t slot, std::uint32_t generation) const {
    return IsLive(slot) && MetaOf(slot).generation == generation;
  }
  /// True if `slot` is a slot that holds an object.
  bool IsLive(std::uint32_t slot) const {
    return slot < capacity_ && MetaOf(slot).next_free == kInUse;
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
  static constexpr std::uint32_t kInUse = 0xfffffffeu;  // in Meta::next_free: not free
  static constexpr std::size_t kFirstDirectory = 8;

  struct Meta {
    std::uint32_t generation;
    std::uint32_t next_free;  // next slot of the free list, kNoSlot at its end, or kInUse
  };
  struct Block {
    alignas(T) std::byte objects[kPerBlock * sizeof(T)];
    Meta meta[kPerBlock];
  };
  // Blocks that are taken together: what fits a large page, once as much is in use.
  static constexpr std::size_t kExtentSize = std::size_t{2} << 20;
  static constexpr std::size_t kExtent = std::max(kExtentSize / sizeof(Block), std::size_t{1});
  static constexpr std::size_t kBlockAlignment = std::max(alignof(Block), std::size_t{64});

  Block& BlockOf(std::uint32_t slot) const { return *directory_[slot / kPerBlock]; }
  Meta& MetaOf(std::uint32_t slot) const { return BlockOf(slot).meta[slot % kPerBlock]; }
  void* Place(std::uint32_t slot) const {
    return BlockOf(slot).objects + (slot % kPerBlock) * sizeof(T);
  }
  T* Object(std::uint32_t slot) const { return std::launder(static_cast<T*>(Place(slot))); }
  // Whether an extent begins with block `index`: the first kExtent blocks have one each.
  static bool BeginsExtent(std::size_t index) { return index < kExtent || index % kExtent == 0; }
  static std::size_t ExtentSize(std::size_t index) {
    return (index < kExtent ? 1 : kExtent) * sizeof(Block);
  }
  Block* NewBlock(std::size_t index);
  bool AddBlock();
  bool GrowDirectory();

  Memory* memory_;
  Block** directory_ = nullptr;
  std::size_t directory_size_ = 0;
  std::uint32_t live_ = 0;
  std::uint32_t capacity_ = 0;
  std::uint32_t first_free_ = kNoSlot;
};

template <class T, std::size_t kPerBlock>
Slab<T, kPerBlock>::~Slab() {
  ForEach([](std::uint32_t, T& object) { object.~T(); });
  // The last ones of an extent lie behind its first one, and go with it.
  for (std::size_t i = 0; i < capacity_ / kPerBlock; ++i) {
    if (BeginsExtent(i)) memory_->Free(directory_[i], ExtentSize(i));
  }
  if (directory_ != nullptr) memory_->Free(directory_, directory_size_ * sizeof(Block*));
}

template <class T, std::size_t kPerBlock>
template <class... Args>
std::uint32_t Slab<T, kPerBlock>::Create(Args&&... args) {
  if (first_free_ == kNoSlot && !AddBlock()) return kNoSlot;
  const std::uint32_t slot = first_free_;
  Meta& meta = MetaOf(slot);
  // The slot is taken first: a constructor may itself create objects here.
  first_free_ = meta.next_free;
  meta.next_free = kInUse;
  ++live_;
  ::new (Place(slot)) T(std::forward<Args>(args)...);
  return slot;
}

template <class T, std::size_t kPerBlock>
void Slab<T, kPerBlock>::Destroy(std::uint32_t slot) {
  ESTAB_CHECK(IsLive(slot));
  Object(slot)->~T();
  Meta& meta = MetaOf(slot);
  ++meta.generation;
  meta.next_free = first_free_;
  first_free_ = slot;
  --live_;
}

template <class T, std::size_t kPerBlock>
auto Slab<T, kPerBlock>::NewBlock(std::size_t index) -> Block* {
  if (!BeginsExtent(index)) return ::new (directory_[index - 1] + 1) Block;
  void* memory = memory_->Allocate(ExtentSize(index), kBlockAlignment);
  return memory == nullptr ? nullptr : ::new (memory) Block;
}

template <class T, std::size_t kPerBlock>
bool Slab<T, kPerBlock>::AddBlock() {
  if (capacity_ > kInUse - kPerBlock) return false;
  const std::size_t index = capacity_ / kPerBlock;
  if (index == directory_size_ && !GrowDirectory()) return false;
  Block* block = NewBlock(index);
  if (block == nullptr) return false;
  directory_[index] = block;
  for (std::size_t i = 0; i < kPerBlock; ++i) {
    const auto next = static_cast<std::uint32_t>(capacity_ + i + 1);
    block->meta[i] = {0, i + 1 < kPerBlock ? next : first_free_};
  }
  first_free_ = capacity_;
  capacity_ += static_cast<std::uint32_t>(kPerBlock);
  return true;
}

template <class T, std::size_t kPerBlock>
bool Slab<T, kPerBlock>::GrowDirectory() {
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
