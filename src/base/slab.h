// Fixed slabs of one type: stable addresses, 32-bit slots, generations that outlive the object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "base/check.h"
#include "base/memory.h"

namespace estab {

inline constexpr std::uint32_t kNoSlot = 0xffffffffu;

/// Objects of type T in blocks that never move. Freed slots are reused last-in first-out; their
/// generation grows, so that a stale handle is told from the slot's next tenant.
template <class T, std::size_t kPerBlock = 64>
class Slab {
  static_assert((kPerBlock & (kPerBlock - 1)) == 0);

 public:
  explicit Slab(Memory& memory) : memory_(&memory) {}
  ~Slab();  // destroys what is left
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  /// Makes an object; kNoSlot when memory is refused.
  template <class... Args>
  std::uint32_t Create(Args&&... args);
  /// Ends it and frees the slot.
  void Destroy(std::uint32_t slot);

  T& operator[](std::uint32_t slot);
  const T& operator[](std::uint32_t slot) const;
  /// The slot's generation; grows with every Destroy. `slot` may be any number below capacity().
  std::uint32_t generation(std::uint32_t slot) const;
  /// True if `slot` is a slot that holds an object of that generation.
  bool Holds(std::uint32_t slot, std::uint32_t generation) const;

  std::uint32_t live() const { return live_; }
  /// Slots that exist, free ones included.
  std::uint32_t capacity() const { return capacity_; }
  /// Calls `visit(slot, object)` for every object, in slot order.
  template <class Visit>
  void ForEach(Visit&& visit);
  template <class Visit>
  void ForEach(Visit&& visit) const;

 private:
  Memory* memory_;
  std::uint32_t live_ = 0;
  std::uint32_t capacity_ = 0;
};

}  // namespace estab
