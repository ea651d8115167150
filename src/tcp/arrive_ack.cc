#include "tcp/arrive_ack.h"

#include <algorithm>
#include <optional>

#include "tcp/ack_policy.h"
#include "tcp/arrive.h"
#include "tcp/challenge.h"
#include "tcp/ecn.h"
#include "tcp/path_mtu.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/sack.h"
#include "tcp/send_queue.h"
#include "tcp/tail_probe.h"
#include "tcp/timers.h"
#include "tcp/urgent.h"

namespace estab::tcp {
namespace {

AckOutcome Ends(Context& cx, Tcb& tcb, RuleId rule, Answer answer = Answer::kNothing) {
  Apply(cx, tcb, rule);
  return {true, {rule, answer}};
}

// SYN_RCVD: the ACK must be for our SYN, and makes the connection.
std::optional<AckOutcome> CompleteOpening(Context& cx, Tcb& tcb, const Arriving& segment) {
  if (segment.ack <= tcb.snd.una || segment.ack > tcb.snd.nxt) {
    return Ends(cx, tcb, RuleId::kSynRcvdBadAck, Answer::kReset);
  }
  // Both have sent SYN|ACK now: who hears the other's says so.
  if (segment.Has(kSyn) && cx.settings.policy.crossed_syn_ack_as_linux) AckOnce(tcb);
  Apply(cx, tcb, segment.Has(kSyn) ? RuleId::kSynRcvdSynAck : RuleId::kSynRcvdAck);
  return std::nullopt;
}

// RFC 5961 §5.2: an ACK must lie between what could still be old news and what was sent.
std::optional<AckOutcome> CheckRange(Context& cx, Tcb& tcb, const Arriving& segment) {
  if (segment.ack > tcb.snd.nxt) {
    Challenge(cx, tcb);
    return Ends(cx, tcb, RuleId::kAckTooNew);
  }
  std::uint64_t behind = tcb.snd.max_wnd;
  if (cx.settings.policy.ack_floor_is_first_byte) behind = std::min(behind, tcb.bytes_acked);
  if (segment.ack < tcb.snd.una - static_cast<std::uint32_t>(behind)) {
    Challenge(cx, tcb);
    return Ends(cx, tcb, RuleId::kAckTooOld);
  }
  return std::nullopt;
}

// One measurement an ACK: of what it acknowledges, else of what it SACKs, else by timestamp (RFC
// 6298 §3, RFC 7323 §4.1).
void Sample(Context& cx, Tcb& tcb, const AckNews& news) {
  if (news.rtt >= Duration(0)) return TakeRttSample(cx, tcb, news.rtt);
  if (news.sack_rtt >= Duration(0)) return TakeRttSample(cx, tcb, news.sack_rtt);
  if (!news.advanced || !news.has_echo || news.echo == 0) return;
  const std::uint32_t ms = TimestampNow(cx, tcb.ts.offset) - news.echo;
  constexpr std::uint32_t kBelievable =
      INT32_MAX / 1000;  // as Linux: more than half an hour is not
  if (ms < kBelievable) TakeRttSample(cx, tcb, std::chrono::milliseconds(ms));
}

// Takes acknowledged numbers off the send queue: our SYN, data, our FIN.
void Acknowledge(Context& cx, Tcb& tcb, const Arriving& segment, AckNews& news) {
  const auto acked = static_cast<std::uint32_t>(segment.ack - tcb.snd.una);
  std::uint32_t bytes = acked - (tcb.syn_acked ? 0 : 1);
  news.acked = bytes;
  if (tcb.fin_queued && !tcb.fin_acked && segment.ack == DataEnd(cx, tcb) + 1) {
    tcb.fin_acked = true;
    --bytes;
  }
  if (!tcb.syn_acked) news.rtt = TakeSynTiming(cx, tcb);
  if (tcb.pending.syn) {  // our SYN|ACK has not gone out yet, or was to go again: an ACK will do
    tcb.pending.syn = false;
    AckNow(tcb);
  }
  tcb.syn_acked = true;
  if (bytes != 0) cx.buffers.send[tcb.send_buffer].bytes.Consume(cx.buffers.chunks, bytes);
  tcb.snd.una = segment.ack;
  NoteUrgentAcknowledged(cx, tcb);
  tcb.bytes_acked += bytes;
  if (LossState* loss = LossOf(cx, tcb)) {
    TakeCumulativeAck(cx, tcb, *loss, segment.ack, news);
    NoteMtuProbeAnswer(cx, tcb, *loss, segment.ack);
    (void)loss->flight.Reserve(cx.buffers.rings);
  }
  tcb.rtt.repeats = 0;
  tcb.soft_error = 0;
}

// RFC 7765 §4: too few segments are there for a fast retransmission, so that the timer counts from
// when the oldest of them was sent, not from now.
Duration TimeOnItsWay(const Context& cx, const Tcb& tcb, const LossState* loss) {
  constexpr std::uint32_t kThreshold = 4;  // rrthresh
  if (cx.settings.rto_restart == 0 || loss == nullptr || loss->flight.empty()) return Duration(0);
  const auto unsent = static_cast<std::uint32_t>(SendEnd(cx, tcb) - tcb.snd.nxt);
  const std::uint32_t mss = tcb.send_mss;
  if (loss->flight.count() + (unsent + mss - 1) / mss >= kThreshold) return Duration(0);
  const Duration age = cx.now - loss->flight[loss->flight.first()].sent_at;
  return age < BackedOffRto(cx, tcb) ? age : Duration(0);
}

// Sets the retransmission timer for what is outstanding now (RFC 6298 §5.2, §5.3). What was SACKed
// restarts it only if it was sent after the oldest, or the wait would never end.
void RearmRetransmit(Context& cx, Tcb& tcb, const LossState* loss, const AckNews& news) {
  if (news.advanced) DisarmRetransmit(cx, tcb);
  if (Outstanding(tcb) == 0) return;
  const bool newer_sacked = news.sack_rtt >= Duration(0) && loss != nullptr &&
                            !loss->flight.empty() &&
                            news.sack_rtt > cx.now - loss->flight[loss->flight.first()].sent_at;
  if (!news.advanced && !newer_sacked) return;
  const Duration gone = news.advanced ? TimeOnItsWay(cx, tcb, loss) : Duration(0);
  ArmRetransmit(cx, tcb, BackedOffRto(cx, tcb) - gone);
}

// What the ACK says of our segments, and what follows from it.
void TakeNews(Context& cx, Tcb& tcb, const Arriving& segment, AckNews& news) {
  const bool advances = segment.ack > tcb.snd.una;
  const wire::TcpOptions& options = segment.header.options;
  news.has_echo = tcb.timestamps && options.has_timestamp;
  news.echo = options.ts_echo;
  news.advanced = advances;
  news.ece = EchoesMark(tcb, segment) && segment.ack >= tcb.snd.una && news.prior_outstanding != 0;
  LossState* loss = LossOf(cx, tcb);
  news.prior_una = tcb.snd.una;
  if (loss != nullptr) news.prior_highest = loss->flight.highest_sacked();
  if (tcb.sack && loss != nullptr && options.sack_count != 0) {
    TakeSack(cx, tcb, *loss, segment, news);
  }
  if (advances) Acknowledge(cx, tcb, segment, news);
  if (segment.ack >= tcb.snd.una) Sample(cx, tcb, news);  // an older one has been overtaken
}

// RFC 9293 §3.10.7.4: the window is taken from the newest segment only. To Linux an ACK of
// something new is always that, and a smaller window counts only with something new, unless it is
// closed. Returns whether the window is another one now.
bool UpdateWindow(const Context& cx, Tcb& tcb, const Arriving& segment, bool advanced) {
  const std::uint8_t scale = segment.Has(kSyn) ? 0 : tcb.send_scale;
  const std::uint32_t window = std::uint32_t{segment.header.window} << scale;
  const bool as_linux = cx.settings.policy.window_shrinks_with_news;
  const bool newer = (as_linux && advanced) || tcb.snd.wl1 < segment.seq ||
                     (tcb.snd.wl1 == segment.seq && tcb.snd.wl2 <= segment.ack);
  if (!newer || segment.ack < tcb.snd.una) return false;
  const bool same = tcb.snd.wl1 == segment.seq && tcb.snd.wl2 == segment.ack;
  const bool shrinks = window < tcb.snd.wnd && window != 0;
  if (same && shrinks && as_linux) return false;
  const bool changed = window != tcb.snd.wnd;
  tcb.snd.wnd = window;
  tcb.snd.max_wnd = std::max(tcb.snd.max_wnd, window);
  tcb.snd.wl1 = segment.seq;
  tcb.snd.wl2 = segment.ack;
  return changed;
}

// RFC 5681 §2: what makes an ACK a duplicate. With SACK it is one that brings news.
bool IsDuplicate(const Tcb& tcb, const Arriving& segment, bool window_changed,
                 const AckNews& news) {
  if (!tcb.syn_acked || segment.ack != tcb.snd.una || Outstanding(tcb) == 0) return false;
  if (news.sacked != 0) return true;
  return segment.header.payload.empty() && !segment.fin && !segment.Has(kSyn) && !window_changed;
}

// How many of our segments are known to have arrived, though there was congestion on their way.
void NoteMarked(Tcb& tcb, const AckNews& news) {
  if (news.ece) tcb.segments_marked += (news.delivered + tcb.send_mss - 1) / tcb.send_mss;
}

// Recovery, the window, and the timers, now that all is known.
void Conclude(Context& cx, Tcb& tcb, AckNews& news) {
  LossState* loss = LossOf(cx, tcb);
  RearmRetransmit(cx, tcb, loss, news);
  if (loss == nullptr) return;
  NoteMarked(tcb, news);
  OnAckNews(cx, tcb, *loss, news);
  if (Outstanding(tcb) == 0) NoteAllAcknowledged(cx, tcb, *loss);
  if (!news.advanced && news.sacked == 0) return;
  tcb.pending.tail = false;  // a probe that has not left yet has been answered
  ScheduleProbe(cx, tcb);
}

// Whether this segment will close the peer's side: a bare FIN, next in order, and no other FIN was
// heard of before.
bool FinComesNext(const Context& cx, const Tcb& tcb, const Arriving& segment) {
  const bool other_held =
      tcb.reassembly != kNoSlot && cx.buffers.reassembly[tcb.reassembly].has_fin;
  return segment.fin && segment.seq == tcb.rcv.nxt && segment.data.empty() && !other_held;
}

// Our FIN has just been acknowledged. In FIN_WAIT_1 a FIN in the same segment decides with it.
std::optional<AckOutcome> FinAcknowledged(Context& cx, Tcb& tcb, const Arriving& segment) {
  switch (tcb.state) {
    case State::kFinWait1: {
      const bool waits = !tcb.orphan || tcb.options->fin_wait2_seconds >= 0;
      if (waits && FinComesNext(cx, tcb, segment)) return std::nullopt;
      Apply(cx, tcb, RuleId::kFinAcked);
      if (!waits) {
        ApplyClosed(cx, tcb, RuleId::kNoFinWait2Later);
        return AckOutcome{true, {RuleId::kNoFinWait2Later, Answer::kReset}};
      }
      if (tcb.orphan) ArmFinWait2(cx, tcb);
      return AckOutcome{false, {RuleId::kFinAcked}};
    }
    case State::kClosing:
      return Ends(cx, tcb, RuleId::kFinAckedClosing);
    case State::kLastAck:
      ApplyClosed(cx, tcb, RuleId::kFinAckedLastAck);
      return AckOutcome{true, {RuleId::kFinAckedLastAck}};
    default:
      return std::nullopt;
  }
}

}  // namespace

void TakeWindow(const Context& cx, Tcb& tcb, const Arriving& segment) {
  tcb.more = false;  // as Linux: MSG_MORE holds for its own push, not against every later ACK
  UpdateWindow(cx, tcb, segment, false);
}

AckOutcome TakeAck(Context& cx, Tcb& tcb, Arriving& segment) {
  if (NothingToLearn(tcb, segment)) {
    TakeWindow(cx, tcb, segment);
    return {false, {RuleId::kAckNothingNew}};
  }
  const bool opening = tcb.state == State::kSynRcvd;
  tcb.more = false;
  if (opening) {
    if (auto done = CompleteOpening(cx, tcb, segment)) return *done;
  } else if (auto done = CheckRange(cx, tcb, segment)) {
    return *done;
  }
  // An answer that still says "closed" to a probe, or to a repeat into a window that has shrunk,
  // counts as one: the peer lives, and may stay closed for ever (RFC 9293 §3.8.6.1, MUST-37).
  // By Linux's clockwork the time goes on for what is in flight.
  const bool by_time = cx.settings.policy.give_up_by_time;
  const bool still_closed = tcb.snd.wnd == 0 && segment.header.window == 0 && !tcb.orphan;
  if (tcb.persisting) tcb.rtt.repeats = 0;
  if (!tcb.persisting && still_closed && !by_time) {
    tcb.rtt.repeats = 0;
    tcb.series_began = cx.stamp();
  }
  AckNews news;
  news.prior_outstanding = Outstanding(tcb);
  news.prior_pipe = Pipe(cx, tcb);
  const bool fin_was_acked = tcb.fin_acked;
  const bool syn_was_acked = tcb.syn_acked;
  TakeNews(cx, tcb, segment, news);
  const bool window_changed = UpdateWindow(cx, tcb, segment, news.advanced);
  news.duplicate = !news.advanced && IsDuplicate(tcb, segment, window_changed, news);
  if (tcb.persisting && cx.settings.policy.probes_wait_from_answer) {
    ArmPersist(cx, tcb, BackedOffRto(cx, tcb));
  }
  if (!syn_was_acked && tcb.syn_acked) BecomeEstablished(cx, tcb);
  Conclude(cx, tcb, news);
  RuleId rule = news.advanced ? RuleId::kAck : RuleId::kAckNothingNew;
  if (opening) {
    rule = segment.Has(kSyn) ? RuleId::kSynRcvdSynAck : RuleId::kSynRcvdAck;
  } else if (news.duplicate) {
    rule = RuleId::kDuplicateAck;
  }
  if (tcb.fin_acked && !fin_was_acked) {
    if (auto outcome = FinAcknowledged(cx, tcb, segment)) return *outcome;
  }
  return {false, {rule}};
}

}  // namespace estab::tcp
