// Ethernet frames (RFC 894, RFC 2464).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "estab/address.h"

namespace estab::wire {

/// A 48-bit address of a station, or of a group of them.
struct MacAddress {
  std::array<std::uint8_t, 6> bytes{};
  bool is_group() const { return (bytes[0] & 1) != 0; }
  bool is_zero() const { return *this == MacAddress{}; }
  bool operator==(const MacAddress&) const = default;
};
inline constexpr MacAddress kBroadcastMac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

inline constexpr std::size_t kEthernetHeaderSize = 14;
inline constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherTypeArp = 0x0806;
inline constexpr std::uint16_t kEtherTypeIpv6 = 0x86dd;

struct EthernetHeader {
  MacAddress destination;
  MacAddress source;
  std::uint16_t type = 0;
};

/// The header of a frame; nothing if it is too short.
std::optional<EthernetHeader> DecodeEthernet(std::span<const std::byte> frame);
/// Writes the header into `out`, which has room for kEthernetHeaderSize.
void EncodeEthernet(std::span<std::byte> out, const EthernetHeader& header);

/// Where packets to an IPv6 group go (RFC 2464 §7).
MacAddress GroupMac(const IpAddress& group);
/// The group in which whoever has `address` listens for questions about it (RFC 4291 §2.7.1).
IpAddress SolicitedNode(const IpAddress& address);

}  // namespace estab::wire
