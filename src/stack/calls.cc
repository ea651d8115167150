// The user's other calls.
#include <algorithm>

#include "stack/engine.h"
#include "tcp/congestion/congestion.h"
#include "tcp/sender.h"
#include "tcp/timers.h"
#include "tcp/user.h"

namespace estab {
namespace {

template <class T>
bool Within(T value, T least, T most) {
  return value == 0 || (value >= least && value <= most);
}

bool ValidOptions(const SocketOptions& o) {
  return static_cast<std::size_t>(o.congestion) <= kCongestionControls &&
         Within<int>(o.syn_count, 1, 127) && Within<int>(o.keepalive_count, 1, 127) &&
         Within<int>(o.max_segment, 88, 32767) &&
         Within<std::uint32_t>(o.keepalive_idle, 1, 32767) &&
         Within<std::uint32_t>(o.keepalive_interval, 1, 32767) && o.send_buffer <= 1u << 30 &&
         o.receive_buffer <= 1u << 30 && o.user_timeout_ms <= INT32_MAX &&
         o.receive_low_water <= INT32_MAX && Within<std::uint32_t>(o.rto_max_ms, 1000, 120'000);
}

}  // namespace

void Stack::Impl::Close(Time now, Socket& socket) {
  Context cx = MakeContext(now);
  if (socket.state == State::kListen) {
    CloseListener(cx, socket);
    return Destroy(socket);
  }
  IntrusiveList<Socket, stack::QueueTag>::Remove(socket);
  tcp::UserClose(cx, socket, counters.orphans >= ShareOf(settings.max_orphans));
  if (socket.attached && socket.state != State::kClosed) {
    socket.counted_orphan = true;
    ++counters.orphans;
  }
  Settle(cx, socket);
}

Result<void> Stack::Impl::SetOptions(Time now, Socket& socket, const SocketOptions& wanted) {
  if (!ValidOptions(wanted)) return std::unexpected(Error::kInvalid);
  const SocketOptions& old = *socket.options;
  const bool placed = socket.binding != kNoSlot || socket.number != 0;
  if (wanted.v6_only != old.v6_only && placed) return std::unexpected(Error::kInvalid);
  const SocketOptions* block = options.Intern(wanted);
  if (block == nullptr) return std::unexpected(Error::kNoMemory);
  const bool switched = wanted.keepalive != old.keepalive;
  const bool keepalive_changed = switched || wanted.keepalive_idle != old.keepalive_idle;
  const Congestion chosen = old.congestion;
  const bool pushes = wanted.no_delay && !old.no_delay;
  options.Unref(socket.options);
  socket.options = block;
  if (socket.binding != kNoSlot) ports[socket.binding].sharing = SharingOf(wanted);
  Context cx = MakeContext(now);
  if (wanted.congestion != chosen && socket.congestion != Congestion::kBySetting) {
    tcp::SwitchControl(cx, socket, tcp::ChosenControl(settings, wanted));
  }
  if (wanted.paced) socket.paced = true;
  if (pushes) tcp::PushOnce(cx, socket);
  if (keepalive_changed && socket.attached) tcp::UpdateKeepalive(cx, socket, switched);
  if (socket.state != State::kListen) Settle(cx, socket);
  return {};
}

// TIME_WAIT is in a record, not in the socket that it came from: it is over when the record is.
State Stack::Impl::StateOf(const Socket& socket) const {
  if (socket.state != State::kTimeWait) return socket.state;
  if (settings.policy.time_wait_shows_closed) return State::kClosed;
  const Ref ref = Lookup(socket.tuple);
  return ref.found() && NumberOf(ref) == socket.number ? State::kTimeWait : State::kClosed;
}

}  // namespace estab
