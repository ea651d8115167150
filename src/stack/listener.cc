// Passive opening: LISTEN, the SYN queue of half-open records, and the accept queue.
#include "stack/engine.h"
#include "stack/isn.h"
#include "tcp/arrive.h"
#include "tcp/policy.h"
#include "tcp/rtt.h"
#include "tcp/user.h"

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
    if (AcceptQueueFull(listener)) {
      rule = RuleId::kListenAcceptQueueFull;
      ++counters.listen_overflows;
    } else if (listener.half_open >= ShareOf(settings.max_syn_backlog)) {
      rule = RuleId::kListenSynQueueFull;
      ++counters.listen_drops;
    } else if (StartHalfOpen(cx, listener, tuple, link, segment, iss)) {
      return;
    } else {
      rule = RuleId::kListenNoMemory;
      ++counters.out_of_memory;
    }
  }
  recorder.Fired(cx.now, sockets[listener.socket].number, tuple, State::kListen, State::kListen,
                 rule, cx.cause);
  if (verdict.step == tcp::ListenStep::kReset) ReplyReset(cx.now, link, tuple, segment);
}

bool Stack::Impl::StartHalfOpen(Context& cx, Listener& listener, const Tuple& tuple, LinkId link,
                                const wire::Segment& segment, const SndSeq* iss) {
  const std::uint32_t slot = half_open.Create();
  if (slot == kNoSlot) return false;
  HalfOpenRecord& record = half_open[slot];
  record.TimerNode::kind = static_cast<std::int8_t>(Owner::kHalfOpen);
  record.hash = Hash(tuple);
  if (!index.Insert(record.hash, Ref(Owner::kHalfOpen, slot).raw)) {
    half_open.Destroy(slot);
    return false;
  }
  record.listener = sockets[listener.socket].listener;
  listener.syn_queue.PushBack(record);
  ++listener.half_open;
  record.state.tuple = tuple;
  record.state.link = link;
  record.state.number = NextNumber();
  record.state.iss = iss != nullptr ? *iss : FreshSequence(tuple, cx.now);
  record.state.ts_offset = stack::TimestampOffset(keys.sequence, tuple);
  tcp::TakeSyn(settings, OptionsOf(listener), network.link(link).mtu, segment, record.state);
  recorder.Fired(cx.now, record.state.number, tuple, State::kListen, State::kSynRcvd,
                 RuleId::kListenSyn, cx.cause);
  SendSynAck(cx, record, false);
  return true;
}

// (Re)sends the SYN|ACK and waits as long as its place in the series says.
void Stack::Impl::SendSynAck(Context& cx, HalfOpenRecord& record, bool repeat) {
  tcp::HalfOpen& half = record.state;
  if (repeat) {
    half.repeated = true;
    ++counters.retransmissions;
  }
  half.sent_at = cx.stamp();
  const SocketOptions& o = OptionsOf(listeners[record.listener]);
  Reply(cx.now, half.link, half.tuple, half.number, tcp::MakeSynAck(half, cx.stamp()), o.tos,
        o.ttl);
  wheel.Arm(record, cx.now + tcp::SynTimeout(settings, half.repeats, 0));
}

void Stack::Impl::OnHalfOpenDeadline(Context& cx, HalfOpenRecord& record) {
  cx.cause = Cause{};
  cx.cause.trigger = Trigger::kTimer;
  cx.cause.timer = TimerKind::kRetransmit;
  const SocketOptions& o = OptionsOf(listeners[record.listener]);
  const int limit = o.syn_count != 0 ? o.syn_count : settings.synack_retries;
  if (record.state.repeats >= limit) {
    FireHalfOpen(cx, record, RuleId::kSynAckGiveUp);
    return Forget(record);
  }
  FireHalfOpen(cx, record, RuleId::kSynAckTimeout);
  ++record.state.repeats;
  SendSynAck(cx, record, true);
}

void Stack::Impl::ArriveAtHalfOpen(Context& cx, HalfOpenRecord& record,
                                   const wire::Segment& segment) {
  tcp::HalfOpen& half = record.state;
  const tcp::HalfOpenVerdict verdict =
      tcp::ArriveHalfOpen(settings, cx.stamp(), segment, half, challenges);
  if (verdict.step == HalfOpenStep::kComplete) return Complete(cx, record, segment);
  FireHalfOpen(cx, record, verdict.rule);
  const SocketOptions& o = OptionsOf(listeners[record.listener]);
  switch (verdict.step) {
    case HalfOpenStep::kReset:
      return ReplyReset(cx.now, half.link, half.tuple, segment);
    case HalfOpenStep::kAck:
      return Reply(cx.now, half.link, half.tuple, half.number, tcp::MakeAck(half, cx.stamp()),
                   o.tos, o.ttl);
    case HalfOpenStep::kSynAck:
      return SendSynAck(cx, record, true);
    case HalfOpenStep::kForget:
      return Forget(record);
    default:
      return;
  }
}

void Stack::Impl::Complete(Context& cx, HalfOpenRecord& record, const wire::Segment& segment) {
  Listener& listener = listeners[record.listener];
  if (AcceptQueueFull(listener)) {
    ++counters.listen_overflows;
    const bool abort = settings.abort_on_overflow != 0;
    FireHalfOpen(cx, record, abort ? RuleId::kSynRcvdOverflowReset : RuleId::kSynRcvdOverflow);
    if (!abort) return;
    ReplyReset(cx.now, record.state.link, record.state.tuple, segment);
    return Forget(record);
  }
  const Socket& parent = sockets[listener.socket];
  Socket* socket = NewSocket(parent.ipv6, parent.options);
  const bool held =
      socket != nullptr && ports.Hold(record.state.tuple.local.port, parent.options->reuse_address);
  if (!held) {
    if (socket != nullptr) Destroy(*socket);
    return FireHalfOpen(cx, record, RuleId::kSynRcvdNoMemory);
  }
  // The record's place in the table becomes the connection's: this cannot fail half-way.
  const Ref old(Owner::kHalfOpen, index.Find(record.hash, [&](std::uint32_t v) {
    return Matches(Ref(v), record.state.tuple);
  }) & 0x3fffffffu);
  index.Replace(record.hash, old.raw, Ref(Owner::kSocket, socket->self).raw);
  socket->attached = true;
  socket->held_reuse = parent.options->reuse_address;
  tcp::Promote(cx, record.state, *socket);
  socket->listener = record.listener;
  socket->queued = true;
  wheel.Cancel(record);
  IntrusiveList<HalfOpenRecord, stack::HalfOpenTag>::Remove(record);
  --listener.half_open;
  half_open.Destroy(old.slot());
  listener.accept_queue.PushBack(*socket);
  ++listener.waiting;
  ++counters.connections_accepted;
  tcp::Arrive(cx, *socket, segment);
  Settle(cx, *socket);
  UpdateReadiness(cx, sockets[listener.socket]);
}

void Stack::Impl::Forget(HalfOpenRecord& record) {
  wheel.Cancel(record);
  IntrusiveList<HalfOpenRecord, stack::HalfOpenTag>::Remove(record);
  --listeners[record.listener].half_open;
  const std::uint32_t value =
      index.Find(record.hash, [&](std::uint32_t v) { return Matches(Ref(v), record.state.tuple); });
  index.Erase(record.hash, value);
  half_open.Destroy(Ref(value).slot());
}

void Stack::Impl::CloseListener(Context& cx, Socket& socket) {
  const std::uint32_t slot = socket.listener;
  Listener& listener = listeners[slot];
  cx.cause = Cause{};
  cx.cause.call = CallKind::kClose;
  index.Erase(Hash(ListenerTuple(socket.tuple.local)), Ref(Owner::kSocket, socket.self).raw);
  listener.syn_queue.ForEach([&](HalfOpenRecord& record) {
    FireHalfOpen(cx, record, RuleId::kListenerGone);
    Forget(record);
  });
  listener.accept_queue.ForEach([&](Socket& waiting) {
    IntrusiveList<Socket, stack::QueueTag>::Remove(waiting);
    waiting.queued = false;
    tcp::UserAbort(cx, waiting);
    Settle(cx, waiting);
  });
  cx.cause = Cause{};
  cx.cause.call = CallKind::kClose;
  tcp::Apply(cx, socket, RuleId::kCloseListen);
  listeners.Destroy(slot);
  socket.listener = kNoSlot;
  if (socket.binding != kNoSlot) ports[socket.binding].listening = false;
}

}  // namespace estab
