// ICMP errors that we send: which, about what, and how many (RFC 1122 §3.2.2, RFC 4443 §2.4).
#include "stack/engine.h"
#include "wire/icmp.h"

namespace estab {
namespace {

using wire::IcmpType;
using wire::IcmpV6Type;

template <class Type, class Code>
wire::IcmpReport Report(Type type, Code code, std::uint32_t rest = 0) {
  wire::IcmpReport report;
  report.type = static_cast<std::uint8_t>(type);
  report.code = static_cast<std::uint8_t>(code);
  report.rest = rest;
  return report;
}

}  // namespace

void Stack::Impl::ReportUnknownProtocol(Time now, const wire::IpPacket& ip, LinkId link) {
  if (ip.destination.is_v4()) {
    return SendReport(now, ip, link,
                      Report(IcmpType::kUnreachable, wire::IcmpUnreachable::kProtocol));
  }
  SendReport(
      now, ip, link,
      Report(IcmpV6Type::kParameterProblem, wire::IcmpV6Parameter::kNextHeader, ip.protocol_at));
}

void Stack::Impl::ReportUnknownPort(Time now, const wire::IpPacket& ip, LinkId link) {
  if (ip.destination.is_v4()) {
    return SendReport(now, ip, link, Report(IcmpType::kUnreachable, wire::IcmpUnreachable::kPort));
  }
  SendReport(now, ip, link, Report(IcmpV6Type::kUnreachable, wire::IcmpV6Unreachable::kPort));
}

void Stack::Impl::ReportReassemblyTimeout(Time now, const wire::IpPacket& first, LinkId link) {
  constexpr auto kCode = wire::kReassemblyTimeExceeded;
  if (first.destination.is_v4()) {
    return SendReport(now, first, link, Report(IcmpType::kTimeExceeded, kCode));
  }
  SendReport(now, first, link, Report(IcmpV6Type::kTimeExceeded, kCode));
}

void Stack::Impl::ReportHeaderProblem(Time now, const wire::IpPacket& ip, LinkId link,
                                      const wire::HeaderProblem& problem) {
  if (!problem.tell) return;
  const bool v4 = ip.source.is_v4();
  wire::IcmpReport report =
      v4 ? Report(IcmpType::kParameterProblem, problem.code, std::uint32_t{problem.pointer} << 24)
         : Report(IcmpV6Type::kParameterProblem, problem.code, problem.pointer);
  report.even_to_group = problem.even_to_group;
  SendReport(now, ip, link, report);
}

void Stack::Impl::SendReport(Time now, const wire::IpPacket& ip, LinkId link,
                             const wire::IcmpReport& report) {
  // To the group of all nodes belongs every host (RFC 4291 §2.8).
  const bool to_us = network.IsLocal(ip.destination);
  const bool to_group = report.even_to_group && ip.destination == wire::kAllNodes;
  if (!(to_us || to_group) || network.IsLocal(ip.source) || network.IsBroadcast(ip.source)) return;
  if (!wire::MayReportError(ip, report.even_to_group)) return;
  const IpAddress* from = to_us ? &ip.destination : network.SourceOn(link, ip.source);
  if (from == nullptr) return;

  const bool v4 = ip.source.is_v4();
  stack::IcmpLimiter::Limits limits;
  limits.host_interval_ms = v4 ? settings.icmp_ratelimit_ms : settings.icmp_ratelimit_v6_ms;
  limits.per_second = static_cast<std::int32_t>(ShareOf(settings.icmp_msgs_per_sec));
  limits.burst = static_cast<std::int32_t>(ShareOf(settings.icmp_msgs_burst));
  const std::uint64_t host = SipHash13(keys.table, std::as_bytes(std::span(ip.source.bytes)));
  if (!icmp_limiter.Take(now, host, limits)) {
    ++counters.icmp_errors_limited;
    return;
  }
  std::byte packet[wire::kMaxIcmpError];
  const std::size_t size =
      wire::EncodeIcmpError(ip, report.type, report.code, report.rest, *from, packet,
                            static_cast<std::uint8_t>(settings.default_ttl));
  if (size == 0) return;
  ++counters.icmp_errors_sent;
  QueuePacket(now, link, false, {packet, size});
}

}  // namespace estab
