// The Address Resolution Protocol (RFC 826), of IPv4 over Ethernet.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "wire/ethernet.h"

namespace estab::wire {

/// A question (who has `target`?) or an answer (`sender` is at `sender_mac`).
struct Arp {
  bool answer = false;
  MacAddress sender_mac;
  IpAddress sender;
  MacAddress target_mac;  // zero in a question
  IpAddress target;
};
inline constexpr std::size_t kArpSize = 28;

/// Decodes what follows the Ethernet header; padding behind it is tolerated. Nothing for other
/// protocols, hardware and operations.
std::optional<Arp> DecodeArp(std::span<const std::byte> bytes);
/// Writes kArpSize bytes into `out`.
void EncodeArp(std::span<std::byte> out, const Arp& arp);

}  // namespace estab::wire
