// Looking into packets on their way, and making some by hand.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "estab/address.h"
#include "estab/observer.h"
#include "wire/segment.h"

namespace estab::sim {

/// A TCP segment inside an IP packet, as a bystander sees it.
struct PacketView {
  Endpoint source;
  Endpoint destination;
  SegmentSummary segment;
  wire::TcpOptions options;
};

/// Looks into `packet`; nullopt unless it is whole TCP over IPv4 or IPv6. Checksums of TCP are not
/// looked at.
std::optional<PacketView> ViewPacket(std::span<const std::byte> packet);

/// Whether a router may mark `packet`, a whole IP packet (RFC 3168 §5): it has ECT or CE.
bool IsEcnCapable(std::span<const std::byte> packet);
/// Marks it: congestion experienced.
void MarkCongestion(std::span<std::byte> packet);

/// "mss 1460, sackOK, TS 1 0, wscale 7"; empty without options. `brief` leaves the values of
/// timestamps out, which say little where the time is drawn.
std::string OptionsText(const wire::TcpOptions& options, bool brief = false);

/// An IP packet with `segment` in it, checksums filled in; the ports of `segment` are replaced by
/// those of the endpoints. Both must be of one family.
std::vector<std::byte> CraftPacket(const Endpoint& source, const Endpoint& destination,
                                   wire::Segment segment);

/// An ICMP error (over IPv6: ICMPv6, whose types these are then) from `from`, sent to the source
/// of `quoted`, a whole IP packet.
std::vector<std::byte> CraftIcmpError(std::span<const std::byte> quoted, std::uint8_t type,
                                      std::uint8_t code, const IpAddress& from);

}  // namespace estab::sim
