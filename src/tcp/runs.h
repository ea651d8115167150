// Runs of bytes that arrived ahead of a gap, found by their place in the stream.
#pragma once

#include <cstdint>

#include "base/chunk.h"
#include "base/seq.h"
#include "base/slab.h"

namespace estab::tcp {

/// Bytes without a gap, and the run's places among its connection's. 64 bytes.
struct Run {
  explicit Run(RcvSeq at) : begin(at) {}
  RcvSeq begin;
  std::uint32_t level = 1;  // in the tree
  std::uint32_t left = kNoSlot;
  std::uint32_t right = kNoSlot;
  std::uint32_t before = kNoSlot;  // neighbours in the stream
  std::uint32_t after = kNoSlot;
  std::uint32_t fresher = kNoSlot;  // neighbours in the order of their last change
  std::uint32_t staler = kNoSlot;
  ByteQueue bytes;
  RcvSeq end() const { return begin + bytes.size(); }
};
static_assert(sizeof(Run) == 64);

/// The runs of one connection, which never overlap: a balanced tree (Andersson's, where a right
/// child may be of its parent's level) beside two lists. To find, add and remove one costs O(log n)
/// whatever a peer sends; neighbours and what changed last cost nothing. Runs live in a pool that
/// all connections share, and are named by their slots; numbers must lie within 2^31 of each other.
class Runs {
 public:
  using Pool = Slab<Run>;
  using Index = std::uint32_t;

  std::uint32_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  // kNoSlot while there is none.
  Index first() const { return first_; }
  Index last() const { return last_; }
  Index freshest() const { return freshest_; }

  /// The last one that begins at or before `seq`; kNoSlot if none does.
  Index Floor(const Pool& pool, RcvSeq seq) const;
  /// A run without bytes as yet that begins at `begin`, behind run `before` (kNoSlot: first of
  /// all). kNoSlot without memory.
  Index AddAfter(Pool& pool, Index before, RcvSeq begin);
  /// Takes one out; its bytes must have been taken or cleared.
  void Remove(Pool& pool, Index run);
  /// It has changed: now it is the freshest.
  void Touch(Pool& pool, Index run);

  /// Aborts if tree and lists do not agree. O(n).
  void Check(const Pool& pool) const;

 private:
  void LinkFreshest(Pool& pool, Index run);
  void UnlinkFresh(Pool& pool, Index run);

  Index root_ = kNoSlot;
  Index first_ = kNoSlot;
  Index last_ = kNoSlot;
  Index freshest_ = kNoSlot;
  std::uint32_t count_ = 0;
};

}  // namespace estab::tcp
