// SEGMENT ARRIVES in SYN_RCVD and all later states: RFC 9293 §3.10.7.4, step by step.
#include <optional>

#include "tcp/acceptance.h"
#include "tcp/ack_policy.h"
#include "tcp/arrive.h"
#include "tcp/arrive_ack.h"
#include "tcp/challenge.h"
#include "tcp/ecn.h"
#include "tcp/half_open.h"
#include "tcp/receiver.h"
#include "tcp/rtt.h"
#include "tcp/sack_blocks.h"
#include "tcp/timers.h"
#include "tcp/urgent.h"

namespace estab::tcp {
namespace {

using Step = std::optional<Verdict>;

Verdict Done(Context& cx, Tcb& tcb, RuleId rule, Answer answer = Answer::kNothing) {
  Apply(cx, tcb, rule);
  return {rule, answer};
}

Verdict Closed(Context& cx, Tcb& tcb, RuleId rule, Error error) {
  ApplyClosed(cx, tcb, rule, error);
  return {rule};
}

bool Opening(const Tcb& tcb) { return tcb.state == State::kSynRcvd; }

// What lies outside the window, or is too old: an ACK, which for a SYN is a challenge (RFC 5961
// §4).
void AnswerMisfit(Context& cx, Tcb& tcb, const Arriving& segment) {
  if (segment.Has(kSyn) && !Opening(tcb)) return Challenge(cx, tcb);
  if (!segment.Has(kSyn)) NoteDuplicate(cx, tcb, segment.seq, Earlier(segment.end(), tcb.rcv.nxt));
  AnswerOutOfWindow(cx, tcb, segment.length() != 0 && !segment.Has(kSyn));
}

// Whether Linux has the judgement of a record in the place of this TCB: Fast Open's opening goes
// by the half-open record's rules, an orphan in FIN_WAIT_2 by those of TIME_WAIT.
bool JudgedAsRecord(const Tcb& tcb) {
  return (Opening(tcb) && tcb.passive) || FinWait2IsRecord(tcb);
}

// On Linux before all: what has neither ACK, RST nor SYN means nothing.
Step CheckMeaning(Context& cx, Tcb& tcb, const Arriving& segment) {
  const bool means = segment.Has(kAck) || segment.Has(kRst) || segment.Has(kSyn);
  if (means || !cx.settings.policy.no_ack_before_sequence || JudgedAsRecord(tcb)) {
    return std::nullopt;
  }
  return Done(cx, tcb, Opening(tcb) ? RuleId::kSynRcvdNoAck : RuleId::kNoAck);
}

// Under the RFC's letter: the timestamp that was agreed on must be there.
Step CheckTimestamp(Context& cx, Tcb& tcb, const Arriving& segment) {
  if (!LacksTimestamp(cx.settings, tcb.timestamps, segment.header)) return std::nullopt;
  return Done(cx, tcb, Opening(tcb) ? RuleId::kSynRcvdNoTimestamp : RuleId::kNoTimestamp);
}

// Then: an old duplicate, told by its timestamp (RFC 7323 §5.3, R1).
// Data that others overtook, on its way for no longer than a round trip. The peer's clock is taken
// to tick in milliseconds, as most do.
bool WasOvertaken(const Context& cx, const Tcb& tcb, const Arriving& segment) {
  if (!cx.settings.policy.paws_spares_overtaken || segment.data.empty()) return false;
  const bool fills_gap = segment.seq == tcb.rcv.nxt && tcb.reassembly != kNoSlot &&
                         !cx.buffers.reassembly[tcb.reassembly].runs.empty();
  const std::uint32_t older = tcb.ts.recent - segment.header.options.ts_value;
  return fills_gap && tcb.rtt.srtt8 != 0 && older <= tcb.rtt.min / 1000;
}

Step CheckPaws(Context& cx, Tcb& tcb, const Arriving& segment) {
  if (!tcb.timestamps) return std::nullopt;
  if (!PawsRejects(tcb.ts.recent, cx.stamp() - tcb.ts.recent_at, segment.header)) {
    return std::nullopt;
  }
  if (WasOvertaken(cx, tcb, segment)) return std::nullopt;
  AnswerMisfit(cx, tcb, segment);
  return Done(cx, tcb, Opening(tcb) ? RuleId::kSynRcvdPaws : RuleId::kPaws);
}

// The SYN|ACK of a simultaneous open repeats the SYN's own number, which lies before the window.
bool CompletesSimultaneousOpen(const Tcb& tcb, const Arriving& segment) {
  return Opening(tcb) && !tcb.passive && segment.Has(kSyn) && segment.Has(kAck) &&
         !segment.Has(kRst) && segment.seq == tcb.rcv.irs && segment.ack == tcb.snd.nxt;
}

// Some peers send a reset right behind their FIN, with the FIN's own number (Linux:
// tcp_reset_check).
bool CarriesFinsNumber(const Context& cx, const Tcb& tcb, const Arriving& segment) {
  return cx.settings.policy.reset_may_carry_fins_number && tcb.fin_received && segment.Has(kRst) &&
         segment.seq == tcb.rcv.nxt - 1;
}

// The SYN that brought us here, once more: the peer lacks our SYN|ACK. To Linux that is just
// another SYN if we have sent one of our own.
bool RepeatsTheSyn(const Context& cx, const Tcb& tcb, const Arriving& segment) {
  if (!tcb.passive && cx.settings.policy.crossed_syn_ack_as_linux) return false;
  return Opening(tcb) && segment.Has(kSyn) && !segment.Has(kAck) && !segment.Has(kRst) &&
         segment.seq == tcb.rcv.irs;
}

// The acceptability test: the RFC's, or Linux's (tcp_sequence), which takes in the edges.
bool Fits(const Context& cx, const Tcb& tcb, const Arriving& segment) {
  const ReceiveWindow window = WindowOf(tcb);
  if (!cx.settings.policy.window_takes_in_edges || JudgedAsRecord(tcb)) {
    return Acceptable(window, segment.seq, segment.length());
  }
  const RcvSeq edge = window.nxt + window.size;
  if (segment.end() < tcb.rcv.last_ack || segment.seq > edge) return false;
  // Some peers let their FIN stand just beyond the edge.
  const RcvSeq data_end = segment.end() - (segment.fin ? 1u : 0u);
  return data_end <= edge || (cx.buffers.ReceiveSize(tcb) == 0 && !tcb.fin_received);
}

// First: the sequence number.
Step CheckSequence(Context& cx, Tcb& tcb, Arriving& segment) {
  const ReceiveWindow window = WindowOf(tcb);
  if (CompletesSimultaneousOpen(tcb, segment)) {
    TrimToWindow(window, segment);
    return std::nullopt;
  }
  if (RepeatsTheSyn(cx, tcb, segment)) {
    if (!MayAnswer(cx.settings, cx.stamp(), tcb.last_challenge)) {
      return Done(cx, tcb, RuleId::kSynRcvdRepeatedSynLimited);
    }
    tcb.pending.syn = true;
    ArmRetransmit(cx, tcb, SynTimeout(cx.settings, *tcb.options, tcb.rtt.repeats, 0));
    return Done(cx, tcb, RuleId::kSynRcvdRepeatedSyn);
  }
  if (Fits(cx, tcb, segment)) return std::nullopt;
  if (segment.Has(kRst)) {
    if (CarriesFinsNumber(cx, tcb, segment)) return std::nullopt;
    return Done(cx, tcb, Opening(tcb) ? RuleId::kSynRcvdOutOfWindowRst : RuleId::kOutOfWindowRst);
  }
  AnswerMisfit(cx, tcb, segment);
  return Done(cx, tcb, Opening(tcb) ? RuleId::kSynRcvdOutOfWindow : RuleId::kOutOfWindow);
}

// Second: RST. Only the exact number resets (RFC 5961 §3.2); so does the right edge of all that we
// have SACKed, since that is where the peer believes us to be (Linux).
bool ExactReset(const Context& cx, const Tcb& tcb, const Arriving& segment) {
  if (segment.seq == tcb.rcv.nxt || CarriesFinsNumber(cx, tcb, segment)) return true;
  if (!tcb.sack || tcb.reassembly == kNoSlot) return false;
  const Runs::Index last = cx.buffers.reassembly[tcb.reassembly].runs.last();
  return last != kNoSlot && cx.buffers.runs[last].end() == segment.seq;
}

Verdict Reset(Context& cx, Tcb& tcb) {
  const bool refused = !tcb.passive && cx.settings.policy.reset_refuses_active_opener;
  switch (tcb.state) {
    case State::kSynRcvd:
      return Closed(cx, tcb, RuleId::kSynRcvdRstActive,
                    refused ? Error::kConnectionRefused : Error::kConnectionReset);
    case State::kCloseWait:
      return Closed(cx, tcb, RuleId::kRstCloseWait, Error::kBrokenPipe);
    case State::kClosing:
    case State::kLastAck:
      return Closed(cx, tcb, RuleId::kRstClosing, Error::kConnectionReset);
    default:
      return Closed(cx, tcb, RuleId::kRst, Error::kConnectionReset);
  }
}

Step CheckRst(Context& cx, Tcb& tcb, const Arriving& segment) {
  if (!segment.Has(kRst)) return std::nullopt;
  if (ExactReset(cx, tcb, segment) || FinWait2IsRecord(tcb)) return Reset(cx, tcb);
  if (!InWindow(WindowOf(tcb), segment.seq) && !cx.settings.policy.window_takes_in_edges) {
    return Done(cx, tcb, Opening(tcb) ? RuleId::kSynRcvdOutOfWindowRst : RuleId::kOutOfWindowRst);
  }
  Challenge(cx, tcb);
  return Done(cx, tcb, Opening(tcb) ? RuleId::kSynRcvdRstChallenge : RuleId::kRstChallenge);
}

// Fourth (security and precedence are history): SYN (RFC 5961 §4.2).
Step CheckSyn(Context& cx, Tcb& tcb, const Arriving& segment) {
  if (!segment.Has(kSyn) || CompletesSimultaneousOpen(tcb, Arriving(segment.header))) {
    return std::nullopt;
  }
  if (FinWait2IsRecord(tcb)) {
    ApplyClosed(cx, tcb, RuleId::kSynForOrphan);
    return Verdict{RuleId::kSynForOrphan, Answer::kReset};
  }
  if (Opening(tcb) && tcb.passive && cx.settings.policy.other_syn == Policy::OtherSyn::kReset) {
    return Done(cx, tcb, RuleId::kSynRcvdSynRefused, Answer::kReset);
  }
  Challenge(cx, tcb);
  return Done(cx, tcb, Opening(tcb) ? RuleId::kSynRcvdSynChallenge : RuleId::kSynChallenge);
}

// RFC 7323 §4.3: TS.Recent follows segments that begin at or before what we last acknowledged.
void TakeTimestamp(Context& cx, Tcb& tcb, const Arriving& segment) {
  const wire::TcpOptions& options = segment.header.options;
  if (!tcb.timestamps || !options.has_timestamp) return;
  if (RcvSeq(segment.header.seq) > tcb.rcv.last_ack) return;
  if (PawsRejects(tcb.ts.recent, cx.stamp() - tcb.ts.recent_at, segment.header)) return;
  tcb.ts.recent = options.ts_value;
  tcb.ts.recent_at = cx.stamp();
}

// Seventh: the text. What nobody will read any more is refused with a reset; a FIN ahead of a gap
// tells of such data too.
Step CheckOrphan(Context& cx, Tcb& tcb, const Arriving& segment) {
  const bool unwanted = tcb.read_shut && tcb.fin_queued &&
                        IsIn(tcb.state, In(State::kFinWait1) | In(State::kFinWait2));
  const bool beyond_gap = segment.fin && segment.seq > tcb.rcv.nxt;
  if (!unwanted || (segment.data.empty() && !beyond_gap)) return std::nullopt;
  ApplyClosed(cx, tcb, RuleId::kDataForOrphan, Error::kConnectionReset);
  return Verdict{RuleId::kDataForOrphan, Answer::kReset};
}

// Eighth: the FIN, next in order.
Verdict TakeFin(Context& cx, Tcb& tcb) {
  tcb.rcv.nxt += 1;
  tcb.fin_received = true;
  switch (tcb.state) {
    case State::kEstablished:
      // The user may answer with a FIN of its own: the ACK waits a little for that ride.
      tcb.interactive = true;
      tcb.quick_acks = 0;
      Apply(cx, tcb, RuleId::kFin);
      ScheduleAck(cx, tcb);
      return {RuleId::kFin};
    case State::kFinWait1:
      AckOnce(tcb);
      return Done(cx, tcb, tcb.fin_acked ? RuleId::kFinWithAck : RuleId::kFinCrossed);
    default:
      AckOnce(tcb);
      return Done(cx, tcb, RuleId::kFinSecond);
  }
}

// The peer has closed its side: whatever it still sends means nothing, unless Linux thinks so.
Verdict TakeNothing(Context& cx, Tcb& tcb, Arriving& segment, RuleId ack_rule) {
  const bool counts = cx.settings.policy.text_after_fin_counts;
  if (counts) TakeUrgent(cx, tcb, segment);
  if (counts && RcvSeq(segment.header.seq) < tcb.rcv.nxt && !segment.data.empty()) {
    ApplyClosed(cx, tcb, RuleId::kDataAfterFinReset,
                tcb.state == State::kCloseWait ? Error::kBrokenPipe : Error::kConnectionReset);
    return {RuleId::kDataAfterFinReset, Answer::kReset};
  }
  const bool beyond = !segment.data.empty() || segment.fin;
  const bool moved = GetRule(ack_rule).moves;
  return {beyond && !moved ? RuleId::kDataAfterFin : ack_rule};
}

// A segment whose text or FIN lies all before the window, or at its right edge: it only touches.
bool OnlyTouches(const Tcb& tcb, const Arriving& segment) {
  const bool had = !segment.header.payload.empty() || segment.Has(kFin);
  if (!had || !segment.data.empty() || segment.fin) return false;
  return RcvSeq(segment.header.seq) < tcb.rcv.nxt ||
         (WindowOf(tcb).size != 0 && IsIn(tcb.state, kMayReceive));
}

// What is in order goes to the user, and with it perhaps a FIN that has waited for it.
Verdict TakeStream(Context& cx, Tcb& tcb, Arriving& segment, RuleId ack_rule) {
  RuleId rule = ack_rule;
  if (!segment.data.empty() || segment.fin) rule = TakeText(cx, tcb, segment);
  if (!segment.fin) return {rule};
  return TakeFin(cx, tcb);
}

// Rules that moved the state have been applied where they did; the others are written down here.
Verdict Written(Context& cx, Tcb& tcb, const Verdict& verdict) {
  if (!GetRule(verdict.rule).moves) Apply(cx, tcb, verdict.rule);
  return verdict;
}

// What an open connection gets most of: the next segment of the stream, or a bare ACK, with nothing
// about it that a check could find fault with (Van Jacobson's header prediction).
bool IsNextInStream(const Tcb& tcb, const Arriving& segment) {
  const wire::Segment& header = segment.header;
  const bool plain = (header.flags & ~unsigned{kPsh}) == kAck;
  if (tcb.state != State::kEstablished || !plain || segment.seq != tcb.rcv.nxt) return false;
  if (segment.data.size() > WindowOf(tcb).size) return false;
  const wire::TcpOptions& options = header.options;
  return !tcb.timestamps || (options.has_timestamp && !Precedes(options.ts_value, tcb.ts.recent));
}

void NoteHeard(const Context& cx, Tcb& tcb) {
  tcb.last_heard = cx.stamp();
  tcb.keepalive_probes = 0;
}

// Of that, data from a peer that has heard all we have sent, for a stream without gaps: nothing in
// it is news but the data, and perhaps the window.
bool OnlyBringsData(const Tcb& tcb, const Arriving& segment) {
  return !segment.data.empty() && NothingToLearn(tcb, segment) && tcb.reassembly == kNoSlot &&
         !tcb.read_shut;
}

Verdict TakeNextInStream(Context& cx, Tcb& tcb, Arriving& segment) {
  if (OnlyBringsData(tcb, segment)) {
    TakeWindow(cx, tcb, segment);
    TakeTimestamp(cx, tcb, segment);
    NoteHeard(cx, tcb);
    const RuleId rule = TakeNextText(cx, tcb, segment);
    Apply(cx, tcb, rule);
    return {.rule = rule, .row = rule == RuleId::kData};
  }
  const AckOutcome ack = TakeAck(cx, tcb, segment);
  if (ack.done) return ack.verdict;
  TakeTimestamp(cx, tcb, segment);
  NoteHeard(cx, tcb);
  return Written(cx, tcb, TakeStream(cx, tcb, segment, ack.verdict.rule));
}

Verdict TakeTextAndFin(Context& cx, Tcb& tcb, Arriving& segment, RuleId ack_rule) {
  if (OnlyTouches(tcb, segment)) {
    AckOnce(tcb);  // nothing of it can be taken: what is expected
    return {RuleId::kOutOfWindow};
  }
  if (!IsIn(tcb.state, kMayReceive)) return TakeNothing(cx, tcb, segment, ack_rule);
  if (auto done = CheckOrphan(cx, tcb, segment)) return *done;
  TakeUrgent(cx, tcb, segment);
  return TakeStream(cx, tcb, segment, ack_rule);
}

}  // namespace

bool ArriveInRow(Context& cx, Tcb& tcb, const wire::Segment& segment) {
  ++tcb.segments_in;
  tcb.snd.wl1 = RcvSeq(segment.seq);
  const RuleId rule = TakeMoreText(cx, tcb, segment.payload);
  cx.recorder.Count(rule);
  return rule == RuleId::kData;
}

Verdict ArriveSynchronized(Context& cx, Tcb& tcb, Arriving& segment) {
  if (IsNextInStream(tcb, segment)) return TakeNextInStream(cx, tcb, segment);
  if (auto done = CheckMeaning(cx, tcb, segment)) return *done;
  if (auto done = CheckTimestamp(cx, tcb, segment)) return *done;
  if (auto done = CheckPaws(cx, tcb, segment)) return *done;
  if (auto done = CheckSequence(cx, tcb, segment)) return *done;
  if (auto done = CheckRst(cx, tcb, segment)) return *done;
  if (auto done = CheckSyn(cx, tcb, segment)) return *done;
  if (!segment.Has(kAck)) {
    return Done(cx, tcb, Opening(tcb) ? RuleId::kSynRcvdNoAck : RuleId::kNoAck);
  }
  const bool window_closed = WindowOf(tcb).size == 0 && !segment.data.empty();
  if (!segment.data.empty() && segment.seq < tcb.rcv.nxt) {
    NoteDuplicate(cx, tcb, segment.seq, Earlier(segment.end(), tcb.rcv.nxt));
  }
  TrimToWindow(WindowOf(tcb), segment);
  if (window_closed) AckNow(tcb);
  // The record that Linux keeps of such an orphan knows nothing of what was sent.
  const AckOutcome ack = FinWait2IsRecord(tcb) ? AckOutcome{false, {RuleId::kAckNothingNew}}
                                               : TakeAck(cx, tcb, segment);
  if (ack.done) return ack.verdict;
  TakeCwr(tcb, segment);
  TakeTimestamp(cx, tcb, segment);
  NoteHeard(cx, tcb);
  const Verdict verdict = TakeTextAndFin(cx, tcb, segment, ack.verdict.rule);
  AckReduction(tcb, segment);
  return Written(cx, tcb, verdict);
}

}  // namespace estab::tcp
