// The SACK option of an arriving ACK (RFC 2018, RFC 2883).
#pragma once

#include "tcp/ack_news.h"
#include "tcp/arriving.h"
#include "tcp/context.h"

namespace estab::tcp {

/// Takes the blocks of `segment` into the scoreboard. Blocks that say nothing believable (outside
/// of what is outstanding, empty, reversed) are passed over.
void TakeSack(Context& cx, Tcb& tcb, LossState& loss, const Arriving& segment, AckNews& news);

/// What begins at `from` has arrived after something later: the path reorders.
void NoteLateArrival(Tcb& tcb, const LossState& loss, SndSeq from);

/// Takes everything before `una` off the scoreboard.
void TakeCumulativeAck(Context& cx, Tcb& tcb, LossState& loss, SndSeq una, AckNews& news);

}  // namespace estab::tcp
