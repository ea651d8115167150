// The accept queue: how half-open records, cookies and Fast Open SYNs become connections.
#include "stack/engine.h"
#include "tcp/arrive.h"
#include "tcp/user.h"

namespace estab {

void Stack::Impl::Complete(Context& cx, HalfOpenRecord& record, const wire::Segment& segment) {
  Listener& listener = listeners[record.listener];
  if (AcceptQueueFull(listener)) {
    ++counters.listen_overflows;
    const bool abort = settings.abort_on_overflow != 0;
    record.state.acked = true;
    FireHalfOpen(cx, record, abort ? RuleId::kSynRcvdOverflowReset : RuleId::kSynRcvdOverflow);
    if (!abort) return;
    ReplyReset(cx.now, record.state.link, record.state.tuple, segment);
    return Forget(cx, record);
  }
  Socket* socket = NewChild(cx, listener, record.state);
  const bool held =
      socket != nullptr && ports.Hold(socket->tuple.local.port, SharingOf(*socket->options));
  if (!held) {
    if (socket != nullptr) Destroy(*socket);
    return FireHalfOpen(cx, record, RuleId::kSynRcvdNoMemory);
  }
  // The record's place in the table becomes the connection's: this cannot fail half-way.
  const std::uint32_t hash = Hash(record.state.tuple);
  const Ref old = Lookup(record.state.tuple, hash);
  index.Replace(hash, old.raw, Ref(Owner::kSocket, socket->self).raw);
  socket->attached = true;
  socket->held_address = socket->options->reuse_address;
  socket->held_port = socket->options->reuse_port;
  Unqueue(cx, record);
  half_open.Destroy(old.slot());
  Enqueue(listener, *socket);
  tcp::Arrive(cx, *socket, segment);
  SettleChild(cx, listener, *socket);
}

// What a listener's own options say of its queue is not for the connections that come out of it.
const SocketOptions* Stack::Impl::ChildOptions(const SocketOptions& parent) {
  if (parent.defer_accept == 0 && parent.fast_open_queue == 0) return options.Ref(&parent);
  SocketOptions own = parent;
  own.defer_accept = 0;
  own.fast_open_queue = 0;
  return options.Intern(own);
}

Stack::Impl::Socket* Stack::Impl::NewChild(Context& cx, const Listener& listener,
                                           const tcp::HalfOpen& half) {
  const Socket& parent = sockets[listener.socket];
  const SocketOptions* own = ChildOptions(*parent.options);
  if (own == nullptr) return nullptr;
  Socket* socket = NewSocket(parent.ipv6, own);
  options.Unref(own);
  if (socket == nullptr) return nullptr;
  const std::uint32_t mtu = PathTo(half.tuple.remote.address, half.link, cx.now).mtu;
  tcp::Promote(cx, half, mtu, *socket);
  socket->listener = sockets[listener.socket].listener;
  socket->queued = true;
  socket->to_self = network.IsLocal(half.tuple.remote.address);
  return socket;
}

void Stack::Impl::Enqueue(Listener& listener, Socket& socket) {
  listener.accept_queue.PushBack(socket);
  ++listener.waiting;
  sockets[listener.socket].pending.news = true;
  ++counters.connections_accepted;
}

void Stack::Impl::SettleChild(Context& cx, const Listener& listener, Socket& socket) {
  const std::uint32_t parent = listener.socket;
  Settle(cx, socket);
  UpdateReadiness(cx, sockets[parent]);
}

// Takes a record out of its SYN queue and off its timer.
void Stack::Impl::Unqueue(Context& cx, HalfOpenRecord& record) {
  Listener& listener = listeners[record.listener];
  if (record.armed()) {
    recorder.Timer(cx.now, record.state.number, record.state.tuple, TimerKind::kRetransmit,
                   TimerEvent::What::kCancelled);
  }
  wheel.Cancel(record);
  IntrusiveList<HalfOpenRecord, stack::HalfOpenTag>::Remove(record);
  --listener.half_open;
  if (record.state.repeats == 0) --listener.young;
}

void Stack::Impl::Forget(Context& cx, HalfOpenRecord& record) {
  Unqueue(cx, record);
  const std::uint32_t hash = Hash(record.state.tuple);
  const Ref ref = Lookup(record.state.tuple, hash);
  index.Erase(hash, ref.raw);
  half_open.Destroy(ref.slot());
}

void Stack::Impl::CloseListener(Context& cx, Socket& socket) {
  const std::uint32_t slot = socket.listener;
  Listener& listener = listeners[slot];
  cx.cause = Cause{};
  cx.cause.call = CallKind::kClose;
  Delist(socket);
  listener.syn_queue.ForEach([&](HalfOpenRecord& record) {
    FireHalfOpen(cx, record, RuleId::kListenerGone);
    Forget(cx, record);
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
