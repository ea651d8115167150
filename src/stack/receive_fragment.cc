// Fragments that arrive: judged, put together, or reported when their time is over.
#include "stack/engine.h"

namespace estab {

void Stack::Impl::ReceiveFragment(Time now, const wire::IpPacket& ip, const Arrival& arrival) {
  if (FragmentHandedOver(ip, arrival)) return;
  ++counters.fragments_in;
  const LinkId link = arrival.link;
  const wire::HeaderProblem problem = wire::JudgeFragment(ip);
  if (problem.found) {
    ++counters.bad_packets;
    return ReportHeaderProblem(now, ip, link, problem);
  }
  const bool v4 = ip.source.is_v4();
  stack::FragmentLimits limits;
  limits.memory = ShareOf(v4 ? settings.frag_high_thresh : settings.frag_high_thresh_v6);
  limits.time = std::chrono::seconds(v4 ? settings.frag_time_s : settings.frag_time_v6_s);
  std::byte whole[wire::kIpv6HeaderSize + 65535];
  const stack::FragmentResult result = FragmentsOf(ip.source).Add(
      now, ip, link, keys.fragments, limits, static_cast<std::int8_t>(Owner::kDatagram), whole);
  if (result.step != stack::FragmentResult::Step::kComplete) return;
  ++counters.reassembled;
  const std::span<const std::byte> bytes(whole, result.size);
  const auto datagram = wire::DecodeIp(bytes);
  if (!datagram) return ReportRefusal(now, bytes, link);
  // A datagram within a datagram's fragments would have us recurse at a stranger's will.
  if (datagram->fragment) {
    ++counters.bad_packets;
    return;
  }
  Deliver(now, *datagram, {.link = link});
}

void Stack::Impl::OnDatagramDeadline(Time now, stack::Datagram& datagram) {
  stack::FragmentTable& table = FragmentsOf(datagram.source);
  ++counters.reassembly_timeouts;
  // RFC 1122 §3.3.2, RFC 8200 §4.5: whoever sent the first fragment is told.
  std::byte bytes[wire::kMaxIcmpError];
  const wire::IpPacket first = table.FirstFragment(datagram, bytes);
  if (!first.header.empty()) ReportReassemblyTimeout(now, first, datagram.link);
  table.Drop(datagram);
}

}  // namespace estab
