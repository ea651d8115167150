// IPv4 and IPv6 headers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

#include "estab/address.h"
#include "wire/segment.h"

namespace estab::wire {

/// The protocol numbers that this stack knows.
enum class Protocol : std::uint8_t {
  kIcmp = 1,
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
  kBadExtension,     // an IPv6 extension header that is cut off, misplaced or must not be skipped
  kBadAddress,       // an IPv6 packet with an IPv4-mapped address, which would pass for IPv4
};
/// A few English words, e.g. "bad header length". Static storage.
const char* Describe(DecodeError error);

/// A decoded IP packet. The spans point into the bytes it was decoded from; `payload` begins where
/// `header` ends.
struct IpPacket {
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;          // of the payload: for IPv6 what follows the headers skipped
  std::uint8_t ttl = 0;               // or hop limit
  std::uint8_t tos = 0;               // or traffic class: DSCP and ECN
  bool fragment = false;              // only a part of a datagram: the payload is not to be decoded
  std::span<const std::byte> header;  // with IPv4 options, or IPv6 extension headers
  std::span<const std::byte> payload;  // without the link's padding

  bool Is(Protocol p) const { return protocol == static_cast<std::uint8_t>(p); }
  /// Header and payload.
  std::span<const std::byte> whole() const {
    return {header.data(), header.size() + payload.size()};
  }
};

/// Decodes the packet that begins at bytes[0]; bytes behind its total length are padding. IPv4
/// (RFC 791): options are skipped, the header checksum is verified. IPv6 (RFC 8200): hop-by-hop,
/// routing and destination options headers are skipped, and so is the header of an atomic fragment
/// (RFC 6946). A routing header with segments left, or an option that RFC 8200 §4.2 does not allow
/// to skip, is kBadExtension. Any other next header (ESP, AH, none) ends up in `protocol`. Whether
/// the addresses make sense is for the caller to judge.
std::expected<IpPacket, DecodeError> DecodeIp(std::span<const std::byte> bytes);

/// Steps over the IPv6 extension headers in `bytes`, which begin with a header of type `protocol`.
/// For quoted packets too, which may be cut off at any point: that is kBadExtension.
struct ExtensionChain {
  std::uint8_t protocol = 0;   // what follows them
  bool fragment = false;       // a fragment header that is not atomic ended the walk
  bool first_fragment = true;  // offset 0, or no fragment
  std::size_t size = 0;        // bytes skipped
};
std::expected<ExtensionChain, DecodeError> SkipExtensions(std::uint8_t protocol,
                                                          std::span<const std::byte> bytes);

/// What EncodeIp needs to know. Both addresses are of one family.
struct IpHeader {
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;
  std::uint8_t ttl = 64;
  std::uint8_t tos = 0;
  std::uint16_t identification = 0;  // IPv4 only
  bool dont_fragment = true;         // IPv4 only
};

inline constexpr std::size_t kIpv4HeaderSize = 20;
inline constexpr std::size_t kIpv6HeaderSize = 40;
/// 20 or 40, by the family of an address.
constexpr std::size_t IpHeaderSize(const IpAddress& address) {
  return address.is_v4() ? kIpv4HeaderSize : kIpv6HeaderSize;
}

/// Writes the header of a packet with `payload_size` bytes behind it, IPv4 checksum included, and
/// returns its size, 20 or 40. `out` must have that room; the packet's length must fit its field
/// (65535 bytes: with the header for IPv4, without it for IPv6).
std::size_t EncodeIp(std::span<std::byte> out, const IpHeader& header, std::size_t payload_size);

}  // namespace estab::wire
