#include "wire/ip.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "wire/checksum.h"
#include "wire/ip_options.h"

namespace estab::wire {
namespace {

constexpr std::uint16_t kMoreFragments = 0x2000;
constexpr std::uint16_t kDontFragment = 0x4000;
constexpr std::uint16_t kFragmentOffset = 0x1fff;

using Bytes = std::span<const std::byte>;

std::uint8_t Byte(Bytes bytes, std::size_t i) { return std::to_integer<std::uint8_t>(bytes[i]); }

// Fills in `packet` and `problem` as far as it gets.
std::optional<DecodeError> DecodeIpv4(Bytes bytes, IpPacket& packet, HeaderProblem& problem) {
  if (bytes.size() < kIpv4HeaderSize) return DecodeError::kTooShort;
  const std::size_t header_size = std::size_t{4} * (Byte(bytes, 0) & 0x0fu);
  if (header_size < kIpv4HeaderSize || header_size > bytes.size()) {
    return DecodeError::kBadHeaderLength;
  }
  const std::size_t total = Load16(&bytes[2]);
  if (total < header_size || total > bytes.size()) return DecodeError::kBadTotalLength;
  Checksum checksum;
  checksum.Add(bytes.first(header_size));
  if (!checksum.Valid()) return DecodeError::kBadChecksum;

  const std::uint16_t place = Load16(&bytes[6]);
  packet.tos = Byte(bytes, 1);
  packet.fragment = (place & (kMoreFragments | kFragmentOffset)) != 0;
  packet.place.identification = Load16(&bytes[4]);
  packet.place.offset = static_cast<std::uint16_t>((place & kFragmentOffset) * 8);
  packet.place.more = (place & kMoreFragments) != 0;
  packet.ttl = Byte(bytes, 8);
  packet.protocol = Byte(bytes, 9);
  packet.protocol_at = 9;
  packet.source = IpAddress::V4(Load32(&bytes[12]));
  packet.destination = IpAddress::V4(Load32(&bytes[16]));
  packet.header = bytes.first(header_size);
  packet.payload = bytes.subspan(header_size, total - header_size);
  if (header_size == kIpv4HeaderSize) return std::nullopt;
  const IpOptions options = JudgeIpOptions(packet.header);
  packet.source_route = options.source_route;
  if (!options.bad) return std::nullopt;
  problem.found = problem.tell = true;
  problem.pointer = options.pointer;
  return DecodeError::kBadOption;
}

// Of the fragment header that ended the walk.
FragmentPlace PlaceIn(Bytes packet, const ExtensionChain& chain) {
  const Bytes header = packet.subspan(chain.fragment_at);
  FragmentPlace place;
  constexpr std::uint16_t kOffset = 0xfff8;
  const std::uint16_t offset_and_more = Load16(&header[2]);
  place.offset = offset_and_more & kOffset;
  place.more = (offset_and_more & 1) != 0;
  place.identification = Load32(&header[4]);
  place.header_at = chain.fragment_at;
  place.named_at = chain.fragment_named_at;
  return place;
}

std::optional<DecodeError> DecodeIpv6(Bytes bytes, IpPacket& packet, HeaderProblem& problem) {
  if (bytes.size() < kIpv6HeaderSize) return DecodeError::kTooShort;
  const std::size_t payload_size = Load16(&bytes[4]);
  if (payload_size > bytes.size() - kIpv6HeaderSize) return DecodeError::kBadTotalLength;
  packet.tos = static_cast<std::uint8_t>(Load16(&bytes[0]) >> 4);
  packet.ttl = Byte(bytes, 7);
  std::memcpy(packet.source.bytes.data(), &bytes[8], 16);
  std::memcpy(packet.destination.bytes.data(), &bytes[24], 16);
  if (packet.source.is_v4() || packet.destination.is_v4()) return DecodeError::kBadAddress;
  const Bytes behind = bytes.subspan(kIpv6HeaderSize, payload_size);
  const ExtensionChain chain = WalkExtensions(Byte(bytes, 6), behind, ExtensionWalk::kJudge);
  packet.protocol = chain.protocol;
  packet.protocol_at = chain.named_at;
  packet.fragment = chain.fragment;
  packet.header = bytes.first(kIpv6HeaderSize + chain.size);
  packet.payload = behind.subspan(chain.size);
  if (chain.fragment) packet.place = PlaceIn(bytes, chain);
  problem = chain.problem;
  if (problem.found) return DecodeError::kBadExtension;
  return std::nullopt;
}

std::optional<DecodeError> Decode(Bytes bytes, IpPacket& packet, HeaderProblem& problem) {
  if (bytes.empty()) return DecodeError::kTooShort;
  switch (Byte(bytes, 0) >> 4) {
    case 4:
      return DecodeIpv4(bytes, packet, problem);
    case 6:
      return DecodeIpv6(bytes, packet, problem);
    default:
      return DecodeError::kBadVersion;
  }
}

// Whether a first fragment has everything up to the header behind the last extension header.
bool HoldsWholeChain(const IpPacket& fragment) {
  const ExtensionChain chain =
      WalkExtensions(fragment.protocol, fragment.payload, ExtensionWalk::kSkip);
  if (chain.problem.found) return false;
  std::size_t least = 1;
  if (chain.protocol == static_cast<std::uint8_t>(Protocol::kTcp)) least = 20;
  if (chain.protocol == static_cast<std::uint8_t>(Protocol::kUdp)) least = 8;
  if (chain.protocol == kNoNextHeader || chain.fragment) least = 0;
  return fragment.payload.size() - chain.size >= least;
}

HeaderProblem Told(IcmpV6Parameter code, std::size_t pointer) {
  HeaderProblem problem;
  problem.found = problem.tell = true;
  problem.code = static_cast<std::uint8_t>(code);
  problem.pointer = static_cast<std::uint16_t>(pointer);
  return problem;
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
    case DecodeError::kBadOption:
      return "bad option";
    case DecodeError::kBadExtension:
      return "bad extension header";
    case DecodeError::kBadAddress:
      return "bad address";
  }
  return "unknown";
}

std::expected<IpPacket, DecodeError> DecodeIp(Bytes bytes) {
  std::expected<IpPacket, DecodeError> decoded;  // in its place: a packet is large
  HeaderProblem problem;
  if (const auto error = Decode(bytes, *decoded, problem)) decoded = std::unexpected(*error);
  return decoded;
}

std::optional<RefusedPacket> ExplainRefusal(Bytes bytes) {
  RefusedPacket refused;
  IpPacket& packet = refused.packet;
  if (!Decode(bytes, packet, refused.problem) || !refused.problem.tell) return std::nullopt;
  if (packet.source.is_v4()) return refused;
  // What lies behind the headers is still of interest: of ICMP errors nobody is told.
  const ExtensionChain chain =
      WalkExtensions(packet.protocol, packet.payload, ExtensionWalk::kSkip);
  if (!chain.problem.found) {
    packet.protocol = chain.protocol;
    packet.header = {packet.header.data(), packet.header.size() + chain.size};
    packet.payload = packet.payload.subspan(chain.size);
  }
  return refused;
}

HeaderProblem JudgeFragment(const IpPacket& fragment) {
  if (fragment.source.is_v4()) return {};
  constexpr std::size_t kPayloadLengthField = 4;
  constexpr std::size_t kOffsetField = 2;  // of the fragment header
  constexpr std::size_t kMostPayload = 65535;
  const FragmentPlace& place = fragment.place;
  if (place.more && fragment.payload.size() % 8 != 0) {
    return Told(IcmpV6Parameter::kHeaderField, kPayloadLengthField);
  }
  const std::size_t before =
      place.header_at - kIpv6HeaderSize;  // the headers that all of them have
  if (before + place.offset + fragment.payload.size() > kMostPayload) {
    return Told(IcmpV6Parameter::kHeaderField, place.header_at + kOffsetField);
  }
  if (place.offset == 0 && !HoldsWholeChain(fragment)) {
    return Told(IcmpV6Parameter::kIncompleteChain, 0);
  }
  return {};
}

IpAddress DestinationOf(std::span<const std::byte> packet) {
  if (std::to_integer<unsigned>(packet[0]) >> 4 == 4) return IpAddress::V4(Load32(&packet[16]));
  IpAddress address;
  std::memcpy(address.bytes.data(), &packet[24], 16);
  return address;
}

namespace {

// The words of the header are summed before they are stored, not read again.
void EncodeIpv4(std::span<std::byte> out, const IpHeader& header, std::size_t size,
                std::size_t total) {
  const std::uint32_t place = header.dont_fragment ? kDontFragment : 0u;
  const std::uint64_t first = (0x40 | size / 4) << 56 | std::uint64_t{header.tos} << 48 |
                              std::uint64_t{total} << 32 |
                              std::uint64_t{header.identification} << 16 | place;
  const std::uint64_t second =
      std::uint64_t{header.ttl} << 56 | std::uint64_t{header.protocol} << 48 | header.source.v4();
  const std::uint32_t third = header.destination.v4();
  std::uint64_t sum =
      (first >> 32) + (first & 0xffffffff) + (second >> 32) + (second & 0xffffffff) + third;
  for (std::size_t i = 0; i < header.options.size(); i += 4) {
    std::memcpy(&out[kIpv4HeaderSize + i], &header.options[i], 4);
    sum += Load32(&header.options[i]);
  }
  // Of at most 36 bits twice makes 17, and once more 16.
  for (int i = 0; i < 3; ++i) sum = (sum >> 16) + (sum & 0xffff);
  const auto checksum = static_cast<std::uint16_t>(~sum);
  Store64(&out[0], first);
  Store64(&out[8], second | std::uint64_t{checksum} << 32);
  Store32(&out[16], third);
}

}  // namespace

std::size_t EncodeIp(std::span<std::byte> out, const IpHeader& header, std::size_t payload_size) {
  const std::size_t size = IpHeaderSize(header.destination) + header.options.size();
  ESTAB_CHECK(out.size() >= size && header.options.size() % 4 == 0);
  if (header.destination.is_v4()) {
    ESTAB_CHECK(size + payload_size <= 0xffff);
    EncodeIpv4(out, header, size, size + payload_size);
    return size;
  }
  ESTAB_CHECK(payload_size <= 0xffff);
  Store32(&out[0], 0x60000000u | (std::uint32_t{header.tos} << 20));
  Store16(&out[4], static_cast<std::uint16_t>(payload_size));
  out[6] = std::byte{header.protocol};
  out[7] = std::byte{header.ttl};
  std::memcpy(&out[8], header.source.bytes.data(), 16);
  std::memcpy(&out[24], header.destination.bytes.data(), 16);
  return size;
}

}  // namespace estab::wire
