// SEGMENT ARRIVES in SYN_SENT: RFC 9293 §3.10.7.3, step by step.
#include <optional>

#include "tcp/ack_policy.h"
#include "tcp/arrive.h"
#include "tcp/ecn.h"
#include "tcp/fast_open.h"
#include "tcp/negotiation.h"
#include "tcp/path_mtu.h"
#include "tcp/rtt.h"
#include "tcp/send_queue.h"
#include "tcp/timers.h"

namespace estab::tcp {
namespace {

Verdict Done(Context& cx, Tcb& tcb, RuleId rule, Answer answer = Answer::kNothing) {
  Apply(cx, tcb, rule);
  return {rule, answer};
}

// Linux's TCP_TIMEOUT_MIN, two ticks of 4 ms.
constexpr Duration kHastenedSyn = std::chrono::milliseconds(8);

// First: the ACK must be for our SYN.
std::optional<Verdict> CheckAck(Context& cx, Tcb& tcb, const Arriving& segment) {
  if (!segment.Has(kAck)) return std::nullopt;
  if (segment.ack > tcb.snd.una && segment.ack <= tcb.snd.nxt) return std::nullopt;
  if (cx.settings.policy.bad_ack_hastens_syn && tcb.rtt.repeats == 0) {
    ArmRetransmit(cx, tcb, kHastenedSyn);
  }
  if (segment.Has(kRst)) return Done(cx, tcb, RuleId::kSynSentBadAckRst);
  return Done(cx, tcb, RuleId::kSynSentBadAck, Answer::kReset);
}

// ... and the timestamp it echoes one that a SYN of ours had, as Linux demands.
std::optional<Verdict> CheckEcho(Context& cx, Tcb& tcb, const Arriving& segment) {
  const wire::TcpOptions& options = segment.header.options;
  if (!segment.Has(kAck) || !tcb.timestamps || !options.has_timestamp || options.ts_echo == 0) {
    return std::nullopt;
  }
  const Stamp age = TimestampNow(cx, tcb.ts.offset) - options.ts_echo;
  if (age <= cx.stamp() - tcb.series_began) return std::nullopt;
  return Done(cx, tcb, RuleId::kSynSentBadEcho,
              segment.Has(kRst) ? Answer::kNothing : Answer::kReset);
}

// Second: a reset counts only with an acceptable ACK (RFC 5961 §3).
std::optional<Verdict> CheckRst(Context& cx, Tcb& tcb, const Arriving& segment) {
  if (!segment.Has(kRst)) return std::nullopt;
  if (!segment.Has(kAck)) return Done(cx, tcb, RuleId::kSynSentRstNoAck);
  ApplyClosed(cx, tcb, RuleId::kSynSentRefused, Error::kConnectionRefused);
  return Verdict{RuleId::kSynSentRefused};
}

// The peer's SYN: its numbers, its window, and what both SYNs agree on.
void TakeSyn(Context& cx, Tcb& tcb, const Arriving& segment) {
  const wire::Segment& header = segment.header;
  const bool v4 = tcb.tuple.remote.address.is_v4();
  const Offer ours = MakeOffer(cx.settings, *tcb.options, tcb.announced_mss);
  tcb.rcv.irs = segment.seq;
  tcb.rcv.nxt = segment.seq + 1;
  tcb.rcv.last_ack = tcb.rcv.nxt;
  tcb.rcv.adv = tcb.rcv.nxt + ours.window;
  tcb.snd.wnd = header.window;  // the window of a SYN is never scaled
  tcb.snd.max_wnd = tcb.snd.wnd;
  tcb.snd.wl1 = segment.seq;
  tcb.snd.wl2 = segment.ack;
  tcb.ecn = tcb.ecn && (segment.Has(kAck) ? AgreesToEcn(header) : AsksForEcn(header));
  Agree(tcb, header.options, PeerMss(cx.settings, header.options, v4));
  BeginMss(cx, tcb);
  if (tcb.timestamps) {
    tcb.ts.recent = header.options.ts_value;
    tcb.ts.recent_at = cx.stamp();
  }
}

void SampleSyn(Context& cx, Tcb& tcb, const Arriving& segment) {
  const Duration measured = TakeSynTiming(cx, tcb);
  if (measured >= Duration(0)) {
    TakeRttSample(cx, tcb, measured);
  } else if (tcb.timestamps) {
    if (segment.header.options.ts_echo == 0) return;
    const std::uint32_t ms = TimestampNow(cx, tcb.ts.offset) - segment.header.options.ts_echo;
    TakeRttSample(cx, tcb, std::chrono::milliseconds(ms));
  }
}

}  // namespace

Verdict ArriveSynSent(Context& cx, Tcb& tcb, Arriving& segment) {
  if (auto done = CheckAck(cx, tcb, segment)) return *done;
  if (auto done = CheckEcho(cx, tcb, segment)) return *done;
  if (auto done = CheckRst(cx, tcb, segment)) return *done;
  if (!segment.Has(kSyn)) return Done(cx, tcb, RuleId::kSynSentOther);
  TakeSyn(cx, tcb, segment);
  if (!segment.Has(kAck)) {
    DisarmRetransmit(cx, tcb);
    tcb.rtt.repeats = 0;
    if (tcb.fast_open == FastOpen::kData) {  // nobody has taken it: it comes when we are open
      tcb.snd.nxt = tcb.snd.una + 1;
      tcb.fast_open = FastOpen::kNone;
    }
    tcb.pending.syn = true;  // now with the ACK of the peer's
    ArmRetransmit(cx, tcb, SynTimeout(cx.settings, *tcb.options, 0, 0));
    return Done(cx, tcb, RuleId::kSynSentSyn);
  }
  const SndSeq iss = tcb.snd.una;
  tcb.snd.una = segment.ack;
  tcb.syn_acked = true;
  tcb.pending.syn = false;
  DisarmRetransmit(cx, tcb);
  SampleSyn(cx, tcb, segment);
  const bool fast_open = tcb.fast_open != FastOpen::kNone;
  SettleSynData(cx, tcb, iss);
  Apply(cx, tcb, RuleId::kSynSentSynAck);
  BecomeEstablished(cx, tcb);
  if (Outstanding(tcb) != 0) ArmRetransmit(cx, tcb, BackedOffRto(cx, tcb));
  AckNow(tcb);  // the third of the three; without Fast Open data on the SYN|ACK will come again
  if (fast_open) TakeSynAckData(cx, tcb, segment);
  return {RuleId::kSynSentSynAck};
}

}  // namespace estab::tcp
