// Passive opening: LISTEN, and the SYN queue of half-open records.
#include "stack/engine.h"
#include "tcp/policy.h"
#include "tcp/rtt.h"

namespace estab {

using tcp::HalfOpenStep;

const SocketOptions& Stack::Impl::OptionsOf(const Listener& listener) const {
  return *sockets[listener.socket].options;
}

void Stack::Impl::FireHalfOpen(Context& cx, const HalfOpenRecord& record, RuleId id) {
  const Rule& rule = GetRule(id);
  recorder.Fired(cx.now, record.state.number, record.state.tuple, State::kSynRcvd,
                 rule.moves ? rule.to : State::kSynRcvd, id, cx.cause);
}

void Stack::Impl::ArriveAtListener(Context& cx, Listener& listener, const Tuple& tuple, LinkId link,
                                   const wire::Segment& segment, const SndSeq* iss) {
  const tcp::ListenVerdict verdict = tcp::ArriveListen(segment);
  RuleId rule = verdict.rule;
  if (verdict.step == tcp::ListenStep::kOpen) {
    rule = OpenPassively(cx, listener, tuple, link, segment, iss);
  } else if (rule == RuleId::kListenAck && !segment.Has(kSyn)) {
    rule = TakeCookie(cx, listener, tuple, link, segment);
  }
  if (GetRule(rule).moves) return;  // written down where the connection began
  recorder.Fired(cx.now, sockets[listener.socket].number, tuple, State::kListen, State::kListen,
                 rule, cx.cause);
  if (rule == RuleId::kListenAck || rule == RuleId::kListenBadCookie) {
    ReplyReset(cx.now, link, tuple, segment);
  }
}

// The queues have their say, in Linux's order. A SYN that takes over from TIME_WAIT (`iss` given)
// comes from a peer that is evidently real: it finds room in any SYN queue.
RuleId Stack::Impl::OpenPassively(Context& cx, Listener& listener, const Tuple& tuple, LinkId link,
                                  const wire::Segment& segment, const SndSeq* iss) {
  const bool full = iss == nullptr && listener.half_open >= SynQueueLimit(listener);
  const bool cookie =
      iss == nullptr && (settings.syncookies == 2 || (full && settings.syncookies != 0));
  if (full && !cookie) {
    ++counters.listen_drops;
    return RuleId::kListenSynQueueFull;
  }
  if (AcceptQueueFull(listener)) {
    ++counters.listen_overflows;
    return RuleId::kListenAcceptQueueFull;
  }
  if (iss == nullptr && settings.syncookies == 0 && InLastQuarter(listener)) {
    ++counters.listen_drops;
    return RuleId::kListenSynQueueFull;
  }
  tcp::HalfOpen half;
  const stack::Origins origins = OriginsOf(tuple);
  DescribeHalfOpen(tuple, link, origins, iss != nullptr ? *iss : FreshSequence(origins, cx.now),
                   half);
  tcp::TakeSyn(settings, OptionsOf(listener), PathTo(tuple.remote.address, link, cx.now).mtu,
               segment, half);
  if (cookie) {
    SendCookie(cx, listener, half, segment);
    return RuleId::kListenSynCookie;
  }
  const FastOpenGrant grant = JudgeFastOpen(cx, listener, tuple, segment);
  if (grant.open && OpenOnSyn(cx, listener, half, segment, grant)) return RuleId::kListenFastOpen;
  if (StartHalfOpen(cx, listener, half, grant.cookie)) return RuleId::kListenSyn;
  ++counters.out_of_memory;
  return RuleId::kListenNoMemory;
}

std::uint32_t Stack::Impl::SynQueueLimit(const Listener& listener) const {
  return settings.policy.syn_queue_by_backlog ? listener.backlog + 1
                                              : ShareOf(settings.max_syn_backlog);
}

// Linux, without cookies, keeps the last quarter of tcp_max_syn_backlog for peers that it knows to
// be alive; as we keep no metrics, nobody is.
bool Stack::Impl::InLastQuarter(const Listener& listener) const {
  if (!settings.policy.syn_queue_by_backlog) return false;
  const std::int64_t most = ShareOf(settings.max_syn_backlog);
  return most - std::int64_t{listener.half_open} < most / 4;
}

void Stack::Impl::DescribeHalfOpen(const Tuple& tuple, LinkId link, const stack::Origins& origins,
                                   SndSeq iss, tcp::HalfOpen& half) {
  half.tuple = tuple;
  half.link = link;
  half.iss = iss;
  half.ts_offset = origins.timestamps;
}

bool Stack::Impl::StartHalfOpen(Context& cx, Listener& listener, const tcp::HalfOpen& half,
                                const stack::FastOpenCookie& cookie) {
  const std::uint32_t slot = half_open.Create();
  if (slot == kNoSlot) return false;
  HalfOpenRecord& record = half_open[slot];
  record.TimerNode::kind = static_cast<std::int8_t>(Owner::kHalfOpen);
  record.state = half;
  record.state.number = NextNumber();
  if (!index.Insert(Hash(half.tuple), Ref(Owner::kHalfOpen, slot).raw)) {
    half_open.Destroy(slot);
    return false;
  }
  record.listener = sockets[listener.socket].listener;
  listener.syn_queue.PushBack(record);
  ++listener.half_open;
  ++listener.young;
  recorder.Fired(cx.now, record.state.number, half.tuple, State::kListen, State::kSynRcvd,
                 RuleId::kListenSyn, cx.cause);
  SendSynAck(cx, record, false, &cookie);
  return true;
}

// (Re)sends the SYN|ACK and waits as long as its place in the series says.
void Stack::Impl::SendSynAck(Context& cx, HalfOpenRecord& record, bool repeat,
                             const stack::FastOpenCookie* cookie) {
  tcp::HalfOpen& half = record.state;
  if (repeat) {
    half.repeated = true;
    ++counters.retransmissions;
  }
  half.sent_at = cx.stamp();
  if (!repeat) half.first_at = half.sent_at;
  const SocketOptions& o = OptionsOf(listeners[record.listener]);
  wire::Segment segment = tcp::MakeSynAck(half, cx.stamp());
  if (cookie != nullptr && cookie->size != 0) {
    stack::PutCookie(*cookie, segment.options);
  }
  Reply(cx.now, half.link, half.tuple, half.number, segment, o);
  ArmSynAckTimer(cx, record);
}

// A record's timer is told as a connection's would be.
void Stack::Impl::ArmSynAckTimer(Context& cx, HalfOpenRecord& record) {
  const tcp::HalfOpen& half = record.state;
  const SocketOptions& o = OptionsOf(listeners[record.listener]);
  const Time at = cx.now + tcp::SynTimeout(settings, o, half.repeats, 0);
  wheel.Arm(record, at);
  recorder.Timer(cx.now, half.number, half.tuple, TimerKind::kRetransmit, TimerEvent::What::kArmed,
                 at);
}

void Stack::Impl::OnHalfOpenDeadline(Context& cx, HalfOpenRecord& record) {
  recorder.Timer(cx.now, record.state.number, record.state.tuple, TimerKind::kRetransmit,
                 TimerEvent::What::kFired);
  cx.cause = Cause{};
  cx.cause.trigger = Trigger::kTimer;
  cx.cause.timer = TimerKind::kRetransmit;
  Listener& listener = listeners[record.listener];
  const SocketOptions& o = OptionsOf(listener);
  const int retries = o.syn_count != 0 ? o.syn_count : settings.synack_retries;
  const int limit = tcp::RetriesUnderLoad(retries, listener.half_open, listener.young,
                                          SynQueueLimit(listener) - 1);
  const tcp::SynAckStep step = tcp::OnSynAckTimeout(o, limit, record.state);
  if (step == tcp::SynAckStep::kGiveUp) {
    FireHalfOpen(cx, record, RuleId::kSynAckGiveUp);
    return Forget(cx, record);
  }
  if (record.state.repeats == 0) --listener.young;
  if (record.state.repeats < UINT8_MAX) ++record.state.repeats;
  if (step == tcp::SynAckStep::kWait) {
    FireHalfOpen(cx, record, RuleId::kSynAckWait);
    return ArmSynAckTimer(cx, record);
  }
  FireHalfOpen(cx, record, RuleId::kSynAckTimeout);
  SendSynAck(cx, record, true);
}

void Stack::Impl::ArriveAtHalfOpen(Context& cx, HalfOpenRecord& record,
                                   const wire::Segment& segment) {
  tcp::HalfOpen& half = record.state;
  const SocketOptions& o = OptionsOf(listeners[record.listener]);
  const tcp::HalfOpenVerdict verdict =
      tcp::ArriveHalfOpen(settings, o, cx.stamp(), segment, half, challenges);
  if (verdict.step == HalfOpenStep::kComplete) return Complete(cx, record, segment);
  FireHalfOpen(cx, record, verdict.rule);
  switch (verdict.step) {
    case HalfOpenStep::kReset:
      return ReplyReset(cx.now, half.link, half.tuple, segment);
    case HalfOpenStep::kRefuse:
      ReplyReset(cx.now, half.link, half.tuple, segment);
      return Forget(cx, record);
    case HalfOpenStep::kAck:
      // The host's own TTL, as Linux: it is no word of the listener's.
      return Reply(cx.now, half.link, half.tuple, half.number, tcp::MakeAck(half, cx.stamp()),
                   tcp::Tos(o, half.tuple.remote.address), 0);
    case HalfOpenStep::kSynAck:
      return SendSynAck(cx, record, true);
    case HalfOpenStep::kForget:
      return Forget(cx, record);
    default:
      return;
  }
}

}  // namespace estab
