#include "tcp/half_open.h"

#include <algorithm>

#include "tcp/acceptance.h"
#include "tcp/challenge.h"
#include "tcp/congestion/congestion.h"
#include "tcp/ecn.h"
#include "tcp/path_mtu.h"
#include "tcp/rtt.h"

namespace estab::tcp {
namespace {

ReceiveWindow WindowOf(const HalfOpen& half) { return {half.irs + 1, half.window}; }

HalfOpenVerdict OutOfWindow(const Settings& settings, Stamp now, const wire::Segment& segment,
                            HalfOpen& half, RuleId rule) {
  const bool limited = segment.length() == 0 || segment.Has(kSyn);
  const bool answer = !limited || MayAnswer(settings, now, half.answered_at);
  return {rule, answer ? HalfOpenStep::kAck : HalfOpenStep::kDrop};
}

HalfOpenVerdict ChallengeOf(const Settings& settings, Stamp now, HalfOpen& half,
                            ChallengeBudget& budget, RuleId rule) {
  const bool answer =
      MayAnswer(settings, now, half.answered_at) && TakeChallenge(budget, settings, now);
  return {rule, answer ? HalfOpenStep::kAck : HalfOpenStep::kDrop};
}

// As Linux: the timestamp echoed must be one that a SYN|ACK of ours had.
bool EchoesNothing(const HalfOpen& half, const wire::Segment& segment) {
  if (!half.timestamps || !segment.options.has_timestamp || segment.options.ts_echo == 0) {
    return false;
  }
  const Stamp echoed = segment.options.ts_echo - half.ts_offset;
  return echoed - half.first_at > half.sent_at - half.first_at;
}

// RFC 5961 §3.2.
HalfOpenVerdict TakeReset(const Settings& settings, Stamp now, RcvSeq seq, HalfOpen& half,
                          ChallengeBudget& challenges) {
  if (seq == half.irs + 1) return {RuleId::kSynRcvdRst, HalfOpenStep::kForget};
  const bool takes_edge = settings.policy.window_takes_in_edges;
  if (!takes_edge && !InWindow(WindowOf(half), seq))
    return {RuleId::kSynRcvdOutOfWindowRst, HalfOpenStep::kDrop};
  return ChallengeOf(settings, now, half, challenges, RuleId::kSynRcvdRstChallenge);
}

// A SYN in the window that is not the one which made the record.
HalfOpenVerdict TakeOtherSyn(const Settings& settings, Stamp now, HalfOpen& half,
                             ChallengeBudget& challenges) {
  switch (settings.policy.other_syn) {
    case Policy::OtherSyn::kReset:
      return {RuleId::kSynRcvdSynReset, HalfOpenStep::kRefuse};
    case Policy::OtherSyn::kListen:
      return {RuleId::kSynRcvdSynListen, HalfOpenStep::kForget};
    default:
      return ChallengeOf(settings, now, half, challenges, RuleId::kSynRcvdSynChallenge);
  }
}

}  // namespace

ListenVerdict ArriveListen(const wire::Segment& segment) {
  if (segment.Has(kRst)) return {RuleId::kListenRst, ListenStep::kDrop};
  if (segment.Has(kAck)) return {RuleId::kListenAck, ListenStep::kReset};
  if (!segment.Has(kSyn)) return {RuleId::kListenOther, ListenStep::kDrop};
  if (segment.Has(kFin)) return {RuleId::kListenSynFin, ListenStep::kDrop};
  return {RuleId::kListenSyn, ListenStep::kOpen};
}

void TakeSyn(const Settings& settings, const SocketOptions& options, std::uint32_t mtu,
             const wire::Segment& syn, HalfOpen& half) {
  const bool v4 = half.tuple.remote.address.is_v4();
  half.announced_mss = AnnouncedMss(mtu, v4, options);
  const Offer ours = MakeOffer(settings, options, half.announced_mss);
  const Offer answer = Answered(settings, options, ours, syn.options);
  half.irs = RcvSeq(syn.seq);
  half.peer_mss = PeerMss(settings, syn.options, v4);
  half.window = answer.window;
  half.peer_window = syn.window;
  half.timestamps = answer.timestamps;
  half.window_scaling = answer.window_scaling;
  half.sack = answer.sack;
  half.ecn = settings.ecn != 0 && AsksForEcn(syn);
  half.receive_scale = answer.window_scale;
  constexpr std::uint8_t kMaxScale = 14;
  half.send_scale = answer.window_scaling ? std::min(syn.options.window_scale, kMaxScale) : 0;
  half.ts_recent = syn.options.ts_value;
}

HalfOpenVerdict ArriveHalfOpen(const Settings& settings, const SocketOptions& options, Stamp now,
                               const wire::Segment& segment, HalfOpen& half,
                               ChallengeBudget& challenges) {
  const RcvSeq seq(segment.seq);
  const bool rst = segment.Has(kRst);
  if (LacksTimestamp(settings, half.timestamps, segment)) {
    return {RuleId::kSynRcvdNoTimestamp, HalfOpenStep::kDrop};
  }
  const bool old = half.timestamps && PawsRejects(half.ts_recent, now - half.sent_at, segment);
  if (!old && segment.Has(kSyn) && !segment.Has(kAck) && !rst && seq == half.irs) {
    if (!MayAnswer(settings, now, half.answered_at)) {
      return {RuleId::kSynRcvdRepeatedSynLimited, HalfOpenStep::kDrop};
    }
    return {RuleId::kSynRcvdRepeatedSyn, HalfOpenStep::kSynAck};
  }
  // As Linux: another SYN's ACK is refused wherever it lies; it can be no old duplicate of ours.
  if (segment.Has(kAck) && !rst && SndSeq(segment.ack) != half.iss + 1) {
    return {RuleId::kSynRcvdBadAck, HalfOpenStep::kReset};
  }
  if (old) return OutOfWindow(settings, now, segment, half, RuleId::kSynRcvdPaws);
  if (EchoesNothing(half, segment)) {
    if (rst) return {RuleId::kSynRcvdBadEcho, HalfOpenStep::kDrop};
    return OutOfWindow(settings, now, segment, half, RuleId::kSynRcvdBadEcho);
  }
  if (!Acceptable(WindowOf(half), seq, segment.length())) {
    if (rst) return {RuleId::kSynRcvdOutOfWindowRst, HalfOpenStep::kDrop};
    return OutOfWindow(settings, now, segment, half, RuleId::kSynRcvdOutOfWindow);
  }
  if (rst) return TakeReset(settings, now, seq, half, challenges);
  if (segment.Has(kSyn)) return TakeOtherSyn(settings, now, half, challenges);
  if (!segment.Has(kAck)) return {RuleId::kSynRcvdNoAck, HalfOpenStep::kDrop};
  if (half.repeats < options.defer_accept && segment.length() == 0) {
    half.acked = true;
    return {RuleId::kSynRcvdDeferred, HalfOpenStep::kDrop};
  }
  return {RuleId::kSynRcvdAck, HalfOpenStep::kComplete};
}

SynAckStep OnSynAckTimeout(const SocketOptions& options, int retries, const HalfOpen& half) {
  const int deferred = options.defer_accept;
  const bool waits = deferred != 0 && half.acked;
  if (half.repeats >= retries && (!waits || half.repeats >= deferred)) return SynAckStep::kGiveUp;
  return waits && half.repeats < deferred - 1 ? SynAckStep::kWait : SynAckStep::kRepeat;
}

int RetriesUnderLoad(int retries, std::uint32_t queued, std::uint32_t young,
                     std::uint32_t backlog) {
  constexpr std::uint32_t kNoLoad = 8;
  constexpr int kLeast = 2;
  if (std::uint64_t{queued} * 2 <= std::max(kNoLoad, backlog)) return retries;
  std::uint64_t allowed = std::uint64_t{young} * 2;
  for (; retries > kLeast && queued >= allowed; allowed *= 2) --retries;
  return retries;
}

wire::Segment MakeSynAck(const HalfOpen& half, Stamp now) {
  Offer offer;
  offer.mss = half.announced_mss;
  offer.timestamps = half.timestamps;
  offer.window_scaling = half.window_scaling;
  offer.window_scale = half.receive_scale;
  offer.sack = half.sack;
  wire::Segment segment = MakeAck(half, now);
  segment.flags = kSyn | kAck;
  if (half.ecn) segment.flags |= kEce;
  segment.seq = half.iss.raw();
  segment.window = half.window;
  segment.options = SynOptions(offer, now + half.ts_offset, half.ts_recent);
  return segment;
}

wire::Segment MakeAck(const HalfOpen& half, Stamp now) {
  wire::Segment segment;
  segment.source_port = half.tuple.local.port;
  segment.destination_port = half.tuple.remote.port;
  segment.flags = kAck;
  segment.seq = (half.iss + 1).raw();
  segment.ack = (half.irs + 1).raw();
  segment.window = static_cast<std::uint16_t>(half.window >> half.receive_scale);
  segment.options.has_timestamp = half.timestamps;
  segment.options.ts_value = half.timestamps ? now + half.ts_offset : 0;
  segment.options.ts_echo = half.timestamps ? half.ts_recent : 0;
  return segment;
}

void Promote(Context& cx, const HalfOpen& half, std::uint32_t mtu, Tcb& tcb) {
  tcb.tuple = half.tuple;
  tcb.link = half.link;
  tcb.number = half.number;
  tcb.state = State::kSynRcvd;
  tcb.passive = true;
  tcb.timestamps = half.timestamps;
  tcb.window_scaling = half.window_scaling;
  tcb.sack = half.sack;
  tcb.ecn = half.ecn;
  tcb.syn_repeated = half.repeated;
  tcb.segments_repeated = std::max<std::uint32_t>(half.repeats, half.repeated ? 1 : 0);
  tcb.snd.una = half.iss;
  tcb.snd.nxt = half.iss + 1;
  tcb.snd.wnd = tcb.snd.max_wnd = half.peer_window;
  tcb.snd.wl1 = half.irs;
  tcb.snd.wl2 = half.iss;
  tcb.rcv.irs = half.irs;
  tcb.rcv.nxt = tcb.rcv.last_ack = half.irs + 1;
  tcb.rcv.adv = tcb.rcv.nxt + half.window;
  tcb.ts.recent = half.ts_recent;
  tcb.ts.recent_at = cx.stamp();
  tcb.ts.offset = half.ts_offset;
  tcb.peer_mss = half.peer_mss;
  tcb.announced_mss = half.announced_mss;
  tcb.mtu_most = static_cast<std::uint16_t>(mtu);
  BeginMss(cx, tcb);
  tcb.send_scale = half.send_scale & 0xf;
  tcb.receive_scale = half.receive_scale & 0xf;
  tcb.congestion = ChosenControl(cx.settings, *tcb.options);
  ResetRto(cx, tcb, false);
  if (half.repeated) return;
  BeginSynTiming(tcb, cx.now - std::chrono::milliseconds(cx.stamp() - half.sent_at));
}

}  // namespace estab::tcp
