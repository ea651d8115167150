// The tail loss probe (RFC 8985 §7): when the last segments of a flight are lost no ACK tells of
// it. One segment, sent after two round trips, makes the peer say what it has.
#pragma once

#include "tcp/context.h"

namespace estab::tcp {

/// Sets the probe's deadline anew, if a probe would help and comes before the retransmission
/// timer. After every segment sent and every ACK that brings news.
void ScheduleProbe(Context& cx, Tcb& tcb);

/// The deadline has come.
void OnProbeTimeout(Context& cx, Tcb& tcb);

/// The probe has gone out; `end` is SND.NXT after it.
void NoteProbeSent(Context& cx, Tcb& tcb, LossState& loss, bool repeat, SndSeq end);

}  // namespace estab::tcp
