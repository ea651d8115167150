#include "wire/ndp.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "wire/checksum.h"

namespace estab::wire {
namespace {

constexpr unsigned kSolicitation = 135;
constexpr unsigned kAdvertisement = 136;
constexpr std::uint8_t kHopLimit = 255;
constexpr std::size_t kFixedSize = 24;  // up to the options
constexpr std::size_t kOptionSize = 8;  // of an Ethernet address
constexpr std::byte kSourceLinkAddress{1};
constexpr std::byte kTargetLinkAddress{2};
constexpr std::uint32_t kSolicitedFlag = 0x40000000;
constexpr std::uint32_t kOverrideFlag = 0x20000000;

bool ChecksumValid(const IpPacket& packet) {
  Checksum checksum;
  checksum.AddPseudoHeader(packet.source, packet.destination, packet.protocol,
                           static_cast<std::uint32_t>(packet.payload.size()));
  checksum.Add(packet.payload);
  return checksum.Valid();
}

// The address option, if there is one. False: the options are malformed.
bool ReadOptions(std::span<const std::byte> options, std::byte wanted,
                 std::optional<MacAddress>& mac) {
  while (!options.empty()) {
    if (options.size() < kOptionSize) return false;
    const std::size_t size = std::to_integer<std::size_t>(options[1]) * kOptionSize;
    if (size == 0 || size > options.size()) return false;
    if (options[0] == wanted && size == kOptionSize) {
      mac.emplace();
      std::memcpy(mac->bytes.data(), &options[2], 6);
    }
    options = options.subspan(size);
  }
  return true;
}

bool IsSolicitedNode(const IpAddress& address) {
  const IpAddress like = SolicitedNode(address);
  return address == like;
}

}  // namespace

bool IsNeighbourDiscovery(const IpPacket& packet) {
  if (packet.destination.is_v4() || packet.fragment || packet.payload.empty()) return false;
  const unsigned type = std::to_integer<unsigned>(packet.payload[0]);
  return packet.Is(Protocol::kIcmpV6) && type >= 133 && type <= 137;
}

std::optional<NeighbourMessage> DecodeNeighbour(const IpPacket& packet) {
  if (!IsNeighbourDiscovery(packet) || packet.ttl != kHopLimit) return std::nullopt;
  const auto bytes = packet.payload;
  const unsigned type = std::to_integer<unsigned>(bytes[0]);
  if (bytes.size() < kFixedSize || bytes[1] != std::byte{0}) return std::nullopt;
  if ((type != kSolicitation && type != kAdvertisement) || !ChecksumValid(packet)) {
    return std::nullopt;
  }
  NeighbourMessage message;
  message.answer = type == kAdvertisement;
  message.source = packet.source;
  message.destination = packet.destination;
  std::memcpy(message.target.bytes.data(), &bytes[8], 16);
  const std::byte wanted = message.answer ? kTargetLinkAddress : kSourceLinkAddress;
  if (!ReadOptions(bytes.subspan(kFixedSize), wanted, message.mac)) return std::nullopt;
  if (message.target.is_multicast() || message.target.is_any()) return std::nullopt;
  if (message.answer) {
    const std::uint32_t flags = Load32(&bytes[4]);
    message.solicited = (flags & kSolicitedFlag) != 0;
    message.overrides = (flags & kOverrideFlag) != 0;
    if (message.solicited && packet.destination.is_multicast()) return std::nullopt;
  } else if (packet.source.is_any()) {
    if (!IsSolicitedNode(packet.destination) || message.mac) return std::nullopt;
  }
  return message;
}

std::size_t EncodeNeighbour(std::span<std::byte> out, const NeighbourMessage& message) {
  const std::size_t size = kFixedSize + (message.mac ? kOptionSize : 0);
  IpHeader ip;
  ip.source = message.source;
  ip.destination = message.destination;
  ip.protocol = static_cast<std::uint8_t>(Protocol::kIcmpV6);
  ip.ttl = kHopLimit;
  EncodeIp(out, ip, size);
  const std::span<std::byte> icmp = out.subspan(kIpv6HeaderSize, size);
  std::fill(icmp.begin(), icmp.end(), std::byte{0});
  icmp[0] = static_cast<std::byte>(message.answer ? kAdvertisement : kSolicitation);
  if (message.answer) {
    Store32(&icmp[4],
            (message.solicited ? kSolicitedFlag : 0) | (message.overrides ? kOverrideFlag : 0));
  }
  std::memcpy(&icmp[8], message.target.bytes.data(), 16);
  if (message.mac) {
    icmp[kFixedSize] = message.answer ? kTargetLinkAddress : kSourceLinkAddress;
    icmp[kFixedSize + 1] = std::byte{1};
    std::memcpy(&icmp[kFixedSize + 2], message.mac->bytes.data(), 6);
  }
  Checksum checksum;
  checksum.AddPseudoHeader(message.source, message.destination, ip.protocol,
                           static_cast<std::uint32_t>(size));
  checksum.Add(icmp);
  Store16(&icmp[2], checksum.Finish());
  return kIpv6HeaderSize + size;
}

}  // namespace estab::wire
