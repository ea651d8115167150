// The user's other calls, and what can be asked.
#include <algorithm>

#include "stack/engine.h"
#include "tcp/negotiation.h"
#include "tcp/policy.h"
#include "tcp/rtt.h"
#include "tcp/send_queue.h"
#include "tcp/timers.h"
#include "tcp/user.h"

namespace estab {
namespace {

template <class T>
bool Within(T value, T least, T most) {
  return value == 0 || (value >= least && value <= most);
}

bool ValidOptions(const SocketOptions& o) {
  return Within<int>(o.syn_count, 1, 127) && Within<int>(o.keepalive_count, 1, 127) &&
         Within<int>(o.max_segment, 88, 32767) &&
         Within<std::uint32_t>(o.keepalive_idle, 1, 32767) &&
         Within<std::uint32_t>(o.keepalive_interval, 1, 32767) && o.send_buffer <= 1u << 30 &&
         o.receive_buffer <= 1u << 30 && o.user_timeout_ms <= INT32_MAX;
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
  const bool keepalive_changed =
      wanted.keepalive != old.keepalive || wanted.keepalive_idle != old.keepalive_idle;
  options.Unref(socket.options);
  socket.options = block;
  if (socket.binding != kNoSlot) ports[socket.binding].reuse_address = wanted.reuse_address;
  Context cx = MakeContext(now);
  if (keepalive_changed && socket.attached) tcp::UpdateKeepalive(cx, socket);
  if (socket.state != State::kListen) Settle(cx, socket);
  return {};
}

// TIME_WAIT is in a record, not in the socket that it came from: it is over when the record is.
State Stack::Impl::StateOf(const Socket& socket) const {
  if (socket.state != State::kTimeWait) return socket.state;
  const Ref ref = Lookup(socket.tuple);
  return ref.found() && NumberOf(ref) == socket.number ? State::kTimeWait : State::kClosed;
}

ConnectionInfo Stack::Impl::Info(Time now, const Socket& socket) const {
  Context cx = const_cast<Impl*>(this)->MakeContext(now);
  const tcp::Tcb& tcb = socket;
  ConnectionInfo info;
  info.state = StateOf(socket);
  info.number = tcb.number;
  info.tuple = tcb.tuple;
  info.timestamps = tcb.timestamps;
  info.sack = tcb.sack;
  info.window_scaling = tcb.window_scaling;
  info.send_window_scale = tcb.send_scale;
  info.receive_window_scale = tcb.receive_scale;
  info.send_mss = tcb.send_mss;
  info.receive_mss = tcb.announced_mss;
  info.rto = tcp::BackedOffRto(cx, tcb);
  info.srtt = std::chrono::microseconds(tcb.rtt.srtt8 / 8);
  info.rttvar = std::chrono::microseconds(tcb.rtt.rttvar4 / 4);
  info.min_rtt = std::chrono::microseconds(tcb.rtt.min);
  info.retransmits = tcb.persisting ? 0 : tcb.rtt.repeats;
  info.backoff = tcb.rtt.backoff;
  info.probes = tcb.persisting ? tcb.rtt.repeats : tcb.keepalive_probes;
  info.congestion_window = tcb.cwnd;
  info.slow_start_threshold = tcb.ssthresh;
  info.send_window = tcb.snd.wnd;
  info.receive_window =
      tcb.rcv.adv > tcb.rcv.nxt ? static_cast<std::uint32_t>(tcb.rcv.adv - tcb.rcv.nxt) : 0;
  info.bytes_acked = tcb.bytes_acked;
  info.bytes_received = tcb.bytes_received;
  info.bytes_sent = tcb.bytes_sent;
  info.segments_in = tcb.segments_in;
  info.segments_out = tcb.segments_out;
  info.segments_retransmitted = tcb.segments_repeated;
  info.send_queue = buffers.SendSize(tcb);
  if (tcp::IsIn(tcb.state, tcp::kSynchronized) && tcp::DataEnd(cx, tcb) > tcb.snd.nxt) {
    info.unsent = static_cast<std::uint32_t>(tcp::DataEnd(cx, tcb) - tcb.snd.nxt);
  }
  info.receive_queue = buffers.ReceiveSize(tcb);
  if (socket.state == State::kListen) {
    info.accept_queue = listeners[socket.listener].waiting;
    info.backlog = listeners[socket.listener].backlog;
  }
  return info;
}

}  // namespace estab
