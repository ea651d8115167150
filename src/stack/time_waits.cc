// TIME_WAIT records: made from connections, found by segments, ended by the wheel.
#include "stack/engine.h"
#include "stack/isn.h"
#include "tcp/arrive.h"
#include "tcp/time_wait.h"

namespace estab {

using stack::TimeWait4;
using stack::TimeWait6;

template <class Record>
bool Stack::Impl::AddTimeWait(Context& cx, Slab<Record>& slab, Owner owner, Socket& socket,
                              const tcp::TimeWait& state) {
  const std::uint32_t slot = slab.Create();
  if (slot == kNoSlot) return false;
  Record& record = slab[slot];
  record.TimerNode::kind = static_cast<std::int8_t>(owner);
  record.state = state;
  record.SetTuple(socket.tuple);
  // The record takes over the connection's place in the table and its count at the port.
  index.Replace(Hash(socket.tuple), Ref(Owner::kSocket, socket.self).raw, Ref(owner, slot).raw);
  LeaveTable(socket);
  ArmTimeWait(cx, record, state.number, socket.tuple);
  return true;
}

void Stack::Impl::ArmTimeWait(Context& cx, stack::TimerNode& node, ConnectionNumber number,
                              const Tuple& tuple) {
  const Time over = cx.now + std::chrono::milliseconds(2 * settings.msl_ms);
  wheel.Arm(node, over);
  recorder.Timer(cx.now, number, tuple, TimerKind::kTimeWait, TimerEvent::What::kArmed, over);
}

bool Stack::Impl::RecordRoom() const {
  const std::uint32_t live = time_wait4.live() + time_wait6.live() + fin_wait2_records;
  return live < ShareOf(settings.max_tw_buckets);
}

void Stack::Impl::CountAsRecord(Context& cx, Socket& socket) {
  if (!RecordRoom()) {
    ++counters.time_wait_overflows;
    return tcp::ApplyClosed(cx, socket, RuleId::kFinWait2Refused);
  }
  if (socket.counted_orphan) --counters.orphans;
  socket.counted_orphan = false;
  socket.counted_record = true;
  ++fin_wait2_records;
}

void Stack::Impl::EnterTimeWait(Context& cx, Socket& socket) {
  // Its own place, if it has one already, becomes the record's.
  const bool room = socket.counted_record || RecordRoom();
  if (socket.counted_record) --fin_wait2_records;
  socket.counted_record = false;
  tcp::TimeWait state = tcp::MakeTimeWait(socket, cx.stamp());
  state.reuse_address = socket.held_address;
  state.reuse_port = socket.held_port;
  if (socket.acks_owed != 0) SendTimeWaitAck(cx, state, socket.tuple, socket.ts.offset);
  const bool v4 = socket.tuple.local.address.is_v4();
  const bool added = room && (v4 ? AddTimeWait(cx, time_wait4, Owner::kTimeWait4, socket, state)
                                 : AddTimeWait(cx, time_wait6, Owner::kTimeWait6, socket, state));
  if (!added) {
    ++counters.time_wait_overflows;
    tcp::ApplyClosed(cx, socket, RuleId::kTimeWaitRefused);
    return Detach(socket);
  }
  IntrusiveList<Socket, stack::OutputTag>::Remove(socket);
  // What stays of the socket is what its owner has not read yet.
  socket.retransmit_at = socket.delayed_ack_at = socket.idle_at = kNever;
  socket.acks_owed = 0;
  socket.pending = tcp::Pending{};
  buffers.DetachModel(socket);
  buffers.DetachEmpty(socket);
}

tcp::TimeWait& Stack::Impl::TimeWaitOf(Ref ref) {
  return ref.kind() == Owner::kTimeWait4 ? time_wait4[ref.slot()].state
                                         : time_wait6[ref.slot()].state;
}
const tcp::TimeWait& Stack::Impl::TimeWaitOf(Ref ref) const {
  return const_cast<Impl*>(this)->TimeWaitOf(ref);
}

stack::TimerNode& Stack::Impl::TimeWaitNode(Ref ref) {
  if (ref.kind() == Owner::kTimeWait4) return time_wait4[ref.slot()];
  return time_wait6[ref.slot()];
}

// When 2MSL began, told by when it will be over. The wheel rounds up, and the setting may have
// changed since: a time in the future means now.
tcp::Stamp Stack::Impl::RestartedAt(Ref ref, tcp::Stamp now) {
  const Time deadline = stack::TimerWheel::DeadlineOf(TimeWaitNode(ref));
  const tcp::Stamp began = tcp::StampOf(deadline) - static_cast<tcp::Stamp>(2 * settings.msl_ms);
  return Precedes(now, began) ? now : began;
}

void Stack::Impl::RemoveTimeWait(Ref ref, const Tuple& tuple) {
  wheel.Cancel(TimeWaitNode(ref));
  index.Erase(Hash(tuple), ref.raw);
  const tcp::TimeWait& record = TimeWaitOf(ref);
  ports.Release(tuple.local.port, {record.reuse_address != 0, record.reuse_port != 0});
  if (ref.kind() == Owner::kTimeWait4) {
    time_wait4.Destroy(ref.slot());
  } else {
    time_wait6.Destroy(ref.slot());
  }
}

// `offset`: of our timestamps, which a record does not keep.
void Stack::Impl::SendTimeWaitAck(Context& cx, const tcp::TimeWait& state, const Tuple& tuple,
                                  std::uint32_t offset) {
  wire::Segment ack = tcp::MakeAck(state, cx.stamp() + offset);
  ack.source_port = tuple.local.port;
  ack.destination_port = tuple.remote.port;
  Reply(cx.now, state.link, tuple, state.number, ack, state.tos, 0);
}

void Stack::Impl::ArriveAtTimeWait(Context& cx, Ref ref, const Tuple& tuple, LinkId link,
                                   const wire::Segment& segment) {
  tcp::TimeWait& state = TimeWaitOf(ref);
  Listener* listener = FindListener(tuple);
  const tcp::TimeWaitVerdict verdict = tcp::ArriveTimeWait(
      settings, cx.stamp(), RestartedAt(ref, cx.stamp()), segment, listener != nullptr, state);
  recorder.Fired(cx.now, state.number, tuple, State::kTimeWait,
                 verdict.end ? State::kClosed : State::kTimeWait, verdict.rule, cx.cause);
  if (verdict.ack) SendTimeWaitAck(cx, state, tuple, OriginsOf(tuple).timestamps);
  if (verdict.restart) {
    ArmTimeWait(cx, TimeWaitNode(ref), state.number, tuple);
  }
  if (!verdict.end) return;
  const SndSeq iss = tcp::NextIss(state);
  RemoveTimeWait(ref, tuple);
  if (verdict.reopen && listener != nullptr)
    ArriveAtListener(cx, *listener, tuple, link, segment, &iss);
}

void Stack::Impl::OnTimeWaitDeadline(Context& cx, Ref ref) {
  cx.cause = Cause{};
  cx.cause.trigger = Trigger::kTimer;
  cx.cause.timer = TimerKind::kTimeWait;
  const Tuple tuple = ref.kind() == Owner::kTimeWait4 ? time_wait4[ref.slot()].tuple()
                                                      : time_wait6[ref.slot()].tuple();
  const ConnectionNumber number = TimeWaitOf(ref).number;
  recorder.Timer(cx.now, number, tuple, TimerKind::kTimeWait, TimerEvent::What::kFired);
  recorder.Fired(cx.now, number, tuple, State::kTimeWait, State::kClosed, RuleId::kTimeWaitOver,
                 cx.cause);
  RemoveTimeWait(ref, tuple);
}

}  // namespace estab
