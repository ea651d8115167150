// A packet in one line of text.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace estab::wire {

/// Room for the dump of any packet.
inline constexpr std::size_t kDumpSize = 512;

/// Writes one line about an IP packet, in the manner of tcpdump, without a line end or terminator,
/// into `out`, and returns the part written; what does not fit is cut off. TCP options are listed
/// as they lie in the header. Examples:
///   192.0.2.1:40000 > 192.0.2.2:80 S seq 100 win 65535 len 0 <mss 1460,sackOK,TS 1 0,nop,wscale 7>
///   [2001:db8::1]:80 > [2001:db8::2]:40000 P. seq 1 ack 2 win 512 len 5 bad-checksum
///   192.0.2.2 > 192.0.2.1 icmp port unreachable (tcp 192.0.2.1:40000 > 192.0.2.2:80 seq 100)
///   malformed: bad header length
std::string_view DumpPacket(std::span<const std::byte> packet, std::span<char> out);

}  // namespace estab::wire
