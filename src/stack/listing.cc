// What can be asked of everything that lives in a stack, and the walk over all of it.
#include <algorithm>

#include "stack/engine.h"
#include "tcp/congestion/bbr_path.h"
#include "tcp/congestion/congestion.h"
#include "tcp/delivery.h"
#include "tcp/pacing.h"
#include "tcp/policy.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/send_queue.h"
#include "tcp/timers.h"
#include "tcp/urgent.h"

namespace estab {
namespace {

// Places that one call of List looks at.
constexpr std::uint32_t kListPlaces = 4096;

unsigned Left(int limit, int done) {
  return done < limit ? static_cast<unsigned>(limit - done) : 0;
}

// Repeats that the retransmission timer still has; nullopt if their number is not what counts.
std::optional<unsigned> RepeatsLeft(const tcp::Context& cx, const tcp::Tcb& tcb) {
  const int done = tcb.rtt.repeats;
  const tcp::Settings& settings = cx.settings;
  if (tcb.state == State::kSynSent) {
    return Left(tcp::SynRetries(cx, tcb) + settings.syn_linear_timeouts, done);
  }
  if (tcb.state == State::kSynRcvd) return Left(tcp::SynAckRetries(cx, tcb), done);
  if (tcb.orphan) {
    return Left(tcp::OrphanRetries(settings), tcb.persisting ? tcb.rtt.backoff : done);
  }
  if (tcb.persisting && done == 0) return std::nullopt;  // for ever, while it is answered
  return Left(settings.retries2, done);
}

void NextTimer(const tcp::Context& cx, const tcp::Tcb& tcb, ConnectionInfo& info) {
  const Time at = tcp::EarliestDeadline(tcb);
  info.timer_in = at > cx.now ? at - cx.now : Duration::zero();
  if (at == tcb.retransmit_at) {
    info.timer = tcb.persisting ? TimerKind::kPersist : TimerKind::kRetransmit;
    info.repeats_left = RepeatsLeft(cx, tcb);
  } else if (at == tcb.fine_at) {
    const tcp::LossState& loss = *tcp::LossOf(cx, tcb);
    info.timer = at == loss.probe_at     ? TimerKind::kTailProbe
                 : at == loss.reorder_at ? TimerKind::kReorder
                                         : TimerKind::kPacing;
  } else if (at == tcb.delayed_ack_at) {
    info.timer = TimerKind::kDelayedAck;
  } else if (tcb.orphan && tcb.state == State::kFinWait2) {
    info.timer = TimerKind::kFinWait2;
  } else {
    info.timer = TimerKind::kKeepalive;
    info.repeats_left = Left(tcp::KeepaliveCount(cx, tcb), tcb.keepalive_probes);
  }
}

ConnectionInfo OfRecord(State state, Holder holder, ConnectionNumber number, const Tuple& tuple) {
  ConnectionInfo info;
  info.state = state;
  info.holder = holder;
  info.number = number;
  info.tuple = tuple;
  return info;
}

// Fills in the timer of a record from its place in the wheel.
void TimerOfRecord(Time now, const stack::TimerNode& node, TimerKind kind, ConnectionInfo& info) {
  if (!node.armed()) return;
  const Time at = stack::TimerWheel::DeadlineOf(node);
  info.timer = kind;
  info.timer_in = at > now ? at - now : Duration::zero();
}

// How long ago things were.
void InfoOfAges(const tcp::Context& cx, const tcp::Tcb& tcb, ConnectionInfo& info) {
  const auto age = [&](tcp::Stamp at) -> Duration {
    return std::chrono::milliseconds(cx.stamp() - at);
  };
  info.ack_delay = std::chrono::milliseconds(tcb.ack_delay_ms);
  if (tcb.last_sent != 0) info.since_data_sent = age(tcb.last_sent);
  if (tcb.last_data_at != 0) info.since_data_arrived = age(tcb.last_data_at);
  if (tcb.last_heard != 0) info.since_heard = age(tcb.last_heard);
  info.timestamp = cx.stamp() + tcb.ts.offset;
}

void InfoOfAgreement(const tcp::Tcb& tcb, ConnectionInfo& info) {
  info.timestamps = tcb.timestamps;
  info.sack = tcb.sack;
  info.ecn = tcb.ecn;
  info.ecn_seen = tcb.ecn_seen;
  info.window_scaling = tcb.window_scaling;
  info.syn_data = tcb.fast_open == tcp::FastOpen::kAccepted;
}

void InfoOfSizes(const tcp::Tcb& tcb, ConnectionInfo& info) {
  info.send_window_scale = tcb.send_scale;
  info.receive_window_scale = tcb.receive_scale;
  info.send_mss = tcb.send_mss;
  info.receive_mss = tcb.announced_mss;
  info.typical_in = tcb.typical_in;
}

// Linux counts what was found lost until it is acknowledged, or the finding undone; here it is in
// flight again once it is repeated.
void InfoOfCongestion(const tcp::Context& cx, const tcp::Tcb& tcb, ConnectionInfo& info) {
  info.congestion = tcb.congestion;
  info.congestion_window = tcb.cwnd;
  info.slow_start_threshold = tcb.ssthresh;
  info.recovery_state = static_cast<std::uint8_t>(tcb.recovery);
  if (const tcp::BbrModel* model = cx.buffers.ModelOf(tcb)) {
    info.bbr.bandwidth = tcp::BbrRate(*model);
    info.bbr.min_rtt = model->min_rtt;
    info.bbr.pacing_gain = model->pacing_gain;
    info.bbr.cwnd_gain = model->cwnd_gain;
  }
  info.pacing_rate = tcp::PacingRate(cx, tcb);
  info.max_pacing_rate = tcb.options->max_pacing_rate;
  info.delivery_rate = tcb.delivery_rate * tcp::kRateUnit;
  info.delivery_rate_app_limited = tcb.rate_limited;
  info.segments_delivered = tcb.delivered;
  info.reordering = tcb.reordering;
  info.reordering_seen = tcb.reordering_seen;
  const tcp::LossState* loss = tcp::LossOf(cx, tcb);
  if (loss == nullptr) return;
  const std::uint32_t repeats = loss->flight.repeated_count();
  info.in_flight = loss->flight.count();
  info.sacked = tcb.sack ? loss->flight.sacked_count() : loss->duplicates;
  info.lost = loss->flight.lost_count() + repeats - std::min(loss->forgiven, repeats);
  info.repeats_out = repeats;
}

}  // namespace

ConnectionInfo Stack::Impl::Info(Time now, const Socket& socket) const {
  Context cx = const_cast<Impl*>(this)->MakeContext(now);
  const tcp::Tcb& tcb = socket;
  ConnectionInfo info;
  info.state = StateOf(socket);
  info.number = tcb.number;
  info.tuple = tcb.tuple;
  info.passive = tcb.passive;
  info.orphan = tcb.orphan;
  info.unaccepted = socket.queued;
  if (tcp::IsIn(tcb.state, tcp::kSynchronized)) {
    info.idle = std::chrono::milliseconds(cx.stamp() - tcb.last_heard);
  }
  if (tcp::EarliestDeadline(tcb) != kNever) NextTimer(cx, tcb, info);
  InfoOfAgreement(tcb, info);
  InfoOfSizes(tcb, info);
  if (socket.attached && socket.state != State::kListen) {
    info.path_mtu = PathTo(tcb.tuple.remote.address, tcb.link, now).mtu;
  }
  info.rto = tcp::BackedOffRto(cx, tcb);
  info.srtt = std::chrono::microseconds(tcb.rtt.srtt8 / 8);
  info.rttvar = std::chrono::microseconds(tcb.rtt.mdev4 / 4);
  info.min_rtt = std::chrono::microseconds(tcb.rtt.srtt8 == 0 ? 0 : tcb.rtt.min);
  info.retransmits = tcb.persisting ? 0 : tcb.rtt.repeats;
  info.backoff = tcb.rtt.backoff;
  info.probes = tcb.persisting ? tcb.rtt.repeats : tcb.keepalive_probes;
  InfoOfCongestion(cx, tcb, info);
  info.send_window = tcb.snd.wnd;
  info.receive_window =
      tcb.rcv.adv > tcb.rcv.nxt ? static_cast<std::uint32_t>(tcb.rcv.adv - tcb.rcv.nxt) : 0;
  info.bytes_acked = tcb.bytes_acked;
  info.bytes_received = tcb.bytes_received;
  info.bytes_sent = tcb.bytes_sent;
  info.segments_in = tcb.segments_in;
  info.segments_out = tcb.segments_out;
  info.segments_retransmitted = tcb.segments_repeated;
  info.segments_marked = tcb.segments_marked;
  info.send_queue = buffers.SendSize(tcb);
  info.unsent = tcp::Unsent(cx, tcb);
  info.receive_queue = buffers.ReceiveSize(tcb);
  info.readable = tcp::ReadableBytes(cx, tcb);
  info.at_mark = tcp::AtMark(cx, tcb);
  info.quick_ack = !tcb.interactive;
  if (tcb.state == State::kSynSent) {  // as Linux: how often the wait for an answer has doubled
    const auto linear = static_cast<unsigned>(settings.syn_linear_timeouts);
    info.backoff = info.retransmits - std::min(info.retransmits, linear);
  }
  InfoOfAges(cx, tcb, info);
  if (socket.state == State::kListen) {
    info.accept_queue = listeners[socket.listener].waiting;
    info.backlog = listeners[socket.listener].backlog;
    info.syn_queue = listeners[socket.listener].half_open;
  }
  return info;
}

ConnectionInfo Stack::Impl::Info(Time now, const HalfOpenRecord& record) const {
  ConnectionInfo info =
      OfRecord(State::kSynRcvd, Holder::kHalfOpen, record.state.number, record.state.tuple);
  info.passive = true;
  info.retransmits = record.state.repeats;
  TimerOfRecord(now, record, TimerKind::kRetransmit, info);
  const SocketOptions& o = OptionsOf(listeners[record.listener]);
  const int limit = o.syn_count != 0 ? o.syn_count : settings.synack_retries;
  info.repeats_left = Left(limit, record.state.repeats);
  return info;
}

ConnectionInfo Stack::Impl::InfoOfTimeWait(Time now, Ref ref, const Tuple& tuple) const {
  auto& self = *const_cast<Impl*>(this);
  ConnectionInfo info =
      OfRecord(State::kTimeWait, Holder::kTimeWait, TimeWaitOf(ref).number, tuple);
  info.orphan = true;
  const tcp::Stamp stamp = tcp::StampOf(now);
  info.idle = std::chrono::milliseconds(stamp - self.RestartedAt(ref, stamp));
  TimerOfRecord(now, self.TimeWaitNode(ref), TimerKind::kTimeWait, info);
  return info;
}

Result<ConnectionInfo> Stack::Impl::Info(Time now, const Tuple& tuple) const {
  const bool listener = tuple.remote.port == 0 && tuple.remote.address.is_any();
  if (listener) {
    const Listener* found = const_cast<Impl*>(this)->FindListener(tuple);
    if (found == nullptr) return std::unexpected(Error::kNotFound);
    return Info(now, sockets[found->socket]);
  }
  const Ref ref = Lookup(tuple);
  if (!ref.found()) return std::unexpected(Error::kNotFound);
  switch (ref.kind()) {
    case Owner::kSocket:
      return Info(now, sockets[ref.slot()]);
    case Owner::kHalfOpen:
      return Info(now, half_open[ref.slot()]);
    default:
      return InfoOfTimeWait(now, ref, tuple);
  }
}

std::size_t Stack::Impl::List(Time now, ListCursor& cursor, std::span<ConnectionInfo> out) const {
  std::uint32_t places = kListPlaces;
  std::size_t n = 0;
  // Fills `out` from one slab; true once the slab is at its end.
  const auto walk = [&](const auto& slab, auto&& take) {
    for (; cursor.slot < slab.capacity(); ++cursor.slot) {
      if (places == 0 || n == out.size()) return false;
      --places;
      if (slab.IsLive(cursor.slot)) take(cursor.slot, slab[cursor.slot]);
    }
    cursor.slot = 0;
    ++cursor.table;
    return true;
  };
  const auto time_wait = [&](Owner owner) {
    return [&, owner](std::uint32_t slot, const auto& record) {
      out[n++] = InfoOfTimeWait(now, Ref(owner, slot), record.tuple());
    };
  };
  const auto socket = [&](std::uint32_t, const Socket& s) {
    if (s.attached || s.state == State::kListen) out[n++] = Info(now, s);
  };
  const auto half = [&](std::uint32_t, const HalfOpenRecord& r) { out[n++] = Info(now, r); };
  if (cursor.table == 0 && !walk(sockets, socket)) return n;
  if (cursor.table == 1 && !walk(half_open, half)) return n;
  if (cursor.table == 2 && !walk(time_wait4, time_wait(Owner::kTimeWait4))) return n;
  if (cursor.table == 3 && !walk(time_wait6, time_wait(Owner::kTimeWait6))) return n;
  cursor.done = true;
  return n;
}

Result<ConnectionInfo> Stack::GetInfo(Time now, const Tuple& tuple) const {
  return impl_->Info(now, tuple);
}

std::size_t Stack::List(Time now, ListCursor& cursor, std::span<ConnectionInfo> out) const {
  return impl_->List(now, cursor, out);
}

void Stack::ForEach(void (*visit)(void* context, const ConnectionInfo& info), void* context,
                    Time now) const {
  std::array<ConnectionInfo, 8> some;
  for (ListCursor cursor; !cursor.done;) {
    const std::size_t n = List(now, cursor, some);
    for (std::size_t i = 0; i < n; ++i) visit(context, some[i]);
  }
}

}  // namespace estab
