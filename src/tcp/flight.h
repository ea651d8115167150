// The scoreboard: what is in flight, segment by segment (RFC 6675 §4 with RFC 8985's times).
#pragma once

#include <array>
#include <cstdint>

#include "base/bit_tree.h"
#include "base/seq.h"
#include "estab/time.h"
#include "tcp/ring_pool.h"

namespace estab::tcp {

/// A segment that was sent and is not acknowledged cumulatively. It begins where the one before it
/// ends.
struct alignas(32) SentSegment {
  enum class Where : std::uint8_t {
    kInFlight,  // on its way, as far as we know
    kSacked,    // the peer has it
    kLost,      // it never arrived, and has not been sent again yet
  };
  SndSeq end;
  std::uint32_t older = 0;  // neighbours in the order of transmission, while in flight
  std::uint32_t newer = 0;
  Where where = Where::kInFlight;
  std::uint8_t repeats = 0;     // how often it was sent again
  bool repair = false;          // what is on its way is a repeat of what was lost
  Time sent_at{};               // the last time; several may share it
  std::uint32_t in_flight = 0;  // when it was sent, itself included: bytes
  std::uint32_t turn = 0;       // which transmission it was, modulo 2^32
};
static_assert(sizeof(SentSegment) == 32, "two segments in flight share a cache line");

/// Whether `a` was sent (the last time) after `b` was.
constexpr bool SentAfter(const SentSegment& a, const SentSegment& b) {
  return Precedes(b.turn, a.turn);
}

/// What a scoreboard for so many segments takes: the ring, and two sets of bits.
constexpr std::size_t FlightBytes(std::uint32_t capacity) {
  return capacity * sizeof(SentSegment) + 2 * BitTree::WordsFor(capacity) * sizeof(std::uint64_t);
}

/// The segments in flight of one connection, in order of sequence. They are named by an index that
/// grows by one with every segment and wraps.
///
/// Beside the ring there are three ways through it: a list in order of transmission (RACK looks for
/// what was sent long ago), and two sets of bits: what is not SACKed (a SACK block touches only
/// what it says anew) and what waits to be repeated (lowest first). Each step costs O(log64 n); an
/// ACK costs that for each segment that it newly covers.
///
/// Memory for kInline segments is part of it; more comes from a pool in powers of two and is given
/// back by Release, which whoever holds it calls before it goes.
class Flight {
 public:
  using Index = std::uint32_t;
  static constexpr std::uint32_t kInline = 8;
  static constexpr std::uint32_t kMost = std::uint32_t{1} << 24;

  Flight();
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;
  void Release(RingPool& pool);

  bool empty() const { return count_ == 0; }
  /// Segments that it has memory for.
  std::uint32_t capacity() const { return mask_ + 1; }
  std::uint32_t count() const { return count_; }
  /// Sequence numbers on their way: neither SACKed nor known to be lost. RFC 6675's pipe.
  std::uint32_t pipe() const { return pipe_; }
  std::uint32_t sacked_bytes() const { return sacked_bytes_; }
  std::uint32_t sacked_count() const { return sacked_count_; }
  std::uint32_t lost_bytes() const { return lost_bytes_; }
  std::uint32_t lost_count() const { return lost_count_; }
  /// Repairs that are in flight: repeats of what was lost, not of what a tail loss probe asks for.
  std::uint32_t repeated_count() const { return repeated_count_; }
  /// All sequence numbers it holds.
  std::uint32_t bytes() const { return static_cast<std::uint32_t>(end_ - begin_); }
  SndSeq begin() const { return begin_; }
  SndSeq end() const { return end_; }
  /// One past the highest SACKed number; begin() if nothing is.
  SndSeq highest_sacked() const { return sacked_count_ == 0 ? begin_ : highest_sacked_; }

  // --- Segments by index ---
  Index first() const { return head_; }
  Index last() const { return head_ + count_ - 1; }
  SentSegment& operator[](Index i) { return segments_[i & mask_]; }
  const SentSegment& operator[](Index i) const { return segments_[i & mask_]; }
  SndSeq BeginOf(Index i) const { return i == head_ ? begin_ : (*this)[i - 1].end; }
  std::uint32_t SizeOf(Index i) const {
    return static_cast<std::uint32_t>((*this)[i].end - BeginOf(i));
  }

  // --- Sending ---
  /// Whether one more segment can be added.
  bool HasRoom() const { return count_ <= mask_; }
  /// Makes that sure; false without memory.
  bool Reserve(RingPool& pool) { return HasRoom() || Grow(pool); }
  /// Makes room for `segments` more, or as many as memory allows; returns for how many there is.
  std::uint32_t Reserve(RingPool& pool, std::uint32_t segments) {
    while (capacity() - count_ < segments && Grow(pool)) {
    }
    return capacity() - count_;
  }
  /// Adds [end(), `to`), sent at `now`; begins a new flight at `from` if it is empty. There must be
  /// room.
  SentSegment& Add(SndSeq from, SndSeq to, Time now);
  /// A lost segment, or the tail loss probe's, is sent again.
  SentSegment& Repeat(Index i, Time now);

  // --- News ---
  /// Takes the first segment off; it must end at or before `una`.
  void PopFirst();
  /// The first segment ends later, but its beginning is acknowledged: `una` lies within it.
  void TrimFirst(SndSeq una);
  /// Moves `i` on to the first segment that is not SACKed, itself included; false if there is none.
  bool NextOpen(Index& i) const { return Next(open_, i); }
  /// The segment that holds `seq`, or the first that begins beyond it; last() + 1 if none does.
  Index Find(SndSeq seq) const;
  void MarkSacked(Index i);
  void MarkLost(Index i);
  /// Segment `i` is arriving, and was sent later than all that have arrived: those in flight that
  /// were sent before it are overtaken. Before MarkSacked or PopFirst.
  void NoteLatest(Index i);
  /// Whether `segment` was sent before the latest that has arrived.
  bool Overtaken(const SentSegment& segment) const { return Precedes(segment.turn, latest_turn_); }
  /// The last sent of what is overtaken and still in flight; false if nothing is.
  bool LastOvertaken(Index& i) const {
    i = edge_;
    return has_edge_;
  }
  /// Nothing was lost after all: what waited to be repeated is in flight again. O(n log n).
  void ReviveLost();
  /// The first segment that waits to be repeated; false if none does.
  bool FirstLost(Index& i) const {
    i = head_;
    return lost_count_ != 0 && Next(lost_, i);
  }

  // --- In order of transmission: those in flight ---
  bool Oldest(Index& i) const {
    i = oldest_;
    return in_flight_count_ != 0;
  }
  /// The one sent after segment `i`, which is in flight.
  bool Newer(Index& i) const {
    if (i == newest_) return false;
    i = (*this)[i].newer;
    return true;
  }

  /// Aborts if the counters do not agree with the segments. O(n).
  void Check() const;

 private:
  void CheckOrder() const;
  bool Grow(RingPool& pool);
  void Place(SentSegment* segments, std::uint32_t capacity) {
    segments_ = segments;
    mask_ = capacity - 1;
    auto* words = reinterpret_cast<std::uint64_t*>(segments + capacity);
    open_.Begin(words, capacity);
    lost_.Begin(words + BitTree::WordsFor(capacity), capacity);
  }
  bool Next(const BitTree& tree, Index& i) const;
  void LinkNewest(Index i);
  /// Segments in order of transmission, linked like those in flight.
  struct Chain {
    Index first = 0;
    Index last = 0;
    std::uint32_t count = 0;
  };
  Chain LostByTime(Index& from, std::uint32_t count);
  Chain Merge(Chain a, Chain b);
  void Unlink(Index i);
  void FindEdge();
  void Leave(Index i);
  void LeaveInOrder(const SentSegment& first);
  std::uint32_t At(Index i) const { return i & mask_; }

  SentSegment* segments_;
  BitTree open_;
  BitTree lost_;
  std::uint32_t mask_ = kInline - 1;
  Index head_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t turns_ = 0;
  Index oldest_ = 0;
  Index newest_ = 0;
  Index edge_ = 0;  // LastOvertaken
  bool has_edge_ = false;
  std::uint32_t latest_turn_ = 0;  // NoteLatest
  std::uint32_t in_flight_count_ = 0;
  SndSeq begin_;
  SndSeq end_;
  SndSeq highest_sacked_;
  std::uint32_t pipe_ = 0;
  std::uint32_t sacked_bytes_ = 0;
  std::uint32_t sacked_count_ = 0;
  std::uint32_t lost_bytes_ = 0;
  std::uint32_t lost_count_ = 0;
  std::uint32_t repeated_count_ = 0;
  alignas(64) std::array<std::byte, FlightBytes(kInline)> inline_;
};

}  // namespace estab::tcp
