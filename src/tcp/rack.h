// RACK: losses found by time (RFC 8985 §6).
#pragma once

#include "tcp/ack_news.h"
#include "tcp/context.h"

namespace estab::tcp {

/// Segment `i` has arrived: steps 1 and 2. A repeat whose ACK may be the original's tells nothing.
void NoteRackDelivery(Context& cx, Tcb& tcb, LossState& loss, Flight::Index i);

/// A D-SACK: something was repeated too early. The reordering window grows, once a round trip.
void WidenReorderWindow(Tcb& tcb, LossState& loss);
/// A recovery has ended: after sixteen of them the window is narrow again.
void NoteRecoveryOver(LossState& loss);

/// Steps 4 and 5: marks what was sent long enough before something that has arrived, and sets the
/// deadline for what is nearly due.
void DetectLosses(Context& cx, Tcb& tcb, LossState& loss, AckNews& news);

/// How much longer `segment` may be on its way, or less than one nanosecond if it is lost.
Duration RackPatience(const Context& cx, const Tcb& tcb, const LossState& loss,
                      const SentSegment& segment);

}  // namespace estab::tcp
