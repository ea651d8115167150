// Fast Open at work: SYNs that make a connection at once, and connecting with data on the SYN.
#include "stack/engine.h"
#include "stack/fast_open.h"
#include "tcp/arrive.h"
#include "tcp/fast_open.h"

namespace estab {

using stack::FastOpenCookie;

namespace {

// A reset of an accepted connection that had not completed counts on for a minute, so that nobody
// can spoof SYNs with stolen cookies and have the victims' resets make room (RFC 7413 §5.1).
constexpr Duration kResetsCount = std::chrono::seconds(60);

}  // namespace

// --- The listener's side (RFC 7413 §4.1.2, §4.2) ---

// Without memory the listener goes without.
void Stack::Impl::EnableFastOpen(Socket& listening, std::uint32_t most) {
  if (listening.options->fast_open_queue != 0) return;
  SocketOptions wanted = *listening.options;
  wanted.fast_open_queue = most;
  const SocketOptions* block = options.Intern(wanted);
  if (block == nullptr) return;
  options.Unref(listening.options);
  listening.options = block;
}

stack::FastOpenKeys Stack::Impl::FastOpenKeysOf(const SocketOptions& own) const {
  if (own.fast_open_keys == 0) return fast_open_keys;
  return {own.fast_open_key, own.fast_open_keys};
}

bool Stack::Impl::FastOpenRoom(Context& cx, Listener& listener) {
  const std::uint32_t most = OptionsOf(listener).fast_open_queue;
  if (most == 0) return false;
  if (cx.now >= listener.fast_open_resets_end) listener.fast_open_resets = 0;
  if (listener.fast_open_pending + listener.fast_open_resets < most) return true;
  ++counters.fast_open_overflows;
  return false;
}

Stack::Impl::FastOpenGrant Stack::Impl::JudgeFastOpen(Context& cx, Listener& listener,
                                                      const Tuple& tuple,
                                                      const wire::Segment& syn) {
  const bool asks = syn.options.has_fast_open;
  const FastOpenCookie theirs = stack::CookieOf(syn.options);
  if (asks && theirs.size == 0) ++counters.fast_open_requests;
  if ((settings.fastopen & stack::kFastOpenServer) == 0 || (!asks && syn.payload.empty()) ||
      !FastOpenRoom(cx, listener)) {
    return {};
  }
  if ((settings.fastopen & stack::kFastOpenServerNoCookie) != 0 ||
      OptionsOf(listener).fast_open_no_cookie) {
    return {.open = true};
  }
  if (!asks) return {};
  const stack::FastOpenKeys keys_now = FastOpenKeysOf(OptionsOf(listener));
  const auto make = [&](const SipKey& key) {
    FastOpenCookie cookie =
        stack::MakeFastOpenCookie(key, tuple.remote.address, tuple.local.address);
    cookie.experimental = theirs.experimental;  // answered in the form of the question
    return cookie;
  };
  const FastOpenCookie own = make(keys_now.keys[0]);
  if (theirs.size == 0) return {.cookie = own};
  if (theirs == own) return {.open = true};
  if (keys_now.count == 2 && theirs == make(keys_now.keys[1])) {
    return {.open = true, .cookie = own};
  }
  ++counters.fast_open_passive_fails;
  return {.cookie = own};
}

bool Stack::Impl::OpenOnSyn(Context& cx, Listener& listener, tcp::HalfOpen half,
                            const wire::Segment& syn, const FastOpenGrant& grant) {
  half.number = NextNumber();
  Socket* socket = NewChild(cx, listener, half);
  if (socket == nullptr || !Attach(*socket, Hash(socket->tuple))) {
    if (socket != nullptr) Destroy(*socket);
    ++counters.fast_open_passive_fails;
    return false;
  }
  socket->fast_open_pending = true;
  socket->listener_turn = static_cast<std::uint8_t>(listeners.generation(socket->listener));
  socket->fast_open_renew = grant.cookie.size != 0;
  socket->fast_open_experimental = grant.cookie.experimental;
  ++listener.fast_open_pending;
  ++counters.fast_open_passive;
  recorder.Fired(cx.now, half.number, half.tuple, State::kListen, State::kSynRcvd,
                 RuleId::kListenFastOpen, cx.cause);
  Enqueue(listener, *socket);
  tcp::OpenOnSyn(cx, *socket, syn);
  SettleChild(cx, listener, *socket);
  return true;
}

// The handshake is complete, or the connection gone: it counts no more, or for a while. Closed
// before that by its user it counts on.
void Stack::Impl::CountFastOpen(Context& cx, Socket& socket) {
  const bool over = socket.syn_acked || socket.state == State::kClosed;
  if (!over) return;
  socket.fast_open_pending = false;
  // Not whoever would take such a SYN by now: the listener that counted this one.
  const std::uint32_t slot = socket.listener;
  if (!socket.queued) socket.listener = kNoSlot;
  if (!listeners.IsLive(slot)) return;
  Listener& listener = listeners[slot];
  const bool same = static_cast<std::uint8_t>(listeners.generation(slot)) == socket.listener_turn;
  if (!same || listener.fast_open_pending == 0) return;
  --listener.fast_open_pending;
  const bool reset = socket.pending_error == static_cast<std::uint8_t>(Error::kConnectionReset);
  if (socket.state != State::kClosed || !reset || socket.queued) return;
  if (cx.now >= listener.fast_open_resets_end) listener.fast_open_resets = 0;
  ++listener.fast_open_resets;
  listener.fast_open_resets_end = cx.now + kResetsCount;
}

// --- The client's side (RFC 7413 §4.1.3, §4.2.1) ---

bool Stack::Impl::MaySendOnSyn(Socket& socket) {
  const auto* entry = fast_open_cache.Find(keys.table, socket.tuple.remote.address);
  if (entry != nullptr) socket.peer_mss = entry->mss;
  return entry != nullptr || (settings.fastopen & stack::kFastOpenClientNoCookie) != 0 ||
         socket.options->fast_open_no_cookie;
}

Result<std::size_t> Stack::Impl::ConnectWithData(Time now, Socket& socket, const Endpoint& remote,
                                                 std::span<const std::byte> data) {
  if ((settings.fastopen & stack::kFastOpenClient) == 0) {
    return std::unexpected(Error::kOperationNotSupported);
  }
  Context cx = MakeContext(now);
  if (auto begun = BeginConnect(cx, socket, remote); !begun) return std::unexpected(begun.error());
  Result<std::size_t> taken = 0;
  socket.fast_open = tcp::FastOpen::kAsking;
  if (MaySendOnSyn(socket)) taken = tcp::QueueSynData(cx, socket, data);
  Settle(cx, socket);
  return taken.value_or(0);
}

// TCP_FASTOPEN_CONNECT: with a cookie at hand the SYN waits for the first data; without one it
// asks. True: it waits.
bool Stack::Impl::ConnectLater(Context& cx, Socket& socket) {
  if (!socket.options->fast_open_connect || (settings.fastopen & stack::kFastOpenClient) == 0) {
    return false;
  }
  const bool later = MaySendOnSyn(socket);
  socket.fast_open = tcp::FastOpen::kAsking;
  if (later) tcp::DeferSyn(cx, socket);
  return later;
}

void Stack::Impl::AddFastOpenOption(const Socket& socket, wire::Segment& syn) const {
  if (socket.passive) {
    if (!socket.fast_open_renew) return;
    FastOpenCookie fresh =
        stack::MakeFastOpenCookie(FastOpenKeysOf(*socket.options).keys[0],
                                  socket.tuple.remote.address, socket.tuple.local.address);
    fresh.experimental = socket.fast_open_experimental;
    return stack::PutCookie(fresh, syn.options);
  }
  const bool no_cookie = (settings.fastopen & stack::kFastOpenClientNoCookie) != 0 ||
                         socket.options->fast_open_no_cookie;
  if (socket.fast_open == tcp::FastOpen::kNone || no_cookie) return;
  const auto* entry = fast_open_cache.Find(keys.table, socket.tuple.remote.address);
  stack::PutCookie(entry != nullptr ? entry->cookie : FastOpenCookie{}, syn.options);
}

// What the SYN|ACK that opened `socket` says of Fast Open. `before`: how far it had come. Nothing
// else is believed: a bare SYN could be anybody's.
void Stack::Impl::NoteSynAck(const Socket& socket, tcp::FastOpen before,
                             const wire::Segment& syn_ack) {
  if (before == tcp::FastOpen::kNone || socket.state == State::kSynSent) return;
  if (before == tcp::FastOpen::kData) {
    const bool taken = socket.fast_open == tcp::FastOpen::kAccepted;
    ++(taken ? counters.fast_open_active : counters.fast_open_active_fails);
  }
  const bool given = syn_ack.options.has_fast_open && syn_ack.options.fast_open_size != 0;
  if (!socket.syn_acked) return;
  const IpAddress& server = socket.tuple.remote.address;
  if (!given) return fast_open_cache.NoteMss(keys.table, server, socket.peer_mss);
  fast_open_cache.Store(keys.table, {server, stack::CookieOf(syn_ack.options), socket.peer_mss});
}

}  // namespace estab
