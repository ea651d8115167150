// When to acknowledge: at once, with data, or a little later (RFC 9293 §3.8.6.3, RFC 5681 §4.2).
#pragma once

#include "tcp/context.h"

namespace estab::tcp {

constexpr std::uint8_t kShortestDelayMs = 40;

/// Owes the peer one empty ACK, now.
void AckNow(Tcb& tcb);
/// Owes an empty ACK, unless one is owed already.
void AckOnce(Tcb& tcb);
/// The next `count` ACKs, or more, go without delay (Linux: tcp_enter_quickack_mode).
void AcknowledgeNext(Tcb& tcb, std::uint8_t count);
/// `bytes` of data arrived in order (0: only a FIN): learns the peer's rhythm.
void NoteDataArrived(Context& cx, Tcb& tcb, std::uint32_t bytes);
/// The same for more data at the same moment: most often nothing is to be learned from it.
inline void NoteMoreArrived(Context& cx, Tcb& tcb, std::uint32_t bytes) {
  const bool settled = tcb.ack_delay_ms == kShortestDelayMs && bytes <= tcb.typical_in;
  if (!settled) NoteDataArrived(cx, tcb, bytes);
}
/// Something new in order is to be acknowledged: at once if two full segments are unacknowledged or
/// the connection is in quick-ack mode, otherwise within the delayed-ACK time.
void ScheduleAck(Context& cx, Tcb& tcb);
/// An ACK has waited in vain for something to ride on: the next one waits longer, or, if there had
/// been rides before, for the shortest time again.
void NoteAckDelayed(Tcb& tcb);
/// Data went out: if it answers data, ACKs may wait for such rides.
void NoteDataSent(Context& cx, Tcb& tcb);
/// A segment with ACK went out that announced the window's right edge as `edge`.
void NoteAckSent(Context& cx, Tcb& tcb, RcvSeq edge);
/// The user has read: owes an ACK if the window can now be opened by a worthwhile piece.
void AckIfWindowOpens(Context& cx, Tcb& tcb);

}  // namespace estab::tcp
