// Neighbour solicitations and advertisements of IPv6 (RFC 4861).
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "wire/ethernet.h"
#include "wire/ip.h"

namespace estab::wire {

/// A question (who has `target`?) or an answer (I do, at `mac`).
struct NeighbourMessage {
  bool answer = false;
  IpAddress source;  // :: in a question of duplicate address detection
  IpAddress destination;
  IpAddress target;
  std::optional<MacAddress> mac;  // of the source in a question, of the target in an answer
  // Of answers:
  bool solicited = false;  // it was asked for
  bool overrides = false;  // also what is known already
};
inline constexpr std::size_t kMostNeighbourMessage = kIpv6HeaderSize + 32;

/// Whether a packet is of neighbour discovery in any form (types 133 to 137): no matter for the
/// stack.
bool IsNeighbourDiscovery(const IpPacket& packet);
/// Decodes one that is valid by RFC 4861 §7.1; nothing otherwise.
std::optional<NeighbourMessage> DecodeNeighbour(const IpPacket& packet);
/// Writes the whole IPv6 packet into `out` (kMostNeighbourMessage bytes); returns its size.
std::size_t EncodeNeighbour(std::span<std::byte> out, const NeighbourMessage& message);

}  // namespace estab::wire
