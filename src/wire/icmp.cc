#include "wire/icmp.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <expected>

#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/ip_options.h"
#include "wire/segment.h"

namespace estab::wire {
namespace {

constexpr std::size_t kIcmpHeaderSize = 8;
constexpr std::size_t kMinQuote = 8;             // of the payload quoted: ports and SEG.SEQ
constexpr std::size_t kMaxError = 576;           // RFC 1812 §4.3.2.3
constexpr std::uint8_t kInternetControl = 0xc0;  // precedence of errors, RFC 1812 §4.3.2.5
constexpr std::uint8_t kEcnBits = 0x03;
constexpr std::uint8_t kFirstInformational = 128;  // ICMPv6 types below are errors
constexpr std::uint8_t kRedirectV6 = 137;

using Bytes = std::span<const std::byte>;

constexpr IpAddress kLoopbackV6{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

template <class Enum>
constexpr std::uint8_t Number(Enum value) {
  return static_cast<std::uint8_t>(value);
}

std::uint8_t Byte(Bytes bytes, std::size_t i) { return std::to_integer<std::uint8_t>(bytes[i]); }

// RFC 1122 §3.2.1.3: neither this network, nor loopback, nor group or broadcast, nor class E.
bool IsOneHost(const IpAddress& a) {
  if (a.is_any() || a.is_multicast()) return false;
  if (!a.is_v4()) return !(a == kLoopbackV6);
  constexpr std::uint32_t kLoopback = 127;
  const std::uint32_t net = a.v4() >> 24;
  return net != 0 && net != kLoopback && net < 240;
}

// True for a whole ICMP message of the packet's own family, header included.
bool IsIcmp(const IpPacket& packet) {
  const Protocol protocol = packet.destination.is_v4() ? Protocol::kIcmp : Protocol::kIcmpV6;
  return packet.Is(protocol) && !packet.fragment && packet.payload.size() >= kIcmpHeaderSize;
}

// ICMPv6 has a pseudo-header, ICMP has none.
Checksum IcmpSum(const IpAddress& source, const IpAddress& destination, Bytes message) {
  Checksum checksum;
  if (!destination.is_v4()) {
    checksum.AddPseudoHeader(source, destination, Number(Protocol::kIcmpV6),
                             static_cast<std::uint32_t>(message.size()));
  }
  checksum.Add(message);
  return checksum;
}

// Puts IP header and ICMP checksum round a message that lies in its place in `out`.
std::size_t Complete(std::span<std::byte> out, IpHeader header, std::size_t message_size) {
  const bool v4 = header.destination.is_v4();
  header.protocol = Number(v4 ? Protocol::kIcmp : Protocol::kIcmpV6);
  const std::size_t ip_size = EncodeIp(out, header, message_size);
  const std::span<std::byte> message = out.subspan(ip_size, message_size);
  Store16(&message[2], 0);
  Store16(&message[2], IcmpSum(header.source, header.destination, message).Finish());
  return ip_size + message_size;
}

bool IsErrorType(bool v6, std::uint8_t type) {
  if (v6) {
    return type == Number(IcmpV6Type::kUnreachable) || type == Number(IcmpV6Type::kPacketTooBig) ||
           type == Number(IcmpV6Type::kTimeExceeded) ||
           type == Number(IcmpV6Type::kParameterProblem);
  }
  return type == Number(IcmpType::kUnreachable) || type == Number(IcmpType::kTimeExceeded) ||
         type == Number(IcmpType::kParameterProblem);
}

// What the error quotes behind its IP header; empty if that cannot be found.
Bytes ReadQuotedIpv4(Bytes quote, IcmpError& error) {
  if (quote.size() < kIpv4HeaderSize || Byte(quote, 0) >> 4 != 4) return {};
  const std::size_t header_size = std::size_t{4} * (Byte(quote, 0) & 0x0fu);
  const bool first = (Load16(&quote[6]) & 0x1fff) == 0;
  if (header_size < kIpv4HeaderSize || header_size > quote.size() || !first) return {};
  error.size = Load16(&quote[2]);
  error.protocol = Byte(quote, 9);
  error.source = IpAddress::V4(Load32(&quote[12]));
  error.destination = IpAddress::V4(Load32(&quote[16]));
  return quote.subspan(header_size);
}

Bytes ReadQuotedIpv6(Bytes quote, IcmpError& error) {
  if (quote.size() < kIpv6HeaderSize || Byte(quote, 0) >> 4 != 6) return {};
  std::memcpy(error.source.bytes.data(), &quote[8], 16);
  std::memcpy(error.destination.bytes.data(), &quote[24], 16);
  if (error.source.is_v4() || error.destination.is_v4()) return {};
  const Bytes behind = quote.subspan(kIpv6HeaderSize);
  const ExtensionChain chain = WalkExtensions(Byte(quote, 6), behind, ExtensionWalk::kSkip);
  if (chain.problem.found) return {};
  constexpr std::uint16_t kOffset = 0xfff8;
  if (chain.fragment && (Load16(&quote[chain.fragment_at + 2u]) & kOffset) != 0) return {};
  error.protocol = chain.protocol;
  return behind.subspan(chain.size);
}

}  // namespace

std::optional<std::size_t> EchoReply(const IpPacket& request, std::span<std::byte> out,
                                     std::uint8_t ttl, std::uint32_t time) {
  if (!IsIcmp(request)) return std::nullopt;
  const bool v4 = request.destination.is_v4();
  const std::uint8_t wanted =
      v4 ? Number(IcmpType::kEchoRequest) : Number(IcmpV6Type::kEchoRequest);
  const std::uint8_t reply = v4 ? Number(IcmpType::kEchoReply) : Number(IcmpV6Type::kEchoReply);
  const Bytes message = request.payload;
  if (Byte(message, 0) != wanted) return std::nullopt;
  if (!IsOneHost(request.source) || !IsOneHost(request.destination)) return std::nullopt;
  std::array<std::byte, kMaxIpOptions> options;
  const std::size_t options_size = v4 && request.header.size() > kIpv4HeaderSize
                                       ? EchoIpOptions(request.header.subspan(kIpv4HeaderSize),
                                                       request.destination, time, options)
                                       : 0;
  const std::size_t ip_size = IpHeaderSize(request.destination) + options_size;
  if (out.size() < ip_size || out.size() - ip_size < message.size()) return std::nullopt;
  if (!IcmpSum(request.source, request.destination, message).Valid()) return std::nullopt;

  std::ranges::copy(message, out.begin() + static_cast<std::ptrdiff_t>(ip_size));
  out[ip_size] = std::byte{reply};
  IpHeader header;
  header.source = request.destination;
  header.destination = request.source;
  header.ttl = ttl;
  header.tos = static_cast<std::uint8_t>(request.tos & ~kEcnBits);
  header.options = std::span(options).first(options_size);
  return Complete(out, header, message.size());
}

std::optional<IcmpError> DecodeIcmpError(const IpPacket& packet) {
  if (!IsIcmp(packet)) return std::nullopt;
  const Bytes message = packet.payload;
  IcmpError error;
  error.type = Byte(message, 0);
  error.code = Byte(message, 1);
  error.v6 = !packet.destination.is_v4();
  if (!IsErrorType(error.v6, error.type)) return std::nullopt;
  if (!IcmpSum(packet.source, packet.destination, message).Valid()) return std::nullopt;
  if (error.v6 && error.type == Number(IcmpV6Type::kPacketTooBig)) {
    error.mtu = Load32(&message[4]);
  } else if (!error.v6 && error.type == Number(IcmpType::kUnreachable) &&
             error.code == Number(IcmpUnreachable::kFragmentationNeeded)) {
    error.mtu = Load16(&message[6]);
  }
  const Bytes quote = message.subspan(kIcmpHeaderSize);
  const Bytes inner = error.v6 ? ReadQuotedIpv6(quote, error) : ReadQuotedIpv4(quote, error);
  if (inner.size() < kMinQuote) return std::nullopt;
  const bool tcp = error.protocol == Number(Protocol::kTcp);
  if (tcp || error.protocol == Number(Protocol::kUdp)) {
    error.source_port = Load16(&inner[0]);
    error.destination_port = Load16(&inner[2]);
  }
  if (tcp) error.seq = Load32(&inner[4]);
  return error;
}

bool MayReportError(const IpPacket& packet, bool even_to_group) {
  const bool to_group = even_to_group && packet.destination.is_multicast();
  if (!IsOneHost(packet.source) || !(to_group || IsOneHost(packet.destination))) return false;
  if (packet.fragment && packet.place.offset != 0) return !packet.source.is_v4();
  const bool v4 = packet.destination.is_v4();
  if (!packet.Is(v4 ? Protocol::kIcmp : Protocol::kIcmpV6)) return true;
  if (packet.payload.empty()) return false;
  const std::uint8_t type = Byte(packet.payload, 0);
  if (!v4) return type >= kFirstInformational && type != kRedirectV6;
  // Known queries only: what an unknown type is, nobody can tell.
  return type == Number(IcmpType::kEchoRequest) || type == Number(IcmpType::kEchoReply);
}

std::size_t EncodeIcmpError(const IpPacket& offending, std::uint8_t type, std::uint8_t code,
                            std::uint32_t rest, const IpAddress& from, std::span<std::byte> out,
                            std::uint8_t ttl) {
  const bool v4 = from.is_v4();
  const std::size_t ip_size = IpHeaderSize(from);
  const std::size_t most = v4 ? kMaxError : kMaxIcmpError;
  const std::size_t room = std::min(out.size(), most);
  // Extension headers may be longer than what may be quoted: then as much of them as may.
  const std::size_t least =
      std::min(offending.header.size() + std::min(kMinQuote, offending.payload.size()),
               most - ip_size - kIcmpHeaderSize);
  if (room < ip_size + kIcmpHeaderSize + least) return 0;
  const std::size_t quoted = std::min(room - ip_size - kIcmpHeaderSize, offending.whole().size());

  const std::span<std::byte> message = out.subspan(ip_size, kIcmpHeaderSize + quoted);
  message[0] = std::byte{type};
  message[1] = std::byte{code};
  Store32(&message[4], rest);
  std::ranges::copy(offending.whole().first(quoted), message.begin() + kIcmpHeaderSize);
  IpHeader header;
  header.source = from;
  header.destination = offending.source;
  header.ttl = ttl;
  header.tos = v4 ? kInternetControl : std::uint8_t{0};
  return Complete(out, header, message.size());
}

std::size_t EncodePortUnreachable(const IpPacket& offending, std::span<std::byte> out,
                                  const IpAddress& from) {
  if (from.is_v4()) {
    return EncodeIcmpError(offending, Number(IcmpType::kUnreachable),
                           Number(IcmpUnreachable::kPort), 0, from, out);
  }
  return EncodeIcmpError(offending, Number(IcmpV6Type::kUnreachable),
                         Number(IcmpV6Unreachable::kPort), 0, from, out);
}

}  // namespace estab::wire
