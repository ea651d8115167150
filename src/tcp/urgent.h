// Urgent data (RFC 9293 §3.8.5) as RFC 6093 describes what everybody does: the pointer tells the
// number after one urgent byte, and the byte is taken out of the stream unless it is to stay there.
#pragma once

#include <span>

#include "estab/error.h"
#include "tcp/arriving.h"
#include "tcp/context.h"

namespace estab::tcp {

/// The last byte in the send queue is urgent.
void MarkUrgent(const Context& cx, Tcb& tcb);
/// Whether an urgent byte waits to be acknowledged; it overrides Nagle and TCP_CORK, as on Linux.
inline bool UrgentMode(const Context& cx, const Tcb& tcb) {
  if (tcb.send_buffer == kNoSlot) return false;
  const SendBuffer& buffer = cx.buffers.send[tcb.send_buffer];
  return buffer.urgent && buffer.up > tcb.snd.una;
}
/// Sets URG and the pointer of a segment that lies before the urgent byte, or with it.
void PutPointer(const Context& cx, const Tcb& tcb, wire::Segment& segment);
inline void PutUrgentPointer(const Context& cx, const Tcb& tcb, wire::Segment& segment) {
  if (UrgentMode(cx, tcb)) PutPointer(cx, tcb, segment);
}
/// SND.UNA has moved: an urgent byte that is acknowledged is forgotten.
void NoteUrgentAcknowledged(Context& cx, Tcb& tcb);

/// Takes note of an arriving segment's pointer, and of the byte itself if the segment has it.
/// Before its data is taken.
void TakePointer(Context& cx, Tcb& tcb, const Arriving& segment);
inline void TakeUrgent(Context& cx, Tcb& tcb, const Arriving& segment) {
  if (segment.Has(kUrg)) TakePointer(cx, tcb, segment);
}

/// The number of the byte that the user reads next.
RcvSeq NextToRead(const Context& cx, const Tcb& tcb);
/// Whether the user stands in front of the urgent byte (SIOCATMARK).
bool AtMark(const Context& cx, const Tcb& tcb);
/// Whether an urgent byte can be read.
inline bool UrgentHere(const Context& cx, const Tcb& tcb) {
  return tcb.receive_buffer != kNoSlot &&
         cx.buffers.receive[tcb.receive_buffer].urgent == Urgent::kHere;
}
/// Bytes that lie before the urgent byte; all if there is none, or it stays in line (SIOCINQ).
std::uint32_t ReadableBytes(const Context& cx, const Tcb& tcb);

/// Takes bytes of the stream up to an urgent byte, which is left out (unless in line) when the
/// reader stands at it. 0: there are none.
std::size_t TakeStream(Context& cx, Tcb& tcb, std::span<std::byte> into, bool peek);
/// Points `piece` at bytes that TakeStream would take and that lie in one chunk, and takes them;
/// the chunk gains a reference, and the bytes count as borrowed. nullptr: there are none.
Chunk* LendStream(Context& cx, Tcb& tcb, Slice& piece);
/// The user reads the urgent byte itself; `into` may be empty. kInvalid, kWouldBlock.
Result<std::size_t> TakeUrgentByte(Context& cx, Tcb& tcb, std::span<std::byte> into, bool peek);

}  // namespace estab::tcp
