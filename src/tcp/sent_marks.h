// What was known of the connection's deliveries when each segment was sent: from it and from when
// the segment arrives follows a sample of the delivery rate (delivery.h).
#pragma once

#include <cstdint>

#include "estab/time.h"
#include "tcp/flight.h"

namespace estab::tcp {

struct SentMark {
  bool known = false;           // what follows is; not after it has served for a sample
  bool app_limited = false;     // there was less to send than the window took
  std::uint32_t delivered = 0;  // bytes delivered by then, modulo 2^32 ...
  Time delivered_at{};          // ... the last of them at this time
  Time began_at{};              // when what that last delivery answered had been sent
};

/// The marks of a Flight, by the same indices: of each segment, in memory from a pool, for a
/// congestion control that wants them; else of one segment at a time, which is enough to know the
/// rate once in a round trip.
class SentMarks {
 public:
  SentMarks() = default;
  SentMarks(const SentMarks&) = delete;
  SentMarks& operator=(const SentMarks&) = delete;
  void Release(RingPool& pool);

  /// Every segment is to be marked, and `flight` may have grown. Without memory it is one at a time
  /// again.
  void Follow(RingPool& pool, const Flight& flight);
  /// Whether Put would do nothing: there is one mark only, and another segment has it.
  bool Taken(Flight::Index i) const { return ring_ == nullptr && mark_.known && one_ != i; }
  /// Segment `i` is sent.
  void Put(Flight::Index i, const SentMark& mark) {
    if (ring_ != nullptr) {
      ring_[i & mask_] = mark;
    } else if (!mark_.known || one_ == i) {
      one_ = i;
      mark_ = mark;
    }
  }
  /// The mark of segment `i`; nullptr if it has none.
  SentMark* Of(Flight::Index i) {
    SentMark* mark = &mark_;
    if (ring_ != nullptr) {
      mark = &ring_[i & mask_];
    } else if (one_ != i) {
      return nullptr;
    }
    return mark->known ? mark : nullptr;
  }

 private:
  SentMark* ring_ = nullptr;
  std::uint32_t mask_ = 0;
  Flight::Index one_ = 0;  // without a ring: whose mark it is
  SentMark mark_;
};

}  // namespace estab::tcp
