// SEGMENT ARRIVES (RFC 9293 §3.10.7) for a connection that has a TCB.
#pragma once

#include "tcp/acceptance.h"
#include "tcp/arriving.h"
#include "tcp/context.h"

namespace estab::tcp {

/// Takes one segment for `tcb`, whose four-tuple it carries; `cx.cause` is that segment. Every
/// segment ends in exactly one rule: the verdict; rules that moved the state on the way have been
/// applied. What is to be sent in return is left in the TCB, except for resets, which the verdict
/// asks for.
Verdict Arrive(Context& cx, Tcb& tcb, const wire::Segment& segment);

/// Whether a segment that goes on where the last one ended, and differs from it in its number and
/// data alone, can be taken for more of the same. Only if that one's verdict was `row`, and nothing
/// has happened to `tcb` since.
inline bool FitsInRow(const Tcb& tcb, const wire::Segment& segment) {
  return !segment.payload.empty() && segment.payload.size() <= WindowOf(tcb).size;
}
/// Arrive for such a segment. The rule is counted, and nobody told. Returns whether the row may go
/// on.
bool ArriveInRow(Context& cx, Tcb& tcb, const wire::Segment& segment);

// The two halves of it.
Verdict ArriveSynSent(Context& cx, Tcb& tcb, Arriving& segment);
Verdict ArriveSynchronized(Context& cx, Tcb& tcb, Arriving& segment);  // SYN_RCVD too

/// Everything a connection needs once both SYNs are acknowledged.
void BecomeEstablished(Context& cx, Tcb& tcb);

}  // namespace estab::tcp
