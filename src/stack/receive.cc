// From packets to the records they belong to.
#include "stack/engine.h"
#include "tcp/arrive.h"
#include "tcp/challenge.h"
#include "wire/tcp.h"

namespace estab {
void Stack::Impl::ReceivePacket(Time now, const RxPacket& packet) {
  started = true;
  ++counters.packets_in;
  const auto ip = wire::DecodeIp(packet.data);
  if (!ip || packet.link >= network.link_count()) {
    ++counters.bad_packets;
    return;
  }
  ReceiveIp(now, *ip, packet.link, packet.checksum_ok, false);
}

void Stack::Impl::ReceiveIp(Time now, const wire::IpPacket& ip, LinkId link, bool checksum_ok,
                            bool from_us) {
  if (!network.IsLocal(ip.destination) || ip.fragment) {
    ++counters.not_for_us;
    return;
  }
  // RFC 1122 §3.2.1.3: no host has such an address, so nothing shall be sent there.
  const bool bad_source = ip.source.is_any() || ip.source.is_multicast() ||
                          network.IsBroadcast(ip.source) ||
                          (!from_us && network.IsLocal(ip.source));
  switch (static_cast<wire::Protocol>(ip.protocol)) {
    case wire::Protocol::kTcp:
      if (!checksum_ok && !wire::TcpChecksumValid(ip)) {
        ++counters.bad_packets;
        return;
      }
      return ReceiveTcp(now, ip, link, bad_source);
    case wire::Protocol::kIcmp:
    case wire::Protocol::kIcmpV6:
      if (bad_source) {
        ++counters.not_for_us;
        return;
      }
      return ReceiveIcmp(now, ip, link);
    default:
      ++counters.not_for_us;
  }
}

void Stack::Impl::ReceiveTcp(Time now, const wire::IpPacket& ip, LinkId link, bool bad_source) {
  const auto segment = wire::DecodeTcp(ip.payload);
  if (!segment) {
    ++counters.bad_packets;
    return;
  }
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
