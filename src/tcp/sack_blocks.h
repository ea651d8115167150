// The SACK blocks of the ACKs that we send (RFC 2018, RFC 2883).
#pragma once

#include "tcp/context.h"
#include "wire/segment.h"

namespace estab::tcp {

/// [begin, end) has come once more: an ACK will tell it (D-SACK), if SACK was agreed and tcp_dsack
/// is on.
void NoteDuplicate(Context& cx, Tcb& tcb, RcvSeq begin, RcvSeq end);

/// Fills in SACK blocks: what came twice first (RFC 2883 §4), then what waits ahead of a gap, the
/// run that changed last leading.
void AddHeldBlocks(const Context& cx, const Tcb& tcb, wire::TcpOptions& options);
inline void AddSackBlocks(const Context& cx, const Tcb& tcb, wire::TcpOptions& options) {
  if (tcb.reassembly != kNoSlot) AddHeldBlocks(cx, tcb, options);
}

/// A segment with SACK blocks has gone out: the next duplicate has its turn.
void NoteDuplicateTold(Context& cx, Tcb& tcb);

}  // namespace estab::tcp
