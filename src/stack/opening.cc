// Bind, listen, connect, accept: how a socket gets its place.
#include <algorithm>
#include <utility>

#include "stack/engine.h"
#include "tcp/user.h"

namespace estab {

using stack::Binding;

namespace {

constexpr int kRandomDraws = 128;

// A wildcard covers every address of its family, and `::` without V6ONLY both.
bool Covers(const Binding& binding, const IpAddress& address) {
  const IpAddress& local = binding.local.address;
  if (local == address || local == IpAddress::AnyV4()) return local == address || address.is_v4();
  return local == IpAddress::AnyV6() && (!address.is_v4() || !binding.v6_only);
}

}  // namespace

// Whether bindings, connections or TIME_WAIT records on the port forbid `wanted`.
bool Stack::Impl::PortConflicts(const Binding& wanted, std::uint32_t except) const {
  if (ports.Conflicts(wanted, except)) return true;
  const std::uint16_t port = wanted.local.port;
  if (ports.Hindering(port, wanted.sharing) == 0) return false;
  if (wanted.local.address.is_any()) return true;
  // Rare: a bind to one address of a port that has connections. Do they concern that address?
  bool found = false;
  const auto check = [&](const Tuple& tuple, bool address, bool shared_port) {
    if (tuple.local.port != port) return;
    if ((wanted.sharing.address && address) || (wanted.sharing.port && shared_port)) return;
    found = found || Covers(wanted, tuple.local.address);
  };
  sockets.ForEach([&](std::uint32_t, const Socket& s) {
    if (s.attached) check(s.tuple, s.held_address, s.held_port);
  });
  time_wait4.ForEach([&](std::uint32_t, const stack::TimeWait4& r) {
    check(r.tuple(), r.state.reuse_address, r.state.reuse_port);
  });
  time_wait6.ForEach([&](std::uint32_t, const stack::TimeWait6& r) {
    check(r.tuple(), r.state.reuse_address, r.state.reuse_port);
  });
  return found;
}

// As Linux: each of the option's bounds counts only if it lies within the setting's range.
Stack::Impl::PortRange Stack::Impl::PortsFor(const SocketOptions& own) const {
  std::uint32_t first = static_cast<std::uint32_t>(settings.port_min);
  std::uint32_t last = static_cast<std::uint32_t>(settings.port_max);
  const auto within = [&](std::uint32_t port) { return first <= port && port <= last; };
  if (within(own.port_min)) first = own.port_min;
  if (within(own.port_max)) last = own.port_max;
  return {first, last - first + 1};
}

Result<std::uint16_t> Stack::Impl::ChooseBindPort(Binding wanted) {
  const auto [first, count] = PortsFor(*sockets[wanted.socket].options);
  const std::uint64_t start = SipHash24(keys.ports, std::array{++port_draws}) % count;
  const auto drawn = static_cast<std::uint32_t>(first + start);
  if (const std::uint16_t unused = ports.NextUnused(drawn, first, count)) return unused;
  for (std::uint32_t i = 0; i < count; ++i) {
    wanted.local.port = static_cast<std::uint16_t>(first + (start + i) % count);
    if (ports.Held(wanted.local.port) != 0) continue;  // as Linux: not one that is in use at all
    if (!PortConflicts(wanted, kNoSlot)) return wanted.local.port;
  }
  return std::unexpected(Error::kAddressInUse);
}

Result<void> Stack::Impl::BindTo(Socket& socket, const Endpoint& local, bool listening) {
  Binding binding;
  binding.local = local;
  binding.socket = socket.self;
  binding.sharing = SharingOf(*socket.options);
  binding.listening = listening;
  binding.v6_only = socket.options->v6_only;
  if (local.port == 0) {
    const auto port = ChooseBindPort(binding);
    if (!port) return std::unexpected(port.error());
    binding.local.port = *port;
  } else if (PortConflicts(binding, kNoSlot)) {
    return std::unexpected(Error::kAddressInUse);
  }
  const std::uint32_t slot = ports.Bind(binding);
  if (slot == kNoSlot) return std::unexpected(Error::kNoMemory);
  socket.binding = slot;
  socket.tuple.local = binding.local;
  return {};
}

Result<void> Stack::Impl::Bind(Socket& socket, const Endpoint& local) {
  if (socket.binding != kNoSlot || socket.state != State::kClosed || socket.attached) {
    return std::unexpected(Error::kInvalid);
  }
  const bool v4 = local.address.is_v4();
  if (!socket.ipv6 && !v4) return std::unexpected(Error::kFamilyNotSupported);
  if (socket.ipv6 && v4 && socket.options->v6_only) return std::unexpected(Error::kInvalid);
  if (!local.address.is_any() && !network.IsLocal(local.address)) {
    return std::unexpected(Error::kAddressNotAvailable);
  }
  if (local.port == 0 && socket.options->bind_address_only) {
    socket.tuple.local = local;
    socket.address_bound = !local.address.is_any();
    return {};
  }
  return BindTo(socket, local, false);
}

Result<void> Stack::Impl::Listen(Time now, Socket& socket, int backlog) {
  const int limit = settings.somaxconn;
  const auto wanted = static_cast<std::uint32_t>(backlog < 0 || backlog > limit ? limit : backlog);
  if (socket.state == State::kListen) {
    listeners[socket.listener].backlog = wanted;
    return {};
  }
  if (socket.state != State::kClosed || socket.attached) return std::unexpected(Error::kInvalid);
  if (socket.binding == kNoSlot) {
    if (auto bound = BindTo(socket, {socket.tuple.local.address, 0}, true); !bound) return bound;
  } else {
    Binding binding = ports[socket.binding];
    binding.listening = true;
    if (PortConflicts(binding, socket.binding)) return std::unexpected(Error::kAddressInUse);
    ports[socket.binding].listening = true;
  }
  const std::uint32_t slot = listeners.Create();
  if (slot != kNoSlot) listeners[slot].socket = socket.self;
  socket.listener = slot;
  if (slot == kNoSlot || !Enlist(socket)) {
    if (slot != kNoSlot) listeners.Destroy(slot);
    socket.listener = kNoSlot;
    ports[socket.binding].listening = false;
    return std::unexpected(Error::kNoMemory);
  }
  socket.tuple = ListenerTuple(socket.tuple.local);
  socket.number = NextNumber();
  listeners[slot].backlog = wanted;
  if ((settings.fastopen & stack::kFastOpenServer) != 0 &&
      (settings.fastopen & stack::kFastOpenEveryListener) != 0) {
    EnableFastOpen(socket, wanted);
  }
  Context cx = MakeContext(now);
  cx.cause.call = CallKind::kListen;
  tcp::Apply(cx, socket, RuleId::kPassiveOpen);
  return {};
}

Result<void> Stack::Impl::CheckConnect(Socket& socket, const Endpoint& remote) const {
  const bool v4 = remote.address.is_v4();
  if (!socket.ipv6 && !v4) return std::unexpected(Error::kFamilyNotSupported);
  if (socket.ipv6 && v4 && socket.options->v6_only) {
    return std::unexpected(Error::kNetworkUnreachable);  // as Linux
  }
  if (socket.state == State::kListen) return std::unexpected(Error::kIsConnected);
  if (socket.state == State::kSynSent || socket.state == State::kSynRcvd) {
    const bool deferred = socket.fast_open == tcp::FastOpen::kDeferred;
    return std::unexpected(deferred ? Error::kIsConnected : Error::kAlready);
  }
  if (socket.state != State::kClosed || socket.syn_acked) {
    return std::unexpected(Error::kIsConnected);
  }
  // What a disconnected attempt has left behind does not count for the next one.
  const auto error = tcp::TakePendingError(socket);
  if (error && socket.number != 0) return std::unexpected(*error);
  if (remote.address.is_any() || remote.address.is_multicast() ||
      network.IsBroadcast(remote.address)) {
    return std::unexpected(Error::kNetworkUnreachable);
  }
  return {};
}

// Whether the four-tuple is free, or can be had from a TIME_WAIT record (which then goes).
bool Stack::Impl::TakePlace(Context& cx, bool bound, Place& place) {
  place.hash = Hash(place.tuple);
  const Ref ref = Lookup(place.tuple, place.hash);
  if (!ref.found()) return true;
  if (ref.kind() != Owner::kTimeWait4 && ref.kind() != Owner::kTimeWait6) return false;
  const tcp::TimeWait& record = TimeWaitOf(ref);
  if (!tcp::MayReuse(settings, cx.stamp(), place.loopback, bound, record)) return false;
  place.iss = tcp::NextIss(record);
  recorder.Fired(cx.now, record.number, place.tuple, State::kTimeWait, State::kClosed,
                 RuleId::kTimeWaitReuse, cx.cause);
  RemoveTimeWait(ref, place.tuple);
  return true;
}

// Whether a connection stands under the hash of a tuple; with next to certainty it is of that
// tuple.
bool Stack::Impl::LooksTaken(const Tuple& tuple) const {
  const Ref ref(index.Find(Hash(tuple), [](std::uint32_t) { return true; }));
  return ref.found() && ref.kind() == Owner::kSocket;
}

// RFC 6056 §3.3.1: at random, and from there on the next that is free. Where all are used by
// somebody: one drawn at random for this destination, then every port in turn, so that "none is
// left" is the truth.
Result<void> Stack::Impl::ChoosePlace(Context& cx, const Socket& socket, Place& place) {
  // What comes back must find us.
  const auto ours = [&] {
    return shard.count == 1 || place.loopback || ShardOf(Hash(place.tuple)) == shard.index;
  };
  if (socket.binding != kNoSlot) {
    if (ours() && TakePlace(cx, true, place)) return {};
    return std::unexpected(Error::kAddressNotAvailable);
  }
  const auto [first, count] = PortsFor(*socket.options);
  const std::uint32_t ends = Hash(place.tuple);
  const auto drawn = [&] { return SipHash24(keys.ports, std::array{++port_draws}) ^ ends; };
  std::uint64_t draw = 0;
  // A port that nobody uses is free for every destination.
  for (std::uint32_t i = 0; i < kRandomDraws; ++i) {
    const auto start = static_cast<std::uint32_t>(first + drawn() % count);
    place.tuple.local.port = ports.NextUnused(start, first, count);
    if (place.tuple.local.port == 0) break;
    if (ours() && TakePlace(cx, false, place)) return {};
  }
  for (std::uint32_t i = 0; i < kRandomDraws + count; ++i) {
    if (i <= kRandomDraws) {
      draw = drawn();
    } else {
      ++draw;
    }
    place.tuple.local.port = static_cast<std::uint16_t>(first + draw % count);
    if (ports.IsBound(place.tuple.local.port)) continue;
    if (!ours()) continue;
    ports.Prefetch(place.tuple.local.port);
    // Where most are taken, the drawn one need not be looked at to be left alone.
    if (i <= kRandomDraws && LooksTaken(place.tuple)) continue;
    if (TakePlace(cx, false, place)) return {};
  }
  return std::unexpected(Error::kAddressNotAvailable);
}

Result<void> Stack::Impl::BeginConnect(Context& cx, Socket& socket, const Endpoint& remote) {
  if (auto checked = CheckConnect(socket, remote); !checked) return checked;
  const auto path = network.Find(remote.address);
  if (!path) return std::unexpected(path.error());
  ForgetAttempt(socket);
  const IpAddress& bound = socket.tuple.local.address;
  const bool any = bound.is_any();
  if (!any && bound.is_v4() != remote.address.is_v4()) {
    return std::unexpected(Error::kFamilyNotSupported);
  }
  cx.cause.call = CallKind::kConnect;
  Place place;
  place.tuple = {socket.tuple.local, remote};
  place.loopback = network.IsLocal(remote.address);
  if (any) place.tuple.local.address = place.loopback ? remote.address : path->source;
  if (auto chosen = ChoosePlace(cx, socket, place); !chosen) return chosen;
  const Tuple before = std::exchange(socket.tuple, place.tuple);
  if (!Attach(socket, place.hash)) {
    socket.tuple = before;
    return std::unexpected(Error::kNoMemory);
  }
  socket.to_self = place.loopback;
  socket.link = path->link;
  socket.number = NextNumber();
  const stack::Origins origins = OriginsOf(socket.tuple);
  socket.snd.una = place.iss ? *place.iss : FreshSequence(origins, cx.now);
  socket.ts.offset = origins.timestamps;
  tcp::BeginOpen(cx, socket, PathTo(remote.address, path->link, cx.now).mtu);
  ++counters.connections_opened;
  return {};
}

Result<void> Stack::Impl::Connect(Time now, Socket& socket, const Endpoint& remote) {
  Context cx = MakeContext(now);
  if (auto begun = BeginConnect(cx, socket, remote); !begun) return begun;
  const bool later = ConnectLater(cx, socket);
  Settle(cx, socket);
  if (later) return {};
  return std::unexpected(Error::kInProgress);
}

// An attempt that failed leaves a TCB behind; a new one begins with a fresh one.
void Stack::Impl::ForgetAttempt(Socket& socket) {
  if (socket.number == 0) return;
  const SocketOptions* kept = socket.options;
  buffers.Detach(socket);
  IpAddress any = socket.ipv6 ? IpAddress::AnyV6() : IpAddress::AnyV4();
  if (socket.address_bound) any = socket.tuple.local.address;
  static_cast<tcp::Tcb&>(socket) = tcp::Tcb{};
  socket.options = kept;
  const bool bound = socket.binding != kNoSlot;
  socket.tuple = {bound ? ports[socket.binding].local : Endpoint{any, 0}, {any, 0}};
}

Result<SocketId> Stack::Impl::Accept(Time now, Socket& socket) {
  if (socket.state != State::kListen) return std::unexpected(Error::kInvalid);
  Listener& listener = listeners[socket.listener];
  Socket* connection = listener.accept_queue.PopFront();
  if (connection == nullptr) return std::unexpected(Error::kWouldBlock);
  --listener.waiting;
  connection->queued = false;
  if (!connection->fast_open_pending) connection->listener = kNoSlot;
  const Context cx = MakeContext(now);
  UpdateReadiness(cx, *connection);
  UpdateReadiness(cx, socket);
  return IdOf(*connection);
}

}  // namespace estab
