#include "tcp/urgent.h"

#include <algorithm>

#include "tcp/send_queue.h"

namespace estab::tcp {
namespace {

const ReceiveBuffer* Received(const Context& cx, const Tcb& tcb) {
  return tcb.receive_buffer == kNoSlot ? nullptr : &cx.buffers.receive[tcb.receive_buffer];
}

bool Announced(const ReceiveBuffer* buffer) {
  return buffer != nullptr && buffer->urgent != Urgent::kNone;
}

// A new urgent pointer; what is old, or not newer than the one we know, changes nothing.
void Announce(Context& cx, Tcb& tcb, RcvSeq at) {
  const RcvSeq next = NextToRead(cx, tcb);
  if (at < next || at < tcb.rcv.nxt) return;
  const ReceiveBuffer* known = Received(cx, tcb);
  if (Announced(known) && at <= known->urgent_at) return;
  ReceiveBuffer* buffer = cx.buffers.AttachReceive(tcb);
  if (buffer == nullptr) return;
  // The reader stands at the last mark: that byte was out of band and does not become ordinary.
  const bool at_old = buffer->urgent != Urgent::kNone && buffer->urgent_at == next;
  if (at_old && !tcb.options->urgent_inline && !buffer->bytes.empty()) {
    buffer->bytes.Consume(cx.buffers.chunks, 1);
  }
  buffer->urgent = Urgent::kAwaited;
  buffer->urgent_at = at;
}

}  // namespace

void MarkUrgent(const Context& cx, Tcb& tcb) {
  if (tcb.send_buffer == kNoSlot) return;
  SendBuffer& buffer = cx.buffers.send[tcb.send_buffer];
  buffer.urgent = true;
  buffer.up = DataEnd(cx, tcb);
}

void PutPointer(const Context& cx, const Tcb& tcb, wire::Segment& segment) {
  const SndSeq up = cx.buffers.send[tcb.send_buffer].up;
  const SndSeq seq(segment.seq);
  if (up <= seq) return;
  segment.flags |= kUrg;
  segment.urgent = static_cast<std::uint16_t>(std::min(up - seq, 0xffff));
}

void NoteUrgentAcknowledged(Context& cx, Tcb& tcb) {
  if (tcb.send_buffer != kNoSlot && !UrgentMode(cx, tcb)) {
    cx.buffers.send[tcb.send_buffer].urgent = false;
  }
}

void TakePointer(Context& cx, Tcb& tcb, const Arriving& segment) {
  if (tcb.read_shut) return;
  const wire::Segment& header = segment.header;
  const RcvSeq begin(header.seq);
  Announce(cx, tcb, begin + (header.urgent != 0 ? header.urgent - 1u : 0u));
  if (!Announced(Received(cx, tcb))) return;
  ReceiveBuffer& buffer = cx.buffers.receive[tcb.receive_buffer];
  const std::int32_t offset = buffer.urgent_at - begin;
  if (buffer.urgent != Urgent::kAwaited || offset < 0) return;
  if (static_cast<std::size_t>(offset) >= header.payload.size()) return;
  buffer.urgent = Urgent::kHere;
  buffer.urgent_byte = header.payload[static_cast<std::size_t>(offset)];
  tcb.pending.news = true;
}

RcvSeq NextToRead(const Context& cx, const Tcb& tcb) {
  return tcb.rcv.nxt - cx.buffers.ReceiveSize(tcb) - (tcb.fin_received ? 1u : 0u);
}

bool AtMark(const Context& cx, const Tcb& tcb) {
  const ReceiveBuffer* buffer = Received(cx, tcb);
  return Announced(buffer) && buffer->urgent_at == NextToRead(cx, tcb);
}

std::uint32_t ReadableBytes(const Context& cx, const Tcb& tcb) {
  const ReceiveBuffer* buffer = Received(cx, tcb);
  if (buffer == nullptr) return 0;
  const std::uint32_t held = buffer->bytes.size();
  if (!Announced(buffer) || tcb.options->urgent_inline) return held;
  const auto ahead = static_cast<std::uint32_t>(buffer->urgent_at - NextToRead(cx, tcb));
  return std::min(ahead, held);
}

namespace {

// The bytes [begin, end) of the receive queue: those that a read may give.
struct Stretch {
  std::size_t begin = 0;
  std::size_t end = 0;
};

Stretch NextStretch(const Context& cx, const Tcb& tcb, const ReceiveBuffer& buffer) {
  Stretch stretch{0, buffer.bytes.size()};
  if (buffer.urgent == Urgent::kNone) return stretch;
  const auto ahead = static_cast<std::uint32_t>(buffer.urgent_at - NextToRead(cx, tcb));
  if (ahead != 0) stretch.end = std::min<std::size_t>(stretch.end, ahead);
  if (ahead == 0 && stretch.end != 0 && !tcb.options->urgent_inline) stretch.begin = 1;
  return stretch;
}

void Consume(Context& cx, Tcb& tcb, ReceiveBuffer& buffer, std::size_t n) {
  buffer.bytes.Consume(cx.buffers.chunks, n);
  if (buffer.urgent != Urgent::kNone && NextToRead(cx, tcb) > buffer.urgent_at) {
    buffer.urgent = Urgent::kNone;
  }
}

}  // namespace

std::size_t TakeStream(Context& cx, Tcb& tcb, std::span<std::byte> into, bool peek) {
  if (tcb.receive_buffer == kNoSlot) return 0;
  ReceiveBuffer& buffer = cx.buffers.receive[tcb.receive_buffer];
  const Stretch there = NextStretch(cx, tcb, buffer);
  const std::size_t n =
      buffer.bytes.CopyOut(there.begin, into.first(std::min(into.size(), there.end - there.begin)));
  if (!peek && !into.empty()) Consume(cx, tcb, buffer, there.begin + n);
  return n;
}

Chunk* LendStream(Context& cx, Tcb& tcb, Slice& piece) {
  if (tcb.receive_buffer == kNoSlot) return nullptr;
  ReceiveBuffer& buffer = cx.buffers.receive[tcb.receive_buffer];
  const Stretch there = NextStretch(cx, tcb, buffer);
  if (there.begin != 0) Consume(cx, tcb, buffer, there.begin);
  const std::size_t most = there.end - there.begin;
  if (most == 0) return nullptr;
  Chunk* chunk = nullptr;
  piece = buffer.bytes.Front(&chunk);
  piece.size = std::min(piece.size, most);
  cx.buffers.chunks.Ref(chunk);
  buffer.borrowed += static_cast<std::uint32_t>(piece.size);
  Consume(cx, tcb, buffer, piece.size);
  return chunk;
}

Result<std::size_t> TakeUrgentByte(Context& cx, Tcb& tcb, std::span<std::byte> into, bool peek) {
  const ReceiveBuffer* known = Received(cx, tcb);
  if (!Announced(known) || known->urgent == Urgent::kRead || tcb.options->urgent_inline) {
    return std::unexpected(Error::kInvalid);
  }
  if (known->urgent == Urgent::kAwaited) {
    const bool over = tcb.fin_received || tcb.read_shut || tcb.state == State::kClosed;
    if (over) return 0;
    return std::unexpected(Error::kWouldBlock);
  }
  ReceiveBuffer& buffer = cx.buffers.receive[tcb.receive_buffer];
  if (!peek) buffer.urgent = Urgent::kRead;
  if (into.empty()) return 0;
  into[0] = buffer.urgent_byte;
  return 1;
}

}  // namespace estab::tcp
