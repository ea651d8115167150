// From packets to the records they belong to.
#include <algorithm>

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

}  // namespace

void Stack::Impl::ReceivePacket(Time now, const RxPacket& packet) {
  started = true;
  ++counters.packets_in;
  if (packet.link >= network.link_count()) {
    ++counters.bad_packets;
    return;
  }
  const auto ip = wire::DecodeIp(packet.data);
  if (!ip) return ReportRefusal(now, packet.data, packet.link);
  ReceiveIp(now, *ip,
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
  if (!network.IsLocal(ip.destination) || ip.source_route) {
    ++counters.not_for_us;
    return;
  }
  if (!ip.fragment) return Deliver(now, ip, arrival);
  if (!BadSource(ip.source, arrival.from_us)) return ReceiveFragment(now, ip, arrival.link);
  ++counters.not_for_us;
}

void Stack::Impl::Deliver(Time now, const wire::IpPacket& ip, const Arrival& arrival) {
  const bool bad_source = BadSource(ip.source, arrival.from_us);
  if (ip.Is(wire::Protocol::kTcp)) {
    const bool valid = arrival.checksum_ok || wire::TcpChecksumValid(ip);
    if (valid) return ReceiveTcp(now, ip, arrival, bad_source);
    ++counters.bad_packets;
    return;
  }
  if (bad_source) {
    ++counters.not_for_us;
    return;
  }
  const bool v4 = ip.destination.is_v4();
  if (ip.Is(v4 ? wire::Protocol::kIcmp : wire::Protocol::kIcmpV6)) {
    return ReceiveIcmp(now, ip, arrival.link);
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

void Stack::Impl::ReceiveTcp(Time now, const wire::IpPacket& ip, const Arrival& arrival,
                             bool bad_source) {
  auto segment = wire::DecodeTcp(ip.payload);
  if (!segment) {
    ++counters.bad_packets;
    return;
  }
  segment->tos = ip.tos;
  segment->piece = arrival.gso_size;
  counters.packets_in += segment->count() - 1;
  const LinkId link = arrival.link;
  const Tuple tuple{{ip.destination, segment->destination_port}, {ip.source, segment->source_port}};
  Context cx = MakeContext(now);
  cx.cause.trigger = Trigger::kSegment;
  cx.cause.segment = tcp::Summarize(*segment);
  const Ref ref = Lookup(tuple);
  recorder.Segment(now, NumberOf(ref), tuple, false, cx.cause.segment);
  if (bad_source) {
    recorder.Fired(now, 0, tuple, State::kClosed, State::kClosed, RuleId::kBadSource, cx.cause);
    return;
  }
  if (!ref.found()) return ArriveForNobody(cx, tuple, link, *segment);
  switch (ref.kind()) {
    case Owner::kSocket: {
      Socket& socket = sockets[ref.slot()];
      const bool opening = socket.state == State::kSynSent;
      const tcp::FastOpen fast_open = socket.fast_open;
      const tcp::Verdict verdict = tcp::Arrive(cx, socket, *segment);
      if (opening) NoteSynAck(socket, fast_open, *segment);
      if (verdict.answer == tcp::Answer::kReset) ReplyReset(now, link, tuple, *segment);
      return Settle(cx, socket);
    }
    case Owner::kHalfOpen:
      return ArriveAtHalfOpen(cx, half_open[ref.slot()], *segment);
    default:
      return ArriveAtTimeWait(cx, ref, tuple, link, *segment);
  }
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
