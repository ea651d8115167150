#include "tcp/sender.h"

#include <algorithm>

#include "tcp/ack_policy.h"
#include "tcp/fast_open.h"
#include "tcp/negotiation.h"
#include "tcp/policy.h"
#include "tcp/receiver.h"
#include "tcp/rtt.h"
#include "tcp/send_queue.h"
#include "tcp/timers.h"
#include "tcp/urgent.h"

namespace estab::tcp {
namespace {

constexpr StateSet kSendsData = In(State::kEstablished) | In(State::kCloseWait) |
                                In(State::kFinWait1) | In(State::kClosing) | In(State::kLastAck);

// Whether a small segment at the end of the queue waits: for more, if the user has said that more
// will come; or by Nagle as Minshall refines it (and Linux does it), for another small one's ACK.
bool Holds(const Context& cx, const Tcb& tcb) {
  if (tcb.fin_queued || UrgentMode(cx, tcb)) return false;
  if (tcb.options->cork || tcb.more) return true;
  if (tcb.options->no_delay) return false;
  return tcb.snd.small > tcb.snd.una && tcb.snd.small <= tcb.snd.max;
}

// The sender's half of silly-window avoidance (RFC 9293 §3.8.6.2.1).
bool WorthSending(const Context& cx, const Tcb& tcb, std::uint32_t length, bool last, bool repeat) {
  if (length >= tcb.send_mss || repeat || tcb.pending.force) return true;
  if (last && !Holds(cx, tcb)) return true;
  return !last && tcb.snd.max_wnd != 0 && length >= (tcb.snd.max_wnd + 1) / 2;
}

// Data, or the FIN, from `seq` on; `room` bytes at most.
Plan DataFrom(const Context& cx, const Tcb& tcb, SndSeq seq, std::uint32_t room) {
  Plan plan;
  const SndSeq end = DataEnd(cx, tcb);
  const std::uint32_t available = seq < end ? static_cast<std::uint32_t>(end - seq) : 0;
  plan.seq = seq;
  plan.offset = static_cast<std::uint32_t>(seq - FirstByte(tcb));
  plan.length = std::min({available, std::uint32_t{tcb.send_mss}, room});
  plan.flags = kAck;
  plan.last = plan.length == available;
  const bool fin = tcb.fin_queued && !tcb.fin_acked && plan.last && plan.length < room &&
                   seq + plan.length == end;
  if (plan.length == 0 && !fin) return Plan{};
  if (fin) plan.flags |= kFin;
  if (plan.length != 0 && plan.last && (!tcb.more || fin)) plan.flags |= kPsh;
  plan.repeat = seq < tcb.snd.max;
  plan.kind = Plan::Kind::kData;
  return plan;
}

Plan PlanHead(const Context& cx, const Tcb& tcb) {
  // What is repeated was allowed by the window once; a peer that took it back still gets this one.
  const auto sent = static_cast<std::uint32_t>(tcb.snd.max - tcb.snd.una);
  Plan plan = DataFrom(cx, tcb, tcb.snd.una, std::max<std::uint32_t>(sent, 1));
  plan.head = true;
  return plan;
}

Plan PlanData(const Context& cx, const Tcb& tcb) {
  if (SendEnd(cx, tcb) <= tcb.snd.nxt) return Plan{};
  std::uint32_t room = UsableWindow(tcb);
  // An unacknowledged SYN (closed in SYN_RCVD) does not hold back the FIN behind it.
  const auto flight = static_cast<std::uint32_t>(tcb.snd.nxt - FirstByte(tcb));
  const bool oldest_again = flight == 0 && tcb.snd.nxt < tcb.snd.max;
  // A repeat may pass a window that has shrunk, but not take along what was never sent.
  if (oldest_again) room = std::max(room, Outstanding(tcb));
  Plan plan = DataFrom(cx, tcb, tcb.snd.nxt, room);
  if (plan.kind == Plan::Kind::kNothing) return plan;
  const bool fits = flight == 0 || flight + plan.length <= tcb.cwnd;
  if (!fits || !WorthSending(cx, tcb, plan.length, plan.last, plan.repeat)) return Plan{};
  return plan;
}

Plan PlanSyn(const Context& cx, const Tcb& tcb) {
  Plan plan;
  plan.kind = Plan::Kind::kSyn;
  plan.seq = tcb.snd.iss;
  plan.flags = kSyn;
  if (tcb.state != State::kSynSent) plan.flags |= kAck;
  plan.repeat = tcb.snd.max != tcb.snd.iss;
  // Data rides on the first SYN only: what ate that may have disliked it (RFC 7413 §4.1.3).
  if (tcb.fast_open == FastOpen::kData && !plan.repeat) {
    plan.length = std::min(cx.buffers.SendSize(tcb), SynDataRoom(tcb));
  }
  return plan;
}

Plan PlanAck(const Tcb& tcb, bool probe) {
  Plan plan;
  plan.kind = probe ? Plan::Kind::kProbe : Plan::Kind::kAck;
  plan.seq = probe ? tcb.snd.una - 1 : tcb.snd.max;
  plan.flags = kAck;
  return plan;
}

void AddTimestamp(const Context& cx, const Tcb& tcb, wire::TcpOptions& options) {
  options.has_timestamp = tcb.timestamps;
  if (!tcb.timestamps) return;
  options.ts_value = TimestampNow(cx, tcb.ts.offset);
  options.ts_echo = tcb.ts.recent;
}

// The path takes send_mss bytes of payload and SACK blocks together: data comes first.
void FitSackBlocks(const Tcb& tcb, std::uint32_t length, wire::TcpOptions& options) {
  const std::uint32_t room = length < tcb.send_mss ? tcb.send_mss - length : 0;
  while (length != 0 && options.sack_count != 0 && 4u + 8u * options.sack_count > room) {
    --options.sack_count;
  }
}

void MakeSyn(const Context& cx, const Tcb& tcb, wire::Segment& segment) {
  Offer offer = MakeOffer(cx.settings, *tcb.options, tcb.announced_mss);
  // There the SYN|ACK of a simultaneous open is our SYN once more, with all that it offered.
  const bool offers_again =
      tcb.state == State::kSynRcvd && !tcb.passive && cx.settings.policy.crossed_syn_ack_as_linux;
  if (!offers_again) {
    offer.timestamps = tcb.timestamps;
    offer.window_scaling = tcb.window_scaling;
    offer.window_scale = tcb.receive_scale;
    offer.sack = tcb.sack;
  }
  const bool answers = segment.Has(kAck);
  segment.options = SynOptions(offer, TimestampNow(cx, tcb.ts.offset), answers ? tcb.ts.recent : 0);
  segment.window = offer.window;
  // As in the SYN|ACK of a half-open record.
  if (tcb.passive) {
    const std::uint32_t payload = tcb.announced_mss - (tcb.timestamps ? kTimestampRoom : 0u);
    segment.window = FirstWindow(cx.settings, *tcb.options, payload);
  }
}

// The first transmission of new data may be timed; one measurement at a time (RFC 6298 §3).
void StartTiming(Context& cx, Tcb& tcb, SndSeq end) {
  if (tcb.timing) return;
  tcb.timing = true;
  tcb.rtt.timed_end = end;
  tcb.rtt.timed_at = cx.now;
}

void CommitSyn(Context& cx, Tcb& tcb, const Plan& plan) {
  tcb.pending.syn = false;
  tcb.snd.nxt = Later(tcb.snd.nxt, plan.seq + 1 + plan.length);
  tcb.bytes_sent += plan.length;
  tcb.snd.max = Later(tcb.snd.max, tcb.snd.nxt);
  if (!plan.repeat) StartTiming(cx, tcb, plan.seq + 1);
}

// CLOSE_WAIT, where the FIN of a close has waited behind data.
void NoteFinSent(Context& cx, Tcb& tcb) {
  if (tcb.state != State::kCloseWait) return;
  cx.cause = Cause{};
  cx.cause.call = CallKind::kClose;
  Apply(cx, tcb, RuleId::kLastFinSent);
}

void CommitData(Context& cx, Tcb& tcb, const Plan& plan) {
  const SndSeq end = plan.seq + plan.length + ((plan.flags & kFin) != 0 ? 1u : 0u);
  tcb.bytes_sent += plan.length;
  tcb.last_sent = cx.stamp();
  tcb.pending.force = false;
  if (plan.head) tcb.pending.head = false;
  if (end > tcb.snd.max) {
    if (!plan.repeat) StartTiming(cx, tcb, end);
  } else if (tcb.timing && plan.repeat && end >= tcb.rtt.timed_end) {
    tcb.timing = false;  // Karn
  }
  if (plan.length < tcb.send_mss && plan.length != 0) tcb.snd.small = end;
  tcb.snd.nxt = Later(tcb.snd.nxt, end);
  tcb.snd.max = Later(tcb.snd.max, end);
  if (tcb.retransmit_at == kNever || tcb.persisting) ArmRetransmit(cx, tcb, BackedOffRto(cx, tcb));
  if (plan.length != 0) NoteDataSent(cx, tcb);
  if ((plan.flags & kFin) != 0) NoteFinSent(cx, tcb);
}

}  // namespace

std::uint32_t UsableWindow(const Tcb& tcb) {
  const std::int32_t usable = (tcb.snd.una + tcb.snd.wnd) - tcb.snd.nxt;
  return usable > 0 ? static_cast<std::uint32_t>(usable) : 0;
}

void PushOnce(const Context& cx, Tcb& tcb) {
  const bool held = tcb.options->cork || tcb.more;
  const bool waits = IsIn(tcb.state, kSendsData) && DataEnd(cx, tcb) > tcb.snd.nxt;
  if (held && waits && UsableWindow(tcb) > 0) tcb.pending.force = true;
  // If one small segment is all that waits, it goes as it was marked: after MSG_MORE without PSH.
  const bool one = waits && DataEnd(cx, tcb) < tcb.snd.nxt + tcb.send_mss;
  if (!one || !tcb.pending.force) tcb.more = false;
}

bool WindowAllowsSending(const Context& cx, const Tcb& tcb) {
  const Plan plan = DataFrom(cx, tcb, tcb.snd.nxt, UsableWindow(tcb));
  return plan.kind != Plan::Kind::kNothing && WorthSending(cx, tcb, plan.length, plan.last, false);
}

Plan PlanSegment(const Context& cx, const Tcb& tcb) {
  if (tcb.pending.syn) return PlanSyn(cx, tcb);
  if (!IsIn(tcb.state, kSynchronized | In(State::kSynRcvd))) return Plan{};
  // A duplicate ACK must not carry data, or it is none (RFC 5681 §2): it goes first, by itself.
  if (tcb.acks_owed != 0 && tcb.reassembly != kNoSlot) return PlanAck(tcb, false);
  if (IsIn(tcb.state, kSendsData) || OpenedOnSyn(tcb)) {
    Plan plan;
    if (tcb.pending.head && Outstanding(tcb) != 0) plan = PlanHead(cx, tcb);
    if (plan.kind == Plan::Kind::kNothing) plan = PlanData(cx, tcb);
    if (plan.kind != Plan::Kind::kNothing) return plan;
  }
  if (tcb.pending.probe) return PlanAck(tcb, true);
  if (tcb.acks_owed != 0) return PlanAck(tcb, false);
  return Plan{};
}

wire::Segment MakeSegment(const Context& cx, const Tcb& tcb, const Plan& plan) {
  wire::Segment segment;
  segment.source_port = tcb.tuple.local.port;
  segment.destination_port = tcb.tuple.remote.port;
  segment.seq = plan.seq.raw();
  segment.flags = plan.flags;
  if ((plan.flags & kAck) != 0) segment.ack = tcb.rcv.nxt.raw();
  if (plan.kind == Plan::Kind::kSyn) {
    MakeSyn(cx, tcb, segment);
    return segment;
  }
  AddTimestamp(cx, tcb, segment.options);
  if (tcb.sack) AddSackBlocks(cx, tcb, segment.options);
  FitSackBlocks(tcb, plan.length, segment.options);
  segment.window = WindowField(cx, tcb);
  PutUrgentPointer(cx, tcb, segment);
  return segment;
}

wire::Segment MakeReset(const Context& cx, const Tcb& tcb) {
  wire::Segment reset;
  reset.source_port = tcb.tuple.local.port;
  reset.destination_port = tcb.tuple.remote.port;
  reset.seq = tcb.snd.max.raw();
  reset.flags = kRst | kAck;
  reset.ack = tcb.rcv.nxt.raw();
  AddTimestamp(cx, tcb, reset.options);
  const std::uint32_t open =
      tcb.rcv.adv > tcb.rcv.nxt ? static_cast<std::uint32_t>(tcb.rcv.adv - tcb.rcv.nxt) : 0u;
  reset.window = static_cast<std::uint16_t>(std::min(open >> tcb.receive_scale, 65535u));
  return reset;
}

void CommitSegment(Context& cx, Tcb& tcb, const Plan& plan, const wire::Segment& segment) {
  ++tcb.segments_out;
  if (plan.repeat) ++tcb.segments_repeated;
  switch (plan.kind) {
    case Plan::Kind::kSyn:
      CommitSyn(cx, tcb, plan);
      break;
    case Plan::Kind::kData:
      CommitData(cx, tcb, plan);
      break;
    case Plan::Kind::kProbe:
      tcb.pending.probe = false;
      break;
    case Plan::Kind::kAck:
      --tcb.acks_owed;
      break;
    case Plan::Kind::kNothing:
      return;
  }
  if (!segment.Has(kAck)) return;
  if (plan.kind != Plan::Kind::kAck) tcb.acks_owed = 0;
  // The window of a SYN|ACK is not scaled (RFC 7323 §2.2).
  const bool syn = plan.kind == Plan::Kind::kSyn;
  NoteAckSent(cx, tcb, syn ? tcb.rcv.nxt + segment.window : AnnouncedEdge(tcb, segment.window));
}

}  // namespace estab::tcp
