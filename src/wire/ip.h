// IPv4 and IPv6 headers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>

#include "estab/address.h"
#include "wire/extension.h"
#include "wire/segment.h"

namespace estab::wire {

/// The protocol numbers that this stack knows.
enum class Protocol : std::uint8_t {
  kIcmp = 1,
  kIgmp = 2,
  kTcp = 6,
  kUdp = 17,
  kIcmpV6 = 58,
};

/// Why a packet could not be decoded.
enum class DecodeError : std::uint8_t {
  kTooShort,         // ends within a fixed header
  kBadVersion,       // neither IPv4 nor IPv6
  kBadHeaderLength,  // an IPv4 or TCP header length below 20, or beyond the end
  kBadTotalLength,   // a total or payload length below the headers', or beyond the end
  kBadChecksum,      // of the IPv4 header
  kBadOption,        // an IPv4 option that is malformed
  kBadExtension,     // an IPv6 extension header that is cut off, misplaced or must not be skipped
  kBadAddress,       // an IPv6 packet with an IPv4-mapped address, which would pass for IPv4
};
/// A few English words, e.g. "bad header length". Static storage.
const char* Describe(DecodeError error);

/// Which part of a datagram a fragment is.
struct FragmentPlace {
  std::uint32_t identification = 0;  // IPv4: 16 bits of it
  std::uint16_t offset = 0;          // in bytes; a multiple of 8
  std::uint16_t header_at = 0;       // IPv6: where in the packet the fragment header begins,
  std::uint16_t named_at = 0;        // and where the byte is that says so
  bool more = false;                 // it is not the last
};

/// A decoded IP packet. The spans point into the bytes it was decoded from; `payload` begins where
/// `header` ends.
struct IpPacket {
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;          // of the payload: for IPv6 what follows the headers skipped
  std::uint8_t ttl = 0;               // or hop limit
  std::uint8_t tos = 0;               // or traffic class: DSCP and ECN
  bool fragment = false;              // only a part of a datagram: the payload is not to be decoded
  bool source_route = false;          // an IPv4 option says by what way it was to come
  FragmentPlace place;                // meaningful for fragments
  std::uint16_t protocol_at = 0;      // offset of the byte that says `protocol`
  std::span<const std::byte> header;  // with IPv4 options, or IPv6 extension headers
  std::span<const std::byte> payload;  // without the link's padding

  bool Is(Protocol p) const { return protocol == static_cast<std::uint8_t>(p); }
  /// Header and payload.
  std::span<const std::byte> whole() const {
    return {header.data(), header.size() + payload.size()};
  }
};

/// Decodes the packet that begins at bytes[0]; bytes behind its total length are padding. IPv4
/// (RFC 791): options must be well-formed and are skipped, the header checksum is verified. IPv6
/// (RFC 8200): hop-by-hop, routing and destination options headers are skipped, and so is the
/// header of an atomic fragment (RFC 6946). A routing header with segments left, an option that RFC
/// 8200 §4.2 does not allow to skip, or too long a chain is kBadExtension. Any other next header
/// (ESP, AH, none) ends up in `protocol`. Whether the addresses make sense is for the caller to
/// judge.
std::expected<IpPacket, DecodeError> DecodeIp(std::span<const std::byte> bytes);

/// The destination of a packet of our own, whose header is whole.
IpAddress DestinationOf(std::span<const std::byte> packet);

/// A packet that DecodeIp refuses for its options or extension headers, and why.
struct RefusedPacket {
  IpPacket packet;  // `protocol` is what the chain would lead to, if that can be seen
  HeaderProblem problem;
};
/// What is to be told of bytes for which DecodeIp said kBadOption or kBadExtension; nothing if the
/// sender is to be told nothing.
std::optional<RefusedPacket> ExplainRefusal(std::span<const std::byte> bytes);

/// What is wrong with a fragment by itself (RFC 8200 §4.5, RFC 7112): IPv6 only, since of IPv4 no
/// one is told.
HeaderProblem JudgeFragment(const IpPacket& fragment);

/// What EncodeIp needs to know. Both addresses are of one family.
struct IpHeader {
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;
  std::uint8_t ttl = 64;
  std::uint8_t tos = 0;
  std::uint16_t identification = 0;         // IPv4 only
  bool dont_fragment = true;                // IPv4 only
  std::span<const std::byte> options = {};  // IPv4 only: at most 40 bytes, a multiple of 4
};

inline constexpr std::size_t kIpv4HeaderSize = 20;
inline constexpr std::size_t kIpv6HeaderSize = 40;
/// 20 or 40, by the family of an address.
constexpr std::size_t IpHeaderSize(const IpAddress& address) {
  return address.is_v4() ? kIpv4HeaderSize : kIpv6HeaderSize;
}

/// Writes the header of a packet with `payload_size` bytes behind it, IPv4 checksum included, and
/// returns its size, 20 (and the options') or 40. `out` must have that room; the packet's length
/// must fit its field (65535 bytes: with the header for IPv4, without it for IPv6).
std::size_t EncodeIp(std::span<std::byte> out, const IpHeader& header, std::size_t payload_size);

}  // namespace estab::wire
