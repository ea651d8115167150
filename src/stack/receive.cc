// From packets to the records they belong to.
#include <algorithm>
#include <utility>

#include "stack/engine.h"
#include "tcp/arrive.h"
#include "tcp/challenge.h"
#include "wire/tcp.h"
#include "wire/udp.h"

namespace estab {
namespace {

// 127/8 and ::1 never come over a link (RFC 1122 §3.2.1.3 (g), RFC 4291 §2.5.3).
bool IsLoopback(const IpAddress& address) {
  if (address.is_v4()) return address.bytes[12] == 127;
  return std::all_of(address.bytes.begin(), address.bytes.end() - 1,
                     [](auto b) { return b == 0; }) &&
         address.bytes[15] == 1;
}

// The tuples of packets that come together, and their hashes.
class Foresight {
 public:
  static constexpr std::size_t kMost = 32;

  void Hash(std::span<const RxPacket> packets, const SipKey& key, std::uint8_t protocol) {
    for (std::size_t i = 0; i < packets.size(); ++i) {
      known_[i] = wire::PeekTuple(packets[i].data, tuples_[i]);
      if (known_[i]) hashes_[i] = stack::HashTuple(key, protocol, tuples_[i]);
    }
    count_ = packets.size();
  }
  template <class Visit>
  void ForEach(Visit&& visit) const {
    for (std::size_t i = 0; i < count_; ++i) {
      if (known_[i]) visit(hashes_[i]);
    }
  }
  void Tell(std::size_t i, stack::TupleHasher& hasher) const {
    if (known_[i]) hasher.Remember(tuples_[i], hashes_[i]);
  }

 private:
  std::array<Tuple, kMost> tuples_;
  std::array<std::uint32_t, kMost> hashes_;
  std::array<bool, kMost> known_;
  std::size_t count_ = 0;
};

}  // namespace

// A table of many connections does not fit the cache. While one packet's place in it comes, the
// next one's can as well; then their connections.
void Stack::Impl::Receive(Time now, std::span<const RxPacket> packets) {
  started = true;
  Context cx = MakeContext(now);
  while (packets.size() > 1 && ManyConnections()) {
    const auto together = packets.first(std::min(packets.size(), Foresight::kMost));
    Foresight ahead;
    ahead.Hash(together, keys.table, kTcp);
    ahead.ForEach([&](std::uint32_t hash) { index.Prefetch(hash); });
    ahead.ForEach([&](std::uint32_t hash) {
      const Ref ref(index.Guess(hash));
      if (ref.found() && ref.kind() == Owner::kSocket) sockets.Prefetch(ref.slot());
    });
    for (std::size_t i = 0; i < together.size(); ++i) {
      ahead.Tell(i, hasher);
      ReceivePacket(cx, together[i]);
    }
    packets = packets.subspan(together.size());
  }
  for (const RxPacket& packet : packets) ReceivePacket(cx, packet);
  SettleArrived(now);
}

void Stack::Impl::ReceivePacket(Context& cx, const RxPacket& packet) {
  ++counters.packets_in;
  if (packet.link >= network.link_count()) {
    ++counters.bad_packets;
    return;
  }
  if (ReceiveNext(cx, packet)) return;
  const auto ip = wire::DecodeIp(packet.data);
  if (!ip) return ReportRefusal(cx.now, packet.data, packet.link);
  ReceiveIp(cx.now, *ip,
            {.link = packet.link, .checksum_ok = packet.checksum_ok, .gso_size = packet.gso_size});
}

void Stack::Impl::ReportRefusal(Time now, std::span<const std::byte> bytes, LinkId link) {
  ++counters.bad_packets;
  if (const auto refused = wire::ExplainRefusal(bytes)) {
    ReportHeaderProblem(now, refused->packet, link, refused->problem);
  }
}

bool Stack::Impl::BadSource(const IpAddress& source, bool from_us) const {
  return source.is_any() || source.is_multicast() || network.IsBroadcast(source) ||
         (!from_us && (IsLoopback(source) || network.IsLocal(source)));
}

void Stack::Impl::ReceiveIp(Time now, const wire::IpPacket& ip, const Arrival& arrival) {
  // As Linux without accept_source_route: whoever chooses the way chooses who answers.
  if (ip.source_route) {
    ++counters.not_for_us;
    return;
  }
  if (!ip.fragment) return Deliver(now, ip, arrival);
  if (network.IsLocal(ip.destination) && !BadSource(ip.source, arrival.from_us)) {
    return ReceiveFragment(now, ip, arrival);
  }
  ++counters.not_for_us;
}

void Stack::Impl::Deliver(Time now, const wire::IpPacket& ip, const Arrival& arrival) {
  if (ip.Is(wire::Protocol::kTcp)) return ReceiveTcp(now, ip, arrival);
  SettleArrived(now);
  if (!network.IsLocal(ip.destination) || BadSource(ip.source, arrival.from_us)) {
    ++counters.not_for_us;
    return;
  }
  const bool v4 = ip.destination.is_v4();
  if (ip.Is(v4 ? wire::Protocol::kIcmp : wire::Protocol::kIcmpV6)) {
    return ReceiveIcmp(now, ip, arrival);
  }
  if (ip.Is(wire::Protocol::kUdp)) return ReceiveUdp(now, ip, arrival);
  ++counters.not_for_us;
  // Membership of groups is nothing to a host that is in none, and no next header is no error.
  const bool silent = v4 ? ip.Is(wire::Protocol::kIgmp) : ip.protocol == wire::kNoNextHeader;
  if (!silent) ReportUnknownProtocol(now, ip, arrival.link);
}

void Stack::Impl::ReceiveUdp(Time now, const wire::IpPacket& ip, const Arrival& arrival) {
  if (!wire::UdpValid(ip, arrival.checksum_ok)) {
    ++counters.bad_packets;
    return;
  }
  ++counters.not_for_us;
  ReportUnknownPort(now, ip, arrival.link);
}

// The addresses of a connection were judged when it began: what belongs to it needs no second look.
// But nobody else can send for us what we send to ourselves.
bool Stack::Impl::Vouches(Ref ref, bool from_us) const {
  if (!ref.found() || ref.kind() != Owner::kSocket) return false;
  const Socket& socket = sockets[ref.slot()];
  return socket.state != State::kListen && (from_us || !socket.to_self);
}

// Another segment of the connection that the last one was for: of it only the numbers are news. In
// a row of data even most of those are not.
bool Stack::Impl::ReceiveNext(Context& cx, const RxPacket& packet) {
  if (packet.link != recent.link || packet.gso_size != 0) return false;
  const wire::Segment* segment = recent.segment.Next(packet.data, packet.checksum_ok);
  if (segment == nullptr) return false;
  Socket& socket = *recent.socket;
  const bool row = &socket == arrived && recent.row && recent.segment.continues();
  if (row && tcp::FitsInRow(socket, *segment)) {
    recent.row = tcp::ArriveInRow(cx, socket, *segment);
    return true;
  }
  if (&socket != arrived) SettleArrived(cx.now);
  NoteSegment(cx, socket.number, socket.tuple, *segment);
  ArriveAtSocket(cx, socket, packet.link, *segment);
  return true;
}

// The second of a row is worth remembering: where connections take turns none would be recognized.
void Stack::Impl::Remember(Socket& socket, const wire::IpPacket& ip, const Arrival& arrival,
                           const wire::Segment& segment) {
  const bool again = recent.socket == &socket;
  recent.segment.Clear();
  recent.socket = &socket;
  recent.link = arrival.link;
  if (again && arrival.gso_size == 0 && !arrival.from_us) recent.segment.Take(ip, segment);
}

// Makes `segment` the cause of what follows.
void Stack::Impl::NoteSegment(Context& cx, ConnectionNumber number, const Tuple& tuple,
                              const wire::Segment& segment) {
  cx.cause.trigger = Trigger::kSegment;
  tcp::Summarize(segment, cx.cause.segment);
  cx.recorder.Segment(cx.now, number, tuple, false, cx.cause.segment);
}

void Stack::Impl::ReceiveTcp(Time now, const wire::IpPacket& ip, const Arrival& arrival) {
  auto segment = wire::DecodeTcp(ip.payload);
  Tuple tuple{{ip.destination, 0}, {ip.source, 0}};
  Ref ref;
  if (segment) {
    tuple.local.port = segment->destination_port;
    tuple.remote.port = segment->source_port;
    ref = Lookup(tuple);
  }
  const bool same = ref.found() && ref.kind() == Owner::kSocket && &sockets[ref.slot()] == arrived;
  if (!same) SettleArrived(now);
  bool bad_source = false;
  if (!Vouches(ref, arrival.from_us)) {
    if (!network.IsLocal(ip.destination)) {
      ++counters.not_for_us;
      return;
    }
    bad_source = BadSource(ip.source, arrival.from_us);
    if (segment && !ref.found() && HandedOver(tuple, ip, arrival)) return;
  }
  if (!segment || !(arrival.checksum_ok || wire::TcpChecksumValid(ip))) {
    ++counters.bad_packets;
    return;
  }
  segment->tos = ip.tos;
  segment->piece = arrival.gso_size;
  counters.packets_in += segment->count() - 1;
  const LinkId link = arrival.link;
  Context cx = MakeContext(now);
  const bool watched = recorder.Wants(Observer::kSegments);
  NoteSegment(cx, watched ? NumberOf(ref) : 0, tuple, *segment);
  if (bad_source) {
    recorder.Fired(now, 0, tuple, State::kClosed, State::kClosed, RuleId::kBadSource, cx.cause);
    return;
  }
  if (!ref.found()) return ArriveForNobody(cx, tuple, link, *segment);
  switch (ref.kind()) {
    case Owner::kSocket:
      Remember(sockets[ref.slot()], ip, arrival, *segment);
      return ArriveAtSocket(cx, sockets[ref.slot()], link, *segment);
    case Owner::kHalfOpen:
      return ArriveAtHalfOpen(cx, half_open[ref.slot()], *segment);
    default:
      return ArriveAtTimeWait(cx, ref, tuple, link, *segment);
  }
}

void Stack::Impl::ArriveAtSocket(Context& cx, Socket& socket, LinkId link,
                                 const wire::Segment& segment) {
  const State before = socket.state;
  const tcp::FastOpen fast_open = socket.fast_open;
  const tcp::Verdict verdict = tcp::Arrive(cx, socket, segment);
  recent.row = verdict.row && !recorder.Wants(Observer::kSegments | Observer::kVerdicts);
  if (before == State::kSynSent) NoteSynAck(socket, fast_open, segment);
  if (verdict.answer == tcp::Answer::kReset) ReplyReset(cx.now, link, socket.tuple, segment);
  // Segments of one connection come in rows: what follows from them is done once, behind the last.
  const bool calm = before == State::kEstablished && socket.state == before &&
                    !socket.pending.reset && !socket.fast_open_pending;
  if (!calm) return Settle(cx, socket);
  arrived = &socket;
}

void Stack::Impl::SettleArrived(Time now) {
  if (arrived == nullptr) return;
  Context cx = MakeContext(now);
  Settle(cx, *std::exchange(arrived, nullptr));
}

void Stack::Impl::ArriveForNobody(Context& cx, const Tuple& tuple, LinkId link,
                                  const wire::Segment& segment) {
  if (Listener* listener = FindListener(tuple)) {
    return ArriveAtListener(cx, *listener, tuple, link, segment, nullptr);
  }
  const RuleId rule = segment.Has(kRst) ? RuleId::kClosedRst : RuleId::kClosedReset;
  recorder.Fired(cx.now, 0, tuple, State::kClosed, State::kClosed, rule, cx.cause);
  if (rule == RuleId::kClosedReset) ReplyReset(cx.now, link, tuple, segment);
}

}  // namespace estab
