// Keeping what arrived ahead of a gap.
#pragma once

#include <optional>
#include <span>

#include "tcp/buffers.h"

namespace estab::tcp {

/// Adds the bytes of `data` that are not there yet, in `most` runs altogether. What is there stays:
/// the first copy wins, so that nobody can replace data that was accepted. False if a part was not
/// kept for want of room.
bool Insert(Buffers& buffers, Reassembly& waiting, std::uint32_t most, RcvSeq seq,
            std::span<const std::byte> data);

/// The first part of [begin, end) that is there already.
std::optional<Reassembly::Duplicate> Overlap(const Buffers& buffers, const Reassembly& waiting,
                                             RcvSeq begin, RcvSeq end);

/// Drops every byte at or beyond `end`.
void CutAt(Buffers& buffers, Reassembly& waiting, RcvSeq end);

/// If the first run reaches `next`, moves its bytes from `next` on to `bytes` (which must be empty)
/// and returns true; runs that lie wholly before `next` are dropped on the way.
bool PopReached(Buffers& buffers, Reassembly& waiting, RcvSeq next, ByteQueue& bytes);

}  // namespace estab::tcp
