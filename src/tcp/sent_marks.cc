#include "tcp/sent_marks.h"

#include <new>

namespace estab::tcp {

void SentMarks::Release(RingPool& pool) {
  if (ring_ != nullptr) pool.Free(ring_, (std::size_t{mask_} + 1) * sizeof(SentMark));
  ring_ = nullptr;
  mark_ = SentMark{};
}

void SentMarks::Follow(RingPool& pool, const Flight& flight) {
  const std::uint32_t capacity = flight.capacity();
  if (ring_ != nullptr && mask_ + 1 == capacity) return;
  auto* fresh = static_cast<SentMark*>(pool.Allocate(capacity * sizeof(SentMark)));
  if (fresh == nullptr) return Release(pool);
  for (std::uint32_t n = 0; n < capacity; ++n) ::new (&fresh[n]) SentMark{};
  for (std::uint32_t n = 0; n < flight.count(); ++n) {
    const Flight::Index i = flight.first() + n;
    if (const SentMark* mark = Of(i)) fresh[i & (capacity - 1)] = *mark;
  }
  Release(pool);
  ring_ = fresh;
  mask_ = capacity - 1;
}

}  // namespace estab::tcp
