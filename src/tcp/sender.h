// What to send next. Planning changes nothing; committing follows once the link has taken it.
#pragma once

#include "tcp/context.h"
#include "tcp/recovery.h"
#include "tcp/send_queue.h"
#include "wire/segment.h"

namespace estab::tcp {

/// One segment to be sent.
struct Plan {
  enum class Kind : std::uint8_t { kNothing, kSyn, kData, kAck, kProbe };
  Kind kind = Kind::kNothing;
  bool repeat = false;      // it was sent before
  bool tracked = false;     // it repeats `segment` of the scoreboard, or a part of it
  bool tail_probe = false;  // RFC 8985 §7.3
  bool mtu_probe = false;   // larger than the path is known to take (RFC 4821)
  bool last = false;        // nothing that is queued lies behind it
  Flight::Index segment = 0;
  std::uint32_t offset = 0;  // of the payload, in the send buffer
  std::uint32_t length = 0;
  std::uint16_t piece =
      0;  // of a super-segment: payload of each segment but the last; 0: it is one
  std::uint16_t flags = 0;  // the last segment's
  SndSeq seq;
  /// Segments on the wire that it stands for.
  std::uint32_t count() const { return piece == 0 ? 1 : (length + piece - 1) / piece; }
};

/// The next segment that `tcb` has to send now, or nothing.
Plan PlanSegment(const Context& cx, const Tcb& tcb);

/// Whether it is worth asking PlanSegment. False: it would find nothing.
inline bool MayOwe(const Context& cx, const Tcb& tcb) {
  if (tcb.acks_owed != 0 || tcb.pending.to_send() || SendEnd(cx, tcb) > tcb.snd.nxt) return true;
  return tcb.send_buffer != kNoSlot && LossOf(cx, tcb)->flight.lost_count() != 0;
}

/// Makes a super-segment of `plan` (from PlanSegment just now) if the segments that would follow it
/// at this moment are new data too: up to `most` bytes of payload in all, and no more than the
/// connection's rate makes of a millisecond (Linux: tcp_tso_autosize). What goes on the wire, and
/// what is written down of it, is what it would have been without. It may take memory to write it
/// down in.
void GrowPlan(const Context& cx, const Tcb& tcb, std::uint32_t most, Plan& plan);
/// The first `segments` of a super-segment, which are all or fewer.
void KeepFirst(std::uint32_t segments, Plan& plan);
/// What of a super-segment's flags the segments before its last one carry.
constexpr std::uint16_t WithoutEnd(std::uint16_t flags) {
  return static_cast<std::uint16_t>(flags & ~(kPsh | kFin));
}
/// About half of `plan`, which was too much in one packet; a super-segment stays whole segments.
void HalvePlan(Plan& plan);

/// The plan as a segment, payload apart.
wire::Segment MakeSegment(const Context& cx, const Tcb& tcb, const Plan& plan);

/// The reset that gives a connection up: the next number, and what every segment of the connection
/// carries, its timestamp included (without it the peer's PAWS or RFC 7323 §3.2 might drop it).
wire::Segment MakeReset(const Context& cx, const Tcb& tcb);

/// Takes note that `plan`, as `segment`, is on its way.
void CommitSegment(Context& cx, Tcb& tcb, const Plan& plan, const wire::Segment& segment);

/// Sends what is queued although TCP_CORK or MSG_MORE hold it back (TCP_NODELAY, whenever it is
/// set). TCP_CORK holds on for what comes later.
void PushOnce(const Context& cx, Tcb& tcb);

/// Bytes that the peer's window leaves beyond SND.NXT.
std::uint32_t UsableWindow(const Tcb& tcb);
/// Whether the window lets the next data or FIN go, nothing being in flight (RFC 9293 §3.8.6.2.1).
bool WindowAllowsSending(const Context& cx, const Tcb& tcb);

}  // namespace estab::tcp
