// Finding losses and repairing them: where recovery stands, and what each piece of news changes.
// The states and the order of decisions follow Linux (tcp_fastretrans_alert); the parts are RFC
// 6675, 8985, 9937 (PRR), 5682 (F-RTO), 3522 and 3708 (undoing what was done for nothing), and for
// peers without SACK RFC 6582.
#pragma once

#include <algorithm>

#include "tcp/ack_news.h"
#include "tcp/context.h"
#include "tcp/send_queue.h"

namespace estab::tcp {

/// The connection's scoreboard; nullptr while nothing is in flight.
inline LossState* LossOf(const Context& cx, const Tcb& tcb) {
  return tcb.send_buffer == kNoSlot ? nullptr : &cx.buffers.send[tcb.send_buffer].loss;
}
/// The same of a connection that has one for certain.
inline LossState& LossIn(const Context& cx, const Tcb& tcb) {
  return cx.buffers.send[tcb.send_buffer].loss;
}

/// An ACK has been taken into the scoreboard: decides about losses and about the window.
void OnAckNews(Context& cx, Tcb& tcb, LossState& loss, AckNews& news);

/// The retransmission timer ran out: what is in flight is lost, and the window is one segment.
void EnterLossRecovery(Context& cx, Tcb& tcb);

/// What is in flight and larger than a segment may be now never arrives: it goes again, in parts,
/// and the window stays (Linux: tcp_simple_retransmit).
void RepeatTooLarge(Context& cx, Tcb& tcb);

/// RACK's deadline (RFC 8985 §6.3).
void OnReorderTimeout(Context& cx, Tcb& tcb, LossState& loss);

/// Something went out; `repair`: what was lost, for the second time.
void NoteSent(Context& cx, Tcb& tcb, LossState& loss, std::uint32_t length, bool repair);

/// Everything is acknowledged: what was going on is over.
void NoteAllAcknowledged(Context& cx, Tcb& tcb, LossState& loss);

/// The ssthresh that keeps most of what the window has grown to (Linux: tcp_current_ssthresh).
std::uint32_t CurrentSsthresh(const Tcb& tcb);

/// Bytes on their way, as congestion control counts them (RFC 6675's pipe).
inline std::uint32_t Pipe(const Context& cx, const Tcb& tcb) {
  const LossState* loss = LossOf(cx, tcb);
  if (loss == nullptr) return static_cast<std::uint32_t>(tcb.snd.nxt - FirstByte(tcb));
  const std::uint32_t gone = loss->duplicates * tcb.send_mss;
  return loss->flight.pipe() - std::min(loss->flight.pipe(), gone);
}

}  // namespace estab::tcp
