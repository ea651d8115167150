#include "tcp/receiver.h"

#include <algorithm>

#include "tcp/ack_policy.h"
#include "tcp/ecn.h"
#include "tcp/policy.h"
#include "tcp/reassembly.h"
#include "tcp/sack_blocks.h"

namespace estab::tcp {
namespace {

// Whether nobody will read what arrives: SHUT_RD, unless it only ends reading (Linux).
bool Discards(const Context& cx, const Tcb& tcb) {
  return tcb.read_shut && (tcb.orphan || cx.settings.policy.shut_read_discards);
}

// The last eighth of the memory is for those who read what they get: a connection with much unread
// has no share in it, or a few idle ones could starve all others.
bool Hoards(const Context& cx, const Tcb& tcb) {
  return cx.buffers.NearlyFull() && cx.buffers.ReceiveHeld(tcb) >= cx.settings.rmem[0];
}

// Under pressure every connection keeps a least window, so that those who read go on.
std::uint32_t LeastWindow(const Context& cx) {
  return static_cast<std::uint32_t>(cx.settings.rmem[0]);
}

// Puts data that is next in order where the user can read it; returns how much memory allowed.
std::uint32_t Deliver(Context& cx, Tcb& tcb, std::span<const std::byte> data) {
  ReceiveBuffer* buffer = Hoards(cx, tcb) ? nullptr : cx.buffers.AttachReceive(tcb);
  const std::size_t taken = buffer == nullptr ? 0 : buffer->bytes.Append(cx.buffers.chunks, data);
  tcb.pending.news = true;
  tcb.rcv.nxt += static_cast<std::uint32_t>(taken);
  tcb.bytes_received += taken;
  return static_cast<std::uint32_t>(taken);
}

// The same, if somebody will read it.
std::uint32_t DeliverOrDiscard(Context& cx, Tcb& tcb, std::span<const std::byte> data) {
  if (!Discards(cx, tcb) && !data.empty()) return Deliver(cx, tcb, data);
  const auto size = static_cast<std::uint32_t>(data.size());
  tcb.rcv.nxt += size;
  tcb.bytes_received += size;
  return size;
}

// Not all of a segment's data could be kept: the peer hears at once how far it was.
RuleId Overflows(const Context& cx, Tcb& tcb) {
  ++cx.buffers.pressure.drops;
  AckNow(tcb);
  return RuleId::kDataNoRoom;
}

// Moves what the new RCV.NXT has reached from reassembly to the receive queue.
bool DeliverReassembled(Context& cx, Tcb& tcb, bool& fin) {
  if (tcb.reassembly == kNoSlot) return false;
  Reassembly& waiting = cx.buffers.reassembly[tcb.reassembly];
  bool moved = false;
  ByteQueue bytes;
  while (PopReached(cx.buffers, waiting, tcb.rcv.nxt, bytes)) {
    moved = true;
    tcb.rcv.nxt += bytes.size();
    tcb.bytes_received += bytes.size();
    ReceiveBuffer* buffer = Discards(cx, tcb) ? nullptr : cx.buffers.AttachReceive(tcb);
    if (buffer != nullptr) {
      buffer->bytes.Splice(cx.buffers.chunks, bytes);
    } else {
      bytes.Clear(cx.buffers.chunks);
    }
  }
  if (waiting.has_fin && waiting.fin == tcb.rcv.nxt) {
    fin = true;
    waiting.has_fin = false;
  }
  return moved;
}

// The peer's stream ends at the FIN it sent first, although we could not take that yet.
void CutAtHeldFin(const Context& cx, const Tcb& tcb, Arriving& segment) {
  if (tcb.reassembly == kNoSlot || !cx.buffers.reassembly[tcb.reassembly].has_fin) return;
  const RcvSeq fin = cx.buffers.reassembly[tcb.reassembly].fin;
  const std::size_t room = fin > segment.seq ? static_cast<std::size_t>(fin - segment.seq) : 0;
  segment.data = segment.data.first(std::min(segment.data.size(), room));
  segment.fin = segment.fin && segment.seq + static_cast<std::uint32_t>(segment.data.size()) == fin;
}

// A run takes a chunk of memory, however little it holds: as many are kept as take twice what the
// receive buffer holds, so that a peer that sends single bytes gains nothing. Whole segments fit,
// even if every other one is lost.
std::uint32_t MostRuns(const Context& cx, const Tcb& tcb) {
  constexpr std::uint32_t kLeast = 16;
  return std::max(ReceiveLimit(cx.settings, tcb) / std::uint32_t{Chunk::kSmall} * 2, kLeast);
}

// What of [begin, end) waits already has come twice.
void NoteOverlap(Context& cx, Tcb& tcb, RcvSeq begin, RcvSeq end) {
  if (tcb.reassembly == kNoSlot) return;
  const auto twice = Overlap(cx.buffers, cx.buffers.reassembly[tcb.reassembly], begin, end);
  if (twice) NoteDuplicate(cx, tcb, twice->begin, twice->end);
}

RuleId TakeOutOfOrder(Context& cx, Tcb& tcb, Arriving& segment) {
  AckNow(tcb);
  TakeMark(tcb, segment);
  Reassembly* waiting = cx.buffers.AttachReassembly(tcb);
  if (waiting != nullptr) {
    const RcvSeq end = segment.seq + static_cast<std::uint32_t>(segment.data.size());
    NoteOverlap(cx, tcb, segment.seq, end);
  }
  const bool kept = waiting != nullptr &&
                    Insert(cx.buffers, *waiting, MostRuns(cx, tcb), segment.seq, segment.data);
  if (kept && segment.fin) {
    waiting->has_fin = true;
    waiting->fin = segment.seq + static_cast<std::uint32_t>(segment.data.size());
    CutAt(cx.buffers, *waiting, waiting->fin);
  }
  segment.fin = false;
  if (!kept) ++cx.buffers.pressure.drops;
  return kept ? RuleId::kDataOutOfOrder : RuleId::kDataNoRoom;
}

}  // namespace

void NoteRead(const Context& cx, Tcb& tcb) {
  const RcvSeq read = tcb.rcv.nxt - cx.buffers.ReceiveHeld(tcb);
  const auto now = static_cast<std::uint16_t>(cx.stamp());
  const std::uint32_t trip_ms = std::max(tcb.rtt.srtt8 / 8 / 1000, 1u);
  if (static_cast<std::uint16_t>(now - tcb.rtt.read_round) < trip_ms) return;
  const auto taken = static_cast<std::uint32_t>(read - tcb.rcv.round);
  const std::int64_t limit = ReceiveLimit(cx.settings, tcb);
  const bool may_grow = cx.settings.moderate_rcvbuf != 0 && tcb.options->receive_buffer == 0 &&
                        limit < cx.settings.rmem[2] && !cx.buffers.UnderPressure();
  // Twice of it, so that the peer's next round trip may bring twice as much.
  if (may_grow && std::int64_t{2} * taken > limit) ++tcb.receive_growth;
  tcb.rtt.read_round = now;
  tcb.rcv.round = read;
}

void NoteWindowHeld(const Context& cx, const Tcb& tcb) {
  if (cx.buffers.UnderPressure() && ReceiveLimit(cx.settings, tcb) > LeastWindow(cx)) {
    ++cx.buffers.pressure.windows_held;
  }
}

std::uint16_t WindowField(const Context& cx, const Tcb& tcb) {
  const std::uint32_t limit = ReceiveLimit(cx.settings, tcb);
  const std::uint32_t held = cx.buffers.ReceiveHeld(tcb);
  const std::uint32_t most = cx.buffers.UnderPressure() ? std::min(limit, LeastWindow(cx)) : limit;
  const std::uint32_t free = held < most ? most - held : 0;
  const RcvSeq candidate = tcb.rcv.nxt + free;
  const std::uint32_t worthwhile = std::min<std::uint32_t>(tcb.announced_mss, limit / 2);
  const bool opens = candidate - tcb.rcv.adv >= static_cast<std::int32_t>(worthwhile);
  const RcvSeq edge = opens ? candidate : tcb.rcv.adv;
  const auto window = edge > tcb.rcv.nxt ? static_cast<std::uint32_t>(edge - tcb.rcv.nxt) : 0u;
  const std::uint32_t unit = 1u << tcb.receive_scale;
  return static_cast<std::uint16_t>(
      std::min<std::uint32_t>((window + unit - 1) >> tcb.receive_scale, 65535));
}

RcvSeq AnnouncedEdge(const Tcb& tcb, std::uint16_t window) {
  return tcb.rcv.nxt + (std::uint32_t{window} << tcb.receive_scale);
}

RuleId TakeNextText(Context& cx, Tcb& tcb, const Arriving& segment) {
  NoteDataArrived(cx, tcb, segment.header.largest());
  TakeMark(tcb, segment);
  if (Deliver(cx, tcb, segment.data) < segment.data.size()) return Overflows(cx, tcb);
  ScheduleAck(cx, tcb);
  return RuleId::kData;
}

RuleId TakeMoreText(Context& cx, Tcb& tcb, std::span<const std::byte> data) {
  NoteMoreArrived(cx, tcb, static_cast<std::uint32_t>(data.size()));
  if (Deliver(cx, tcb, data) < data.size()) return Overflows(cx, tcb);
  ScheduleAck(cx, tcb);
  return RuleId::kData;
}

RuleId TakeText(Context& cx, Tcb& tcb, Arriving& segment) {
  CutAtHeldFin(cx, tcb, segment);
  if (segment.seq != tcb.rcv.nxt) return TakeOutOfOrder(cx, tcb, segment);
  const auto size = static_cast<std::uint32_t>(segment.data.size());
  // What had come before counts too: it shows how the peer sends.
  NoteDataArrived(cx, tcb, segment.header.largest());
  TakeMark(tcb, segment);
  NoteOverlap(cx, tcb, segment.seq, segment.seq + size);
  if (DeliverOrDiscard(cx, tcb, segment.data) < size) {
    segment.fin = false;
    return Overflows(cx, tcb);
  }
  const bool own_fin = segment.fin;
  if (own_fin) cx.buffers.DropReassembly(tcb);  // nothing lies beyond a FIN
  const bool filled = DeliverReassembled(cx, tcb, segment.fin);
  const bool gap_remains =
      tcb.reassembly != kNoSlot && !cx.buffers.reassembly[tcb.reassembly].runs.empty();
  const bool reached_fin = segment.fin && !own_fin;  // it had waited behind the gap
  if (filled || gap_remains || reached_fin) {
    AckNow(tcb);
  } else if (!own_fin) {  // a FIN decides for both
    ScheduleAck(cx, tcb);
  }
  if (filled) return RuleId::kDataFillsGap;
  return Discards(cx, tcb) ? RuleId::kDataDiscarded : RuleId::kData;
}

}  // namespace estab::tcp
