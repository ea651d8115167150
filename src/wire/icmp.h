// ICMP and ICMPv6: echo, and errors about what we sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "estab/address.h"
#include "wire/ip.h"

namespace estab::wire {

/// ICMP types (RFC 792).
enum class IcmpType : std::uint8_t {
  kEchoReply = 0,
  kUnreachable = 3,
  kEchoRequest = 8,
  kTimeExceeded = 11,
  kParameterProblem = 12,
};
/// Codes of IcmpType::kUnreachable.
enum class IcmpUnreachable : std::uint8_t {
  kNet = 0,
  kHost = 1,
  kProtocol = 2,
  kPort = 3,
  kFragmentationNeeded = 4,
};
/// The code of "time exceeded" about fragments, in both families.
inline constexpr std::uint8_t kReassemblyTimeExceeded = 1;
/// ICMPv6 types (RFC 4443).
enum class IcmpV6Type : std::uint8_t {
  kUnreachable = 1,
  kPacketTooBig = 2,
  kTimeExceeded = 3,
  kParameterProblem = 4,
  kEchoRequest = 128,
  kEchoReply = 129,
};
/// Codes of IcmpV6Type::kUnreachable.
enum class IcmpV6Unreachable : std::uint8_t {
  kNoRoute = 0,
  kProhibited = 1,
  kBeyondScope = 2,
  kAddress = 3,
  kPort = 4,
};

/// Writes the whole IP packet that answers an echo request into `out` and returns its size. DSCP
/// and, as Linux does, the code are those of the request, ECN is cleared; an IPv4 request's record
/// route and timestamp options go on (RFC 1122 §3.2.2.6), `time` in milliseconds. Nothing if
/// `request` is no echo request, is a fragment, has a wrong checksum, was not sent from one host to
/// one host (multicast, broadcast or unspecified address), or if the reply does not fit `out`.
std::optional<std::size_t> EchoReply(const IpPacket& request, std::span<std::byte> out,
                                     std::uint8_t ttl = 64, std::uint32_t time = 0);

/// What an ICMP error says, and about which packet. Addresses, ports and numbers are those of the
/// packet that it quotes: `source` is ours if the error is for us.
struct IcmpError {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  bool v6 = false;  // type and code are ICMPv6's
  std::uint8_t protocol = 0;
  std::uint32_t mtu = 0;   // fragmentation needed, packet too big: the next hop's (0: not told)
  std::uint16_t size = 0;  // of the packet that it quotes, as its header says; IPv4
  IpAddress source;
  IpAddress destination;
  std::uint16_t source_port = 0;  // TCP and UDP
  std::uint16_t destination_port = 0;
  std::uint32_t seq = 0;  // TCP
};

/// Reads destination unreachable, time exceeded, parameter problem and packet too big, and the
/// first 8 bytes behind the IP header that they quote. The ICMP checksum is verified; the quoted
/// header's is not, since routers change it. Nothing for anything else: other types, fragments,
/// quotes that are too short, of the other family, or of a fragment that is not the first.
std::optional<IcmpError> DecodeIcmpError(const IpPacket& packet);

/// Whether an ICMP error may be sent about `packet` (RFC 1122 §3.2.2, RFC 4443 §2.4 (e)): not about
/// an ICMP error or redirect, nor a fragment of IPv4 other than the first, nor anything that was
/// not sent from one host to one host. A link's own broadcast address is for the caller to know.
/// `even_to_group`: this error is for packets to multicast groups too (RFC 4443 §2.4 (e.3)).
bool MayReportError(const IpPacket& packet, bool even_to_group = false);

/// The largest ICMP error: of 576 (RFC 1812 §4.3.2.3) and 1280 bytes (RFC 4443 §2.4 (c)) the
/// latter.
inline constexpr std::size_t kMaxIcmpError = 1280;
/// ff02::1, the group that every IPv6 host is in.
inline constexpr IpAddress kAllNodes{{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

/// What an ICMP error is to say.
struct IcmpReport {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  bool even_to_group = false;  // also about packets to multicast groups
  std::uint32_t rest = 0;      // the second word: a pointer, an MTU
};

/// Writes a whole IP packet with an ICMP error about `offending`, from `from` to its source, into
/// `out` and returns its size; 0 if not even the headers and 8 bytes of payload (or all of a
/// shorter one) fit. Quotes as much as fits `out` and 576 (RFC 1812 §4.3.2.3) or 1280 bytes (RFC
/// 4443 §2.4 (c)). `rest` is the second word of the header: MTU, pointer or 0. `from` is of the
/// packet's family, which also says whether type and code are ICMP's or ICMPv6's. Does not ask
/// MayReportError.
std::size_t EncodeIcmpError(const IpPacket& offending, std::uint8_t type, std::uint8_t code,
                            std::uint32_t rest, const IpAddress& from, std::span<std::byte> out,
                            std::uint8_t ttl = 64);

/// EncodeIcmpError with "port unreachable" of the packet's family.
std::size_t EncodePortUnreachable(const IpPacket& offending, std::span<std::byte> out,
                                  const IpAddress& from);

}  // namespace estab::wire
