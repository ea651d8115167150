// Finding losses and repairing them: RFC 5681 §3.2 as RFC 6582 mends it, and the time-out's part.
#pragma once

#include "tcp/context.h"

namespace estab::tcp {

/// An ACK that repeats the last one while data is outstanding.
void OnDuplicateAck(Context& cx, Tcb& tcb);
/// SND.UNA has moved by `bytes`; `flight` was outstanding before.
void OnNewAck(Context& cx, Tcb& tcb, std::uint32_t bytes, std::uint32_t flight);
/// The retransmission timer ran out: one segment's window, and everything again from SND.UNA.
void EnterLossRecovery(Context& cx, Tcb& tcb);

}  // namespace estab::tcp
