// The life of a socket: how it is found, attached, settled and destroyed.
#include "base/check.h"
#include "stack/engine.h"
#include "tcp/invariants.h"
#include "tcp/pacing.h"
#include "tcp/sender.h"
#include "tcp/timers.h"
#include "tcp/user.h"
#include "wire/ip.h"

namespace estab {
bool Stack::Impl::Matches(Ref ref, const Tuple& tuple) const {
  switch (ref.kind()) {
    case Owner::kSocket:
      Fetch(ref.slot());
      return sockets[ref.slot()].tuple == tuple;
    case Owner::kHalfOpen:
      return half_open[ref.slot()].state.tuple == tuple;
    case Owner::kTimeWait4:
      return time_wait4[ref.slot()].tuple() == tuple;
    case Owner::kTimeWait6:
      return time_wait6[ref.slot()].tuple() == tuple;
    case Owner::kDatagram:  // is in the wheel, not in the table
      break;
  }
  return false;
}

Stack::Impl::Ref Stack::Impl::Lookup(const Tuple& tuple, std::uint32_t hash) const {
  return Ref(index.Find(hash, [&](std::uint32_t v) { return Matches(Ref(v), tuple); }));
}

ConnectionNumber Stack::Impl::NumberOf(Ref ref) const {
  if (!ref.found()) return 0;
  switch (ref.kind()) {
    case Owner::kSocket:
      return sockets[ref.slot()].number;
    case Owner::kHalfOpen:
      return half_open[ref.slot()].state.number;
    default:
      return TimeWaitOf(ref).number;
  }
}

Stack::Impl::Listener* Stack::Impl::FindListener(const Tuple& tuple) {
  const Endpoint& local = tuple.local;
  const auto find = [&](const IpAddress& address) -> Listener* {
    const Tuple own = ListenerTuple({address, local.port});
    const Ref ref = Lookup(own, stack::HashTuple(keys.table, kTcp, own));
    if (!ref.found()) return nullptr;
    Listener& listener = listeners[sockets[ref.slot()].listener];
    if (listener.group == kNoSlot) return &listener;
    const stack::ListenerGroup& group = groups[listener.group];
    return &listeners[group[static_cast<std::uint32_t>(std::uint64_t{Hash(tuple)} * group.count() >>
                                                       32)]];
  };
  if (Listener* exact = find(local.address)) return exact;
  if (!local.address.is_v4()) return find(IpAddress::AnyV6());
  if (Listener* any = find(IpAddress::AnyV4())) return any;
  Listener* dual = find(IpAddress::AnyV6());
  return dual != nullptr && !OptionsOf(*dual).v6_only ? dual : nullptr;
}

const Stack::Impl::Socket* Stack::Impl::Get(SocketId id) const {
  Fetch(id.index);
  if (!sockets.Holds(id.index, id.generation)) return nullptr;
  const Socket& socket = sockets[id.index];
  return socket.orphan || socket.queued ? nullptr : &socket;
}

Stack::Impl::Socket* Stack::Impl::Get(SocketId id) {
  return const_cast<Socket*>(static_cast<const Impl*>(this)->Get(id));
}

SocketId Stack::Impl::IdOf(const Socket& socket) const {
  return {socket.self, sockets.generation(socket.self)};
}

stack::Origins Stack::Impl::OriginsOf(const Tuple& tuple) const {
  return stack::OriginsOf(keys.sequence, tuple);
}

SndSeq Stack::Impl::FreshSequence(const stack::Origins& origins, Time now) const {
  return stack::InitialSequence(origins, now, settings.policy.isn_tick_ns);
}

// No two stacks of a group give the same.
ConnectionNumber Stack::Impl::NextNumber() {
  const bool first = last_number == 0 || last_number > UINT32_MAX - shard.count;
  last_number = first ? shard.index + 1u : last_number + shard.count;
  return last_number;
}

Stack::Impl::Socket* Stack::Impl::NewSocket(bool ipv6, const SocketOptions* from) {
  const std::uint32_t slot = sockets.Create();
  if (slot == kNoSlot) {
    ++counters.out_of_memory;
    return nullptr;
  }
  Socket& socket = sockets[slot];
  socket.self = slot;
  socket.ipv6 = ipv6;
  socket.options = options.Ref(from);
  socket.TimerNode::kind = static_cast<std::int8_t>(Owner::kSocket);
  const IpAddress any = ipv6 ? IpAddress::AnyV6() : IpAddress::AnyV4();
  socket.tuple = {{any, 0}, {any, 0}};
  return &socket;
}

bool Stack::Impl::Attach(Socket& socket, std::uint32_t hash) {
  const stack::Sharing sharing = SharingOf(*socket.options);
  if (!ports.Hold(socket.tuple.local.port, sharing)) return false;
  if (!index.Insert(hash, Ref(Owner::kSocket, socket.self).raw)) {
    ports.Release(socket.tuple.local.port, sharing);
    return false;
  }
  socket.held_address = sharing.address;
  socket.held_port = sharing.port;
  socket.attached = true;
  return true;
}

void Stack::Impl::Detach(Socket& socket) {
  if (!socket.attached) return;
  index.Erase(Hash(socket.tuple), Ref(Owner::kSocket, socket.self).raw);
  ports.Release(socket.tuple.local.port, {socket.held_address, socket.held_port});
  IntrusiveList<Socket, stack::OutputTag>::Remove(socket);
  LeaveTable(socket);
}

void Stack::Impl::LeaveTable(Socket& socket) {
  socket.attached = false;
  if (recent.socket == &socket) recent.segment.Clear();
}

void Stack::Impl::Destroy(Socket& socket) {
  Detach(socket);
  wheel.Cancel(socket);
  fine.Cancel(socket);
  IntrusiveList<Socket, stack::OutputTag>::Remove(socket);
  IntrusiveList<Socket, stack::QueueTag>::Remove(socket);
  buffers.Detach(socket);
  if (socket.binding != kNoSlot) ports.Unbind(socket.binding);
  if (socket.counted_orphan) --counters.orphans;
  if (socket.counted_record) --fin_wait2_records;
  options.Unref(socket.options);
  sockets.Destroy(socket.self);
}

std::uint8_t Stack::Impl::Readiness(const Context& cx, const Socket& socket) const {
  if (socket.state != State::kListen) return tcp::ReadinessOf(cx, socket);
  return listeners[socket.listener].waiting != 0 ? std::uint8_t{kReadable} : std::uint8_t{0};
}

void Stack::Impl::UpdateReadiness(const Context& cx, Socket& socket) {
  if (socket.queued || socket.orphan) return;
  const std::uint8_t now = Readiness(cx, socket);
  const bool gained =
      (now & ~socket.reported) != 0 || (socket.pending.news && (now & kReadable) != 0);
  socket.reported &= now;
  ListNode<stack::QueueTag>& node = socket;
  if (gained && !node.linked()) ready.PushBack(socket);
}

void Stack::Impl::Settle(Context& cx, Socket& socket) {
  EndFastOpen(cx, socket);
  if (tcp::FinWait2IsRecord(socket) && !socket.counted_record) CountAsRecord(cx, socket);
  if (socket.pending.reset) {
    const wire::Segment reset = tcp::MakeReset(cx, socket);
    socket.pending.reset = false;
    ++counters.resets_sent;
    Reply(cx.now, socket.link, socket.tuple, socket.number, reset,
          HeaderFor(socket.tuple, *socket.options, socket.mtu_locked));
  }
  if (socket.attached && socket.state == State::kTimeWait) {
    EnterTimeWait(cx, socket);
  } else if (socket.attached && socket.state == State::kClosed) {
    Detach(socket);
  }
  if (socket.orphan && !socket.attached) return Destroy(socket);
  if (socket.attached) {
    if (buffers.UnderPressure()) buffers.ShedReassembly();
    tcp::UpdatePersist(cx, socket);
    tcp::SchedulePacing(cx, socket);
    buffers.DetachEmpty(socket);
    ListNode<stack::OutputTag>& node = socket;
    if (!node.linked() && tcp::MayOwe(cx, socket)) {
      network.link(socket.link).output.PushBack(socket);
    }
  }
  RefileTimer(socket);
  UpdateReadiness(cx, socket);
#ifdef ESTAB_INVARIANTS
  CheckSocket(cx, socket);
#endif
}

void Stack::Impl::CheckSocket(const Context& cx, const Socket& socket) const {
  tcp::CheckInvariants(cx, socket);
  const Time deadline = CoarseDeadline(socket);
  ESTAB_CHECK(deadline == kNever || socket.armed());
  ESTAB_CHECK(deadline == kNever ||
              stack::TimerWheel::DeadlineOf(socket) <= deadline + std::chrono::milliseconds(1));
  const stack::FineNode& node = socket;
  ESTAB_CHECK(!node.filed() || fine.DeadlineOf(node) <= socket.fine_at);
  ESTAB_CHECK(!node.filed() || socket.fine_at != kNever);
  const ListNode<stack::OutputTag>& output = socket;
  const bool waits = output.linked() || !socket.attached;
  ESTAB_CHECK(waits || tcp::PlanSegment(cx, socket).kind == tcp::Plan::Kind::kNothing);
  ESTAB_CHECK(!socket.attached || Lookup(socket.tuple).raw == Ref(Owner::kSocket, socket.self).raw);
}

}  // namespace estab
