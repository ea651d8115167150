// The receiving side: what the peer may send, and where it goes.
#pragma once

#include <span>

#include "tcp/arriving.h"
#include "tcp/context.h"

namespace estab::tcp {

/// The window field of the next segment: what is free, rounded to the scale, the right edge never
/// moving left (RFC 9293 §3.8.6), and never by a silly little to the right (§3.8.6.2.2).
std::uint16_t WindowField(const Context& cx, const Tcb& tcb);
/// A segment goes out with that field: whether memory has kept it small is counted.
void NoteWindowHeld(const Context& cx, const Tcb& tcb);
/// The user has read: once in a round trip the receive buffer doubles, up to tcp_rmem's most, if
/// more than half of it was read in that time (tcp_moderate_rcvbuf; Linux: tcp_rcv_space_adjust).
void NoteRead(const Context& cx, Tcb& tcb);

/// The right edge that a segment with this window field announces.
RcvSeq AnnouncedEdge(const Tcb& tcb, std::uint16_t window);

/// Takes the data of an acceptable segment that was trimmed to the window: in order to the receive
/// queue, otherwise to reassembly. Returns the rule that says what became of it. After it,
/// `segment.fin` is true only if the peer's FIN is now next in order.
RuleId TakeText(Context& cx, Tcb& tcb, Arriving& segment);
/// The same for data that begins at RCV.NXT, without a FIN, where nothing waits for reassembly and
/// the user reads.
RuleId TakeNextText(Context& cx, Tcb& tcb, const Arriving& segment);
/// More of the same, that came right behind it.
RuleId TakeMoreText(Context& cx, Tcb& tcb, std::span<const std::byte> data);

}  // namespace estab::tcp
