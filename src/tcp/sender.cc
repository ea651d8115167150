#include "tcp/sender.h"

#include <algorithm>

#include "tcp/ack_policy.h"
#include "tcp/congestion/congestion.h"
#include "tcp/delivery.h"
#include "tcp/ecn.h"
#include "tcp/fast_open.h"
#include "tcp/negotiation.h"
#include "tcp/pacing.h"
#include "tcp/path_mtu.h"
#include "tcp/policy.h"
#include "tcp/receiver.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/sack_blocks.h"
#include "tcp/send_queue.h"
#include "tcp/tail_probe.h"
#include "tcp/timers.h"
#include "tcp/urgent.h"
#include "tcp/window_use.h"

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
  return tcb.snd.small > tcb.snd.una && tcb.snd.small <= tcb.snd.nxt;
}

// The sender's half of silly-window avoidance (RFC 9293 §3.8.6.2.1).
bool WorthSending(const Context& cx, const Tcb& tcb, std::uint32_t length, bool last) {
  if (length >= tcb.send_mss || tcb.pending.force) return true;
  if (last && !Holds(cx, tcb)) return true;
  return !last && tcb.snd.max_wnd != 0 && length >= (tcb.snd.max_wnd + 1) / 2;
}

// Data, or the FIN, from `seq` on; `room` bytes at most, in a segment of `size`.
Plan DataFrom(const Context& cx, const Tcb& tcb, SndSeq seq, std::uint32_t room,
              std::uint32_t size) {
  Plan plan;
  const SndSeq end = DataEnd(cx, tcb);
  const std::uint32_t available = seq < end ? static_cast<std::uint32_t>(end - seq) : 0;
  plan.seq = seq;
  plan.offset = static_cast<std::uint32_t>(seq - FirstByte(tcb));
  plan.length = std::min({available, size, room});
  plan.flags = kAck;
  plan.last = plan.length == available;
  const bool fin = tcb.fin_queued && !tcb.fin_acked && plan.last && plan.length < room &&
                   seq + plan.length == end;
  if (plan.length == 0 && !fin) return Plan{};
  if (fin) plan.flags |= kFin;
  if (plan.length != 0 && plan.last && (!tcb.more || fin)) plan.flags |= kPsh;
  plan.repeat = seq < tcb.snd.nxt;
  plan.kind = Plan::Kind::kData;
  return plan;
}

Plan DataFrom(const Context& cx, const Tcb& tcb, SndSeq seq, std::uint32_t room) {
  return DataFrom(cx, tcb, seq, room, tcb.send_mss);
}

// What is repeated was allowed by the window once; a peer that took it back still gets the oldest.
Plan PlanHead(const Context& cx, const Tcb& tcb) {
  return DataFrom(cx, tcb, FirstByte(tcb), std::max<std::uint32_t>(Outstanding(tcb), 1));
}

// Where repeating segment `i` goes on: a part of it may be under way already.
SndSeq RepeatFrom(const LossState& loss, Flight::Index i) {
  const SndSeq begin = loss.flight.BeginOf(i);
  const bool begun = loss.repeat_from > begin && loss.repeat_from < loss.flight[i].end;
  return begun ? loss.repeat_from : begin;
}

// How far one segment that repeats `i` may reach: into the next one, if that is lost too and larger
// than a segment is now, lest every one of them leaves a small rest.
SndSeq RepeatTo(const Tcb& tcb, const LossState& loss, Flight::Index i) {
  const Flight& flight = loss.flight;
  const Flight::Index next = i + 1;
  const bool both = i != flight.last() && flight[next].where == SentSegment::Where::kLost &&
                    flight.SizeOf(next) > tcb.send_mss;
  return flight[both ? next : i].end;
}

// Segment `i` of the scoreboard again, or what is left of it.
Plan PlanRepeatOf(const Context& cx, const Tcb& tcb, const LossState& loss, Flight::Index i) {
  const SndSeq from = RepeatFrom(loss, i);
  auto room = static_cast<std::uint32_t>(RepeatTo(tcb, loss, i) - from);
  if (from != FirstByte(tcb)) {
    const SndSeq edge = tcb.snd.una + tcb.snd.wnd;
    if (edge <= from) return Plan{};
    room = std::min(room, static_cast<std::uint32_t>(edge - from));
  }
  Plan plan = DataFrom(cx, tcb, from, room);
  plan.tracked = true;
  plan.segment = i;
  return plan;
}

// The first of what is lost, if the window allows it.
Plan PlanRepeat(const Context& cx, const Tcb& tcb) {
  const LossState* loss = LossOf(cx, tcb);
  if (loss == nullptr) return tcb.pending.head ? PlanHead(cx, tcb) : Plan{};
  Flight::Index i;
  if (!loss->flight.FirstLost(i)) return Plan{};
  // The parts that are out count when all of them are.
  const SndSeq from = RepeatFrom(*loss, i);
  const auto begun = static_cast<std::uint32_t>(from - loss->flight.BeginOf(i));
  const std::uint32_t out = Pipe(cx, tcb) + begun;
  const auto rest = static_cast<std::uint32_t>(RepeatTo(tcb, *loss, i) - from);
  if (out != 0 && out + std::min<std::uint32_t>(rest, tcb.send_mss) > tcb.cwnd) return Plan{};
  return PlanRepeatOf(cx, tcb, *loss, i);
}

bool HasRoom(const LossState* loss) { return loss == nullptr || loss->flight.HasRoom(); }

Plan PlanNew(const Context& cx, const Tcb& tcb) {
  if (SendEnd(cx, tcb) <= tcb.snd.nxt || !HasRoom(LossOf(cx, tcb))) return Plan{};
  const MtuProbe probe = NextMtuProbe(cx, tcb);
  if (probe.what == MtuProbe::What::kWait) return Plan{};
  if (probe.what == MtuProbe::What::kSend) {
    Plan plan = DataFrom(cx, tcb, tcb.snd.nxt, UsableWindow(tcb), probe.length);
    plan.mtu_probe = true;
    return plan;
  }
  const Plan plan = DataFrom(cx, tcb, tcb.snd.nxt, UsableWindow(tcb));
  if (plan.kind == Plan::Kind::kNothing) return plan;
  const std::uint32_t pipe = Pipe(cx, tcb);
  const bool fits = pipe == 0 || pipe + plan.length <= tcb.cwnd;
  if (!fits || !WorthSending(cx, tcb, plan.length, plan.last)) return Plan{};
  return plan;
}

// RFC 8985 §7.3: new data if there is some and the window takes a segment of it, or the last
// segment again; the congestion window does not count.
Plan PlanTailProbe(const Context& cx, const Tcb& tcb) {
  const LossState* loss = LossOf(cx, tcb);
  if (loss == nullptr || loss->flight.empty()) return Plan{};
  Plan plan;
  if (loss->flight.HasRoom()) plan = DataFrom(cx, tcb, tcb.snd.nxt, UsableWindow(tcb));
  const bool whole = plan.length >= tcb.send_mss || plan.last;
  if (plan.kind == Plan::Kind::kNothing || !whole) {
    plan = PlanRepeatOf(cx, tcb, *loss, loss->flight.last());
  }
  plan.tail_probe = true;
  return plan;
}

// While pacing holds the rest back: the first repeat of what has timed out, a FIN, and what the
// persist timer forces.
Plan PlanUnpaced(const Context& cx, const Tcb& tcb, const LossState& loss) {
  if (Pipe(cx, tcb) == 0 && loss.flight.lost_count() != 0) return PlanRepeat(cx, tcb);
  const Plan plan = PlanNew(cx, tcb);
  return plan.length == 0 || tcb.pending.force ? plan : Plan{};
}

// Data, new or again, and the FIN. What is lost goes first, but for F-RTO's question.
Plan PlanData(const Context& cx, const Tcb& tcb) {
  const LossState* loss = LossOf(cx, tcb);
  Plan plan;
  if (tcb.pending.tail) plan = PlanTailProbe(cx, tcb);
  if (plan.kind != Plan::Kind::kNothing) return plan;
  if (loss != nullptr && PaceHolds(cx, tcb, *loss)) return PlanUnpaced(cx, tcb, *loss);
  if (loss != nullptr && loss->new_data_first) {
    plan = PlanNew(cx, tcb);
    if (plan.kind != Plan::Kind::kNothing || tcb.snd.nxt > tcb.recover) return plan;
  }
  plan = PlanRepeat(cx, tcb);
  return plan.kind != Plan::Kind::kNothing ? plan : PlanNew(cx, tcb);
}

// Whether what follows `plan` can be told from it alone: full segments of new data, with nothing
// special about any of them.
bool MayGrow(const Context& cx, const Tcb& tcb, const LossState& loss, const Plan& plan) {
  const bool plain = plan.kind == Plan::Kind::kData && !plan.repeat && !plan.last &&
                     plan.length == tcb.send_mss && !plan.mtu_probe && !plan.tail_probe;
  const bool calm = !tcb.pending.force && !tcb.pending.tail && !tcb.cwr_owed &&
                    !loss.new_data_first && loss.flight.lost_count() == 0;
  return plain && calm && !MtuSearchGoesOn(cx, tcb) && !UrgentMode(cx, tcb);
}

// The last segment of a super-segment of `plan` that ends with what begins `offset` bytes into it:
// a short one only if nothing but the end of the queue makes it short, and no SACK blocks could go
// with it.
Plan LastOf(const Context& cx, const Tcb& tcb, const Plan& plan, std::uint32_t offset) {
  const Plan last = DataFrom(cx, tcb, plan.seq + offset, UsableWindow(tcb) - offset);
  if (last.length == tcb.send_mss) return last;
  const bool goes = last.last && last.length != 0 && !Holds(cx, tcb) && tcb.reassembly == kNoSlot;
  return goes ? last : Plan{};
}

Plan PlanSyn(const Context& cx, const Tcb& tcb) {
  Plan plan;
  plan.kind = Plan::Kind::kSyn;
  plan.seq = tcb.snd.una;
  plan.flags = kSyn;
  if (tcb.state != State::kSynSent) plan.flags |= kAck;
  plan.repeat = tcb.snd.nxt != tcb.snd.una;
  // Data rides on the first SYN only: what ate that may have disliked it (RFC 7413 §4.1.3).
  if (tcb.fast_open == FastOpen::kData && !plan.repeat) {
    plan.length = std::min(cx.buffers.SendSize(tcb), SynDataRoom(tcb));
  }
  return plan;
}

// The number of a segment without data: SND.NXT; or, where the peer has taken its window back, the
// edge of that, or it would find the segment outside and drop its ACK (Linux: tcp_acceptable_seq).
// An edge that only rounding to the scale has moved back counts as unmoved.
SndSeq AcceptableSeq(const Tcb& tcb) {
  const SndSeq edge = tcb.snd.una + tcb.snd.wnd;
  const bool shrunk = tcb.syn_acked && tcb.snd.nxt - edge >= std::int32_t{1} << tcb.send_scale;
  return shrunk ? edge : tcb.snd.nxt;
}

Plan PlanAck(const Tcb& tcb, bool probe) {
  Plan plan;
  plan.kind = probe ? Plan::Kind::kProbe : Plan::Kind::kAck;
  plan.seq = probe ? tcb.snd.una - 1 : AcceptableSeq(tcb);
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

void CommitSyn(Context& cx, Tcb& tcb, const Plan& plan) {
  tcb.pending.syn = false;
  tcb.snd.nxt = Later(tcb.snd.nxt, plan.seq + 1 + plan.length);
  tcb.bytes_sent += plan.length;
  if (plan.repeat) return;
  BeginSynTiming(tcb, cx.now);
}

// CLOSE_WAIT, where the FIN of a close has waited behind data.
void NoteFinSent(Context& cx, Tcb& tcb) {
  if (tcb.state != State::kCloseWait) return;
  cx.cause = Cause{};
  cx.cause.call = CallKind::kClose;
  Apply(cx, tcb, RuleId::kLastFinSent);
}

// Everything from the beginning of segment `i`, or from where its last part ended, up to `end`.
void TrackRepeat(Context& cx, Tcb& tcb, LossState& loss, Flight::Index i, SndSeq end) {
  Flight& flight = loss.flight;
  loss.repeat_from = flight.begin();  // whatever is repeated next begins at its beginning
  while (flight[i].end <= end) {
    flight.Repeat(i, cx.now);
    MarkSent(cx, tcb, loss, i);
    if (i == flight.last()) return;
    ++i;
  }
  if (flight.BeginOf(i) < end) loss.repeat_from = end;  // but for this one
}

// New data, segment by segment: what a super-segment stands for is lost, SACKed and repeated by
// itself.
void TrackNew(Context& cx, Tcb& tcb, LossState& loss, const Plan& plan, SndSeq end) {
  if (loss.flight.empty()) loss.repeat_from = plan.seq;
  const std::uint32_t count = plan.count();
  SndSeq from = plan.seq;
  for (std::uint32_t n = 1; n <= count; ++n) {
    const SndSeq to = n == count ? end : from + plan.piece;
    loss.flight.Add(from, to, cx.now);
    MarkSent(cx, tcb, loss, loss.flight.last());
    const std::uint32_t bytes =
        n == count ? plan.length - (n - 1) * plan.piece : std::uint32_t{plan.piece};
    tcb.bytes_sent += bytes;
    if (tcb.paced && bytes != 0) NotePaced(cx, tcb, loss, bytes);
    from = to;
  }
  (void)loss.flight.Reserve(cx.buffers.rings);  // for the next; without memory it waits
}

// Writes down what is in flight now. A FIN alone may go without a scoreboard, if there is no memory
// for one: then the retransmission timer looks after it.
void Track(Context& cx, Tcb& tcb, const Plan& plan, SndSeq end) {
  if (!plan.repeat) (void)cx.buffers.AttachSend(tcb);
  LossState* loss = LossOf(cx, tcb);
  if (loss == nullptr) {
    tcb.bytes_sent += plan.length;
    tcb.pending.head = false;
    return;
  }
  if (!plan.repeat) {
    TrackNew(cx, tcb, *loss, plan, end);
  } else {
    if (plan.tracked) TrackRepeat(cx, tcb, *loss, plan.segment, end);
    tcb.bytes_sent += plan.length;
    if (plan.length != 0) NotePaced(cx, tcb, *loss, plan.length);
  }
  NoteSent(cx, tcb, *loss, static_cast<std::uint32_t>(end - plan.seq),
           plan.repeat && !plan.tail_probe);
  // Something is repeated: the answers could not tell any more whose they are.
  if (plan.repeat) loss->mtu_probe.size = 0;
  // If the payload lay in too many pieces the segment is no larger than any other.
  if (plan.mtu_probe && plan.length > tcb.send_mss) NoteMtuProbeSent(cx, tcb, *loss, plan.seq, end);
  if (plan.tail_probe) NoteProbeSent(cx, tcb, *loss, plan.repeat, Later(end, tcb.snd.nxt));
}

void CommitData(Context& cx, Tcb& tcb, const Plan& plan) {
  const SndSeq end = plan.seq + plan.length + ((plan.flags & kFin) != 0 ? 1u : 0u);
  if (tcb.last_sent != 0 && Pipe(cx, tcb) == 0) {
    Control(tcb).resumed(cx, tcb, cx.stamp() - tcb.last_sent);
  }
  tcb.last_sent = cx.stamp();
  tcb.pending.force = false;
  Track(cx, tcb, plan, end);
  const std::uint32_t last = plan.piece == 0 ? plan.length : plan.length % plan.piece;
  if (!plan.repeat && last < tcb.send_mss && last != 0) tcb.snd.small = end;
  tcb.snd.nxt = Later(tcb.snd.nxt, end);
  if (LossState* loss = LossOf(cx, tcb); loss != nullptr && !plan.repeat) {
    NoteWindowUse(cx, tcb, *loss);
  }
  const bool oldest_again =
      plan.repeat && plan.seq == FirstByte(tcb) && tcb.recovery == Recovery::kFast;
  if (tcb.retransmit_at == kNever || tcb.persisting || oldest_again) {
    ArmRetransmit(cx, tcb, BackedOffRto(cx, tcb));
  }
  ScheduleProbe(cx, tcb);
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
  return plan.kind != Plan::Kind::kNothing && WorthSending(cx, tcb, plan.length, plan.last);
}

Plan PlanSegment(const Context& cx, const Tcb& tcb) {
  if (tcb.pending.syn) return PlanSyn(cx, tcb);
  if (!IsIn(tcb.state, kSynchronized | In(State::kSynRcvd))) return Plan{};
  // A duplicate ACK must not carry data, or it is none (RFC 5681 §2): it goes first, by itself.
  if (tcb.acks_owed != 0 && tcb.reassembly != kNoSlot) return PlanAck(tcb, false);
  if (IsIn(tcb.state, kSendsData) || OpenedOnSyn(tcb)) {
    const Plan plan = PlanData(cx, tcb);
    if (plan.kind != Plan::Kind::kNothing) return plan;
  }
  if (tcb.pending.probe) return PlanAck(tcb, true);
  if (tcb.acks_owed != 0) return PlanAck(tcb, false);
  return Plan{};
}

void GrowPlan(const Context& cx, const Tcb& tcb, std::uint32_t most, Plan& plan) {
  LossState* loss = LossOf(cx, tcb);
  if (loss == nullptr || !MayGrow(cx, tcb, *loss, plan)) return;
  const std::uint32_t mss = tcb.send_mss;
  const std::uint32_t pipe = Pipe(cx, tcb);
  const std::uint32_t window = tcb.cwnd > pipe ? tcb.cwnd - pipe : 0;
  const std::uint32_t bytes =
      std::min({most, window, UsableWindow(tcb), PaceRoom(cx, tcb, *loss), BurstGoal(cx, tcb)});
  const auto available = static_cast<std::uint32_t>(DataEnd(cx, tcb) - plan.seq);
  const std::uint32_t slots =
      loss->flight.Reserve(cx.buffers.rings, std::min(bytes, available) / mss + 1);
  std::uint32_t count = std::min({bytes / mss, available / mss, slots});
  const std::uint32_t rest = available % mss;
  Plan last;
  // One that is short may end it.
  const bool ends = count == available / mss && rest != 0 && count < slots;
  if (ends && count * mss + rest <= bytes) last = LastOf(cx, tcb, plan, count * mss);
  if (last.length != 0) {
    ++count;
  } else if (count > 1) {
    last = LastOf(cx, tcb, plan, (count - 1) * mss);
  }
  if (count < 2 || last.length == 0) return;
  plan.piece = static_cast<std::uint16_t>(mss);
  plan.length = (count - 1) * mss + last.length;
  plan.flags = last.flags;
  plan.last = last.last;
}

void KeepFirst(std::uint32_t segments, Plan& plan) {
  if (segments == plan.count()) return;
  plan.length = segments * plan.piece;
  if (segments == 1) plan.piece = 0;
  plan.flags = WithoutEnd(plan.flags);
  plan.last = false;
}

void HalvePlan(Plan& plan) {
  if (plan.piece != 0) return KeepFirst(std::max(plan.length / plan.piece / 2, 1u), plan);
  plan.length /= 2;
  plan.flags = WithoutEnd(plan.flags);
}

wire::Segment MakeSegment(const Context& cx, const Tcb& tcb, const Plan& plan) {
  wire::Segment segment;
  segment.source_port = tcb.tuple.local.port;
  segment.destination_port = tcb.tuple.remote.port;
  segment.seq = plan.seq.raw();
  segment.flags = plan.flags;
  if ((plan.flags & kAck) != 0) segment.ack = tcb.rcv.nxt.raw();
  segment.tos = Tos(*tcb.options, tcb.tuple.remote.address);
  if (plan.kind == Plan::Kind::kSyn) {
    segment.flags |= EcnFlagsOfSyn(cx.settings, tcb, plan);
    MakeSyn(cx, tcb, segment);
    return segment;
  }
  segment.flags |= EcnFlags(tcb, plan);
  if (IsEcnCapable(tcb, plan)) segment.tos |= kEct0;
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
  reset.seq = AcceptableSeq(tcb).raw();
  reset.flags = kRst | kAck;
  if (tcb.ecn_echo) reset.flags |= kEce;
  reset.ack = tcb.rcv.nxt.raw();
  AddTimestamp(cx, tcb, reset.options);
  const std::uint32_t open =
      tcb.rcv.adv > tcb.rcv.nxt ? static_cast<std::uint32_t>(tcb.rcv.adv - tcb.rcv.nxt) : 0u;
  reset.window = static_cast<std::uint16_t>(std::min(open >> tcb.receive_scale, 65535u));
  return reset;
}

void CommitSegment(Context& cx, Tcb& tcb, const Plan& plan, const wire::Segment& segment) {
  tcb.segments_out += plan.count();
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
  NoteWindowHeld(cx, tcb);
  if (segment.options.sack_count != 0) NoteDuplicateTold(cx, tcb);
  if (segment.Has(kCwr)) tcb.cwr_owed = false;
  if (plan.kind != Plan::Kind::kAck) tcb.acks_owed = 0;
  // The window of a SYN|ACK is not scaled (RFC 7323 §2.2).
  const bool syn = plan.kind == Plan::Kind::kSyn;
  NoteAckSent(cx, tcb, syn ? tcb.rcv.nxt + segment.window : AnnouncedEdge(tcb, segment.window));
}

}  // namespace estab::tcp
