#include "wire/ip.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "wire/checksum.h"

namespace estab::wire {
namespace {

// IPv6 next headers (RFC 8200 §4).
constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kFragment = 44;
constexpr std::uint8_t kDestinationOptions = 60;

constexpr std::uint16_t kMoreFragments = 0x2000;
constexpr std::uint16_t kDontFragment = 0x4000;
constexpr std::uint16_t kFragmentOffset = 0x1fff;

using Bytes = std::span<const std::byte>;

std::uint8_t Byte(Bytes bytes, std::size_t i) { return std::to_integer<std::uint8_t>(bytes[i]); }

std::expected<IpPacket, DecodeError> DecodeIpv4(Bytes bytes) {
  if (bytes.size() < kIpv4HeaderSize) return std::unexpected(DecodeError::kTooShort);
  const std::size_t header_size = std::size_t{4} * (Byte(bytes, 0) & 0x0fu);
  if (header_size < kIpv4HeaderSize || header_size > bytes.size()) {
    return std::unexpected(DecodeError::kBadHeaderLength);
  }
  const std::size_t total = Load16(&bytes[2]);
  if (total < header_size || total > bytes.size()) {
    return std::unexpected(DecodeError::kBadTotalLength);
  }
  Checksum checksum;
  checksum.Add(bytes.first(header_size));
  if (!checksum.Valid()) return std::unexpected(DecodeError::kBadChecksum);

  IpPacket packet;
  packet.tos = Byte(bytes, 1);
  packet.fragment = (Load16(&bytes[6]) & (kMoreFragments | kFragmentOffset)) != 0;
  packet.ttl = Byte(bytes, 8);
  packet.protocol = Byte(bytes, 9);
  packet.source = IpAddress::V4(Load32(&bytes[12]));
  packet.destination = IpAddress::V4(Load32(&bytes[16]));
  packet.header = bytes.first(header_size);
  packet.payload = bytes.subspan(header_size, total - header_size);
  return packet;
}

std::expected<IpPacket, DecodeError> DecodeIpv6(Bytes bytes) {
  if (bytes.size() < kIpv6HeaderSize) return std::unexpected(DecodeError::kTooShort);
  const std::size_t payload_size = Load16(&bytes[4]);
  if (payload_size > bytes.size() - kIpv6HeaderSize) {
    return std::unexpected(DecodeError::kBadTotalLength);
  }
  IpPacket packet;
  packet.tos = static_cast<std::uint8_t>(Load16(&bytes[0]) >> 4);
  packet.ttl = Byte(bytes, 7);
  std::memcpy(packet.source.bytes.data(), &bytes[8], 16);
  std::memcpy(packet.destination.bytes.data(), &bytes[24], 16);
  if (packet.source.is_v4() || packet.destination.is_v4()) {
    return std::unexpected(DecodeError::kBadAddress);
  }
  const Bytes behind = bytes.subspan(kIpv6HeaderSize, payload_size);
  const auto chain = SkipExtensions(Byte(bytes, 6), behind);
  if (!chain) return std::unexpected(chain.error());
  packet.protocol = chain->protocol;
  packet.fragment = chain->fragment;
  packet.header = bytes.first(kIpv6HeaderSize + chain->size);
  packet.payload = behind.subspan(chain->size);
  return packet;
}

// True if every option may be skipped by a node that knows none of them: the two highest bits of
// the type are zero (RFC 8200 §4.2).
bool OptionsMayBeSkipped(Bytes options) {
  while (!options.empty()) {
    const std::uint8_t type = Byte(options, 0);
    std::size_t size = 1;  // Pad1 has no length
    if (type != 0) {
      if (options.size() < 2) return false;
      size = 2u + Byte(options, 1);
    }
    if ((type & 0xc0) != 0 || size > options.size()) return false;
    options = options.subspan(size);
  }
  return true;
}

// Reads a fragment header. True if it is atomic: a whole datagram, to be read on.
bool IsAtomicFragment(Bytes header, ExtensionChain& chain) {
  const std::uint16_t offset_and_more = Load16(&header[2]);
  if ((offset_and_more & 0xfff9) == 0) return true;
  chain.fragment = true;
  chain.first_fragment = (offset_and_more & 0xfff8) == 0;
  return false;
}

}  // namespace

const char* Describe(DecodeError error) {
  switch (error) {
    case DecodeError::kTooShort:
      return "too short";
    case DecodeError::kBadVersion:
      return "bad version";
    case DecodeError::kBadHeaderLength:
      return "bad header length";
    case DecodeError::kBadTotalLength:
      return "bad total length";
    case DecodeError::kBadChecksum:
      return "bad header checksum";
    case DecodeError::kBadExtension:
      return "bad extension header";
    case DecodeError::kBadAddress:
      return "bad address";
  }
  return "unknown";
}

std::expected<IpPacket, DecodeError> DecodeIp(Bytes bytes) {
  if (bytes.empty()) return std::unexpected(DecodeError::kTooShort);
  switch (Byte(bytes, 0) >> 4) {
    case 4:
      return DecodeIpv4(bytes);
    case 6:
      return DecodeIpv6(bytes);
    default:
      return std::unexpected(DecodeError::kBadVersion);
  }
}

std::expected<ExtensionChain, DecodeError> SkipExtensions(std::uint8_t protocol, Bytes bytes) {
  ExtensionChain chain;
  chain.protocol = protocol;
  while (chain.protocol == kHopByHop || chain.protocol == kRouting || chain.protocol == kFragment ||
         chain.protocol == kDestinationOptions) {
    const std::uint8_t type = chain.protocol;
    const Bytes rest = bytes.subspan(chain.size);
    if (rest.size() < 8) return std::unexpected(DecodeError::kBadExtension);
    const std::size_t size = type == kFragment ? 8 : std::size_t{8} * (Byte(rest, 1) + 1u);
    if (size > rest.size()) return std::unexpected(DecodeError::kBadExtension);

    chain.protocol = Byte(rest, 0);
    chain.size += size;
    if (type == kFragment) {
      if (!IsAtomicFragment(rest, chain)) return chain;
    } else if (type == kRouting) {
      // Segments left: this host is not the last one on the way, and forwards nothing.
      if (Byte(rest, 3) != 0) return std::unexpected(DecodeError::kBadExtension);
    } else if (!OptionsMayBeSkipped(rest.subspan(2, size - 2))) {
      return std::unexpected(DecodeError::kBadExtension);
    }
    // Hop-by-hop options come first or not at all (RFC 8200 §4.1).
    if (chain.protocol == kHopByHop) return std::unexpected(DecodeError::kBadExtension);
  }
  return chain;
}

std::size_t EncodeIp(std::span<std::byte> out, const IpHeader& header, std::size_t payload_size) {
  const std::size_t size = IpHeaderSize(header.destination);
  ESTAB_CHECK(out.size() >= size);
  std::ranges::fill(out.first(size), std::byte{0});
  if (header.destination.is_v4()) {
    ESTAB_CHECK(size + payload_size <= 0xffff);
    out[0] = std::byte{0x45};
    out[1] = std::byte{header.tos};
    Store16(&out[2], static_cast<std::uint16_t>(size + payload_size));
    Store16(&out[4], header.identification);
    Store16(&out[6], header.dont_fragment ? kDontFragment : std::uint16_t{0});
    out[8] = std::byte{header.ttl};
    out[9] = std::byte{header.protocol};
    Store32(&out[12], header.source.v4());
    Store32(&out[16], header.destination.v4());
    Checksum checksum;
    checksum.Add(out.first(size));
    Store16(&out[10], checksum.Finish());
    return size;
  }
  ESTAB_CHECK(payload_size <= 0xffff);
  Store16(&out[0], static_cast<std::uint16_t>(0x6000u | (unsigned{header.tos} << 4)));
  Store16(&out[4], static_cast<std::uint16_t>(payload_size));
  out[6] = std::byte{header.protocol};
  out[7] = std::byte{header.ttl};
  std::memcpy(&out[8], header.source.bytes.data(), 16);
  std::memcpy(&out[24], header.destination.bytes.data(), 16);
  return size;
}

}  // namespace estab::wire
