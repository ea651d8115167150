// The public face: every call checks its handle, does its work in the engine, and is written down.
#include "estab/stack.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "stack/engine.h"
#include "stack/settings_table.h"
#include "tcp/invariants.h"
#include "tcp/send_queue.h"
#include "tcp/user.h"

namespace estab {
namespace {

constexpr auto kBad = Error::kBadHandle;

}  // namespace

Result<Stack> Stack::Create(const StackConfig& config) {
  Allocator& allocator = config.allocator != nullptr ? *config.allocator : HeapAllocator();
  void* memory = allocator.Allocate(sizeof(Impl), alignof(Impl));
  if (memory == nullptr) return std::unexpected(Error::kNoMemory);
  Stack stack(::new (memory) Impl(config, allocator));
  if (!stack.impl_->Begin()) return std::unexpected(Error::kNoMemory);
  return stack;
}

Stack::Stack(Stack&& other) noexcept : impl_(std::exchange(other.impl_, nullptr)) {}

Stack& Stack::operator=(Stack&& other) noexcept {
  std::swap(impl_, other.impl_);
  return *this;
}

Stack::~Stack() {
  if (impl_ == nullptr) return;
  Allocator& allocator = *impl_->allocator;
  impl_->~Impl();
  allocator.Free(impl_, sizeof(Impl));
}

Result<LinkId> Stack::AddLink(const LinkConfig& config) {
  return impl_->network.AddLink(config.mtu);
}
Result<void> Stack::AddAddress(LinkId link, const Prefix& prefix) {
  return impl_->network.AddAddress(link, prefix);
}
Result<void> Stack::AddRoute(LinkId link, const Prefix& destination, const IpAddress* via) {
  return impl_->network.AddRoute(link, destination, via);
}

std::uint16_t Stack::ShardOf(const Tuple& tuple) const {
  return impl_->ShardOf(impl_->Hash(tuple));
}

void Stack::Receive(Time now, std::span<const RxPacket> packets) { impl_->Receive(now, packets); }
std::size_t Stack::Transmit(Time now, PacketSink& sink, std::size_t budget) {
  return impl_->Transmit(now, sink, budget);
}
bool Stack::WantsTransmit() const {
  if (!impl_->replies.empty() || !impl_->looped.empty()) return true;
  for (std::size_t i = 0; i < impl_->network.link_count(); ++i) {
    if (!impl_->network.link(static_cast<LinkId>(i)).output.empty()) return true;
  }
  return false;
}
Time Stack::NextDeadline() { return impl_->NextDeadline(); }
std::size_t Stack::Advance(Time now, std::size_t budget) { return impl_->Advance(now, budget); }
void Stack::TransmitComplete(std::span<const std::uint64_t> tokens) {
  for (std::uint64_t token : tokens) impl_->TransmitComplete(token);
}

Result<SocketId> Stack::Open(bool ipv6) {
  Impl::Socket* socket = impl_->NewSocket(ipv6, impl_->options.Default());
  if (socket == nullptr) return std::unexpected(Error::kNoMemory);
  return impl_->IdOf(*socket);
}

Result<void> Stack::Bind(SocketId id, const Endpoint& local) {
  Impl::Socket* socket = impl_->Get(id);
  return socket == nullptr ? std::unexpected(kBad) : impl_->Bind(*socket, local);
}

Result<void> Stack::Listen(Time now, SocketId id, int backlog) {
  Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  const auto result = impl_->Listen(now, *socket, backlog);
  impl_->recorder.Call(now, socket->number, socket->tuple, CallKind::kListen, result ? 0 : -1,
                       result ? Error{} : result.error());
  return result;
}

Result<void> Stack::Connect(Time now, SocketId id, const Endpoint& remote) {
  Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  const auto result = impl_->Connect(now, *socket, remote);
  impl_->recorder.Call(now, socket->number, socket->tuple, CallKind::kConnect, result ? 0 : -1,
                       result ? Error{} : result.error());
  return result;
}

Result<std::size_t> Stack::ConnectWithData(Time now, SocketId id, const Endpoint& remote,
                                           std::span<const std::byte> data) {
  Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  const auto result = impl_->ConnectWithData(now, *socket, remote, data);
  const std::int64_t taken = result ? static_cast<std::int64_t>(*result) : -1;
  impl_->recorder.Call(now, socket->number, socket->tuple, CallKind::kConnect, taken,
                       result ? Error{} : result.error());
  return result;
}

Result<SocketId> Stack::Accept(Time now, SocketId id) {
  Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  const auto result = impl_->Accept(now, *socket);
  if (result) {
    const Impl::Socket& accepted = impl_->sockets[result->index];
    impl_->recorder.Call(now, accepted.number, accepted.tuple, CallKind::kAccept, 0, Error{});
  }
  return result;
}

Result<std::size_t> Stack::Send(Time now, SocketId id, std::span<const std::byte> data,
                                SendFlags flags) {
  Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  auto cx = impl_->MakeContext(now);
  const auto result = tcp::UserSend(cx, *socket, data, flags.more, flags.urgent);
  impl_->recorder.Call(now, socket->number, socket->tuple, CallKind::kSend,
                       result ? static_cast<std::int64_t>(*result) : -1,
                       result ? Error{} : result.error());
  if (socket->state != State::kListen) impl_->Settle(cx, *socket);
  return result;
}

Result<std::size_t> Stack::Read(Time now, SocketId id, std::span<std::byte> into, bool peek) {
  Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  auto cx = impl_->MakeContext(now);
  const auto result = tcp::UserRead(cx, *socket, into, peek);
  impl_->recorder.Call(now, socket->number, socket->tuple, CallKind::kReceive,
                       result ? static_cast<std::int64_t>(*result) : -1,
                       result ? Error{} : result.error());
  if (socket->state != State::kListen) impl_->Settle(cx, *socket);
  return result;
}

Result<std::size_t> Stack::ReadUrgent(Time now, SocketId id, std::span<std::byte> into, bool peek) {
  Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  auto cx = impl_->MakeContext(now);
  const auto result = tcp::UserReadUrgent(cx, *socket, into, peek);
  impl_->recorder.Call(now, socket->number, socket->tuple, CallKind::kReceive,
                       result ? static_cast<std::int64_t>(*result) : -1,
                       result ? Error{} : result.error());
  if (socket->state != State::kListen) impl_->Settle(cx, *socket);
  return result;
}

Result<bool> Stack::SetQuickAck(Time now, SocketId id, bool on) {
  Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  auto cx = impl_->MakeContext(now);
  const bool waited = tcp::UserQuickAck(cx, *socket, on);
  if (socket->state != State::kListen) impl_->Settle(cx, *socket);
  return waited;
}

Result<void> Stack::Push(Time now, SocketId id) {
  Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  auto cx = impl_->MakeContext(now);
  tcp::PushOnce(cx, *socket);
  if (socket->state != State::kListen) impl_->Settle(cx, *socket);
  return {};
}

Result<void> Stack::Shutdown(Time now, SocketId id, How how) {
  Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  auto cx = impl_->MakeContext(now);
  if (socket->state == State::kListen) {
    if (how != How::kWrite) impl_->CloseListener(cx, *socket);
    impl_->UpdateReadiness(cx, *socket);
    return {};
  }
  if (impl_->StateOf(*socket) == State::kClosed) return std::unexpected(Error::kNotConnected);
  if (how != How::kWrite) tcp::UserShutdownRead(cx, *socket);
  if (how != How::kRead && socket->state != State::kClosed) tcp::UserShutdownWrite(cx, *socket);
  const CallKind call = how == How::kRead ? CallKind::kShutdownRead : CallKind::kShutdownWrite;
  impl_->recorder.Call(now, socket->number, socket->tuple, call, 0, Error{});
  impl_->Settle(cx, *socket);
  return {};
}

Result<void> Stack::Close(Time now, SocketId id) {
  Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  impl_->recorder.Call(now, socket->number, socket->tuple, CallKind::kClose, 0, Error{});
  impl_->Close(now, *socket);
  return {};
}

Result<void> Stack::Abort(Time now, SocketId id) {
  Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  impl_->recorder.Call(now, socket->number, socket->tuple, CallKind::kAbort, 0, Error{});
  if (socket->state == State::kListen || !socket->attached) {
    impl_->Close(now, *socket);
    return {};
  }
  IntrusiveList<Impl::Socket, stack::QueueTag>::Remove(*socket);
  auto cx = impl_->MakeContext(now);
  tcp::UserAbort(cx, *socket);
  impl_->Settle(cx, *socket);
  return {};
}

void Stack::ResetAll(Time now) {
  auto cx = impl_->MakeContext(now);
  impl_->sockets.ForEach([&](std::uint32_t, Impl::Socket& socket) {
    if (socket.state == State::kListen) impl_->CloseListener(cx, socket);
  });
  impl_->sockets.ForEach([&](std::uint32_t, Impl::Socket& socket) {
    if (!socket.attached) return;
    cx.cause = Cause{};
    IntrusiveList<Impl::Socket, stack::QueueTag>::Remove(socket);
    tcp::UserAbort(cx, socket);
    impl_->Settle(cx, socket);
  });
}

Result<std::uint8_t> Stack::GetReadiness(SocketId id) const {
  const Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  return impl_->Readiness(impl_->MakeContext(Time{}), *socket);
}

std::size_t Stack::DrainReady(std::span<ReadyEvent> events) {
  std::size_t n = 0;
  while (n < events.size()) {
    Impl::Socket* socket = impl_->ready.PopFront();
    if (socket == nullptr) break;
    const std::uint8_t bits = impl_->Readiness(impl_->MakeContext(Time{}), *socket);
    const int news = socket->pending.news ? bits & kReadable : 0;
    const auto raised = static_cast<std::uint8_t>((bits & ~socket->reported) | news);
    socket->reported = bits;
    socket->pending.news = false;
    events[n++] = {impl_->IdOf(*socket), bits, raised, socket->user};
  }
  return n;
}

Result<void> Stack::SetUser(SocketId id, void* user) {
  Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  socket->user = user;
  return {};
}

Result<std::optional<Error>> Stack::TakeError(SocketId id) {
  Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  return tcp::TakeAnyError(*socket);
}

Result<void> Stack::SetError(SocketId id, Error error) {
  Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  tcp::SetError(*socket, error);
  impl_->UpdateReadiness(impl_->MakeContext(Time{}), *socket);
  return {};
}

Result<Tuple> Stack::GetTuple(SocketId id) const {
  const Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  return socket->tuple;
}

Result<SocketOptions> Stack::GetOptions(SocketId id) const {
  const Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  return *socket->options;
}

Result<void> Stack::SetOptions(Time now, SocketId id, const SocketOptions& options) {
  Impl::Socket* socket = impl_->Get(id);
  return socket == nullptr ? std::unexpected(kBad) : impl_->SetOptions(now, *socket, options);
}

Result<ConnectionInfo> Stack::GetInfo(Time now, SocketId id) const {
  const Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  return impl_->Info(now, *socket);
}

Result<bool> Stack::Drained(SocketId id) const {
  const Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  if (!socket->attached) return true;
  const auto cx = impl_->MakeContext(Time{});
  return socket->syn_acked && tcp::SendEnd(cx, *socket) == socket->snd.una;
}

bool Stack::ConnectTimeoutEnds() const { return impl_->settings.policy.connect_timeout_ends; }

Result<bool> Stack::IsListening(SocketId id) const {
  const Impl::Socket* socket = impl_->Get(id);
  if (socket == nullptr) return std::unexpected(kBad);
  return socket->state == State::kListen;
}

StackCounters Stack::Counters() const {
  StackCounters c = impl_->counters;
  c.sockets = impl_->sockets.live();
  c.half_open = impl_->half_open.live();
  c.time_wait = impl_->time_wait4.live() + impl_->time_wait6.live();
  c.memory = impl_->memory.used();
  c.memory_limit = impl_->memory.limit() == UINT64_MAX ? 0 : impl_->memory.limit();
  c.memory_shed = impl_->buffers.pressure.shed;
  c.memory_windows_held = impl_->buffers.pressure.windows_held;
  c.memory_drops = impl_->buffers.pressure.drops;
  c.payload_chunks = impl_->buffers.chunks.live();
  const std::uint64_t datagrams =
      std::uint64_t{impl_->fragments4.size()} + impl_->fragments6.size();
  c.reassembly_failures = impl_->fragments4.failures() + impl_->fragments6.failures();
  c.memory_in_use = impl_->buffers.chunks.live_bytes() + datagrams * sizeof(stack::Datagram) +
                    std::uint64_t{c.sockets} * sizeof(Impl::Socket) +
                    std::uint64_t{c.half_open} * sizeof(stack::HalfOpenRecord) +
                    std::uint64_t{impl_->time_wait4.live()} * sizeof(stack::TimeWait4) +
                    std::uint64_t{impl_->time_wait6.live()} * sizeof(stack::TimeWait6);
  c.challenge_acks = impl_->challenges.sent;
  c.challenge_acks_limited = impl_->challenges.limited;
  impl_->CountPaths(c);
  return c;
}

std::span<const std::uint64_t> Stack::RuleCounters() const { return impl_->recorder.counts(); }

void Stack::SetObserver(Observer* observer) { impl_->recorder.SetObserver(observer); }

void Stack::CheckInvariants() const {
  const auto cx = impl_->MakeContext(Time{});
  const Impl& impl = *impl_;
  impl.sockets.ForEach([&](std::uint32_t, const Impl::Socket& s) { impl.CheckSocket(cx, s); });
}

}  // namespace estab
