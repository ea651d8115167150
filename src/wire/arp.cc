#include "wire/arp.h"

#include <cstring>

#include "base/bytes.h"

namespace estab::wire {
namespace {

constexpr std::uint16_t kHardwareEthernet = 1;
constexpr std::uint16_t kQuestion = 1;
constexpr std::uint16_t kAnswer = 2;

}  // namespace

std::optional<Arp> DecodeArp(std::span<const std::byte> bytes) {
  if (bytes.size() < kArpSize) return std::nullopt;
  const std::byte* p = bytes.data();
  const bool ours = Load16(p) == kHardwareEthernet && Load16(p + 2) == kEtherTypeIpv4 &&
                    p[4] == std::byte{6} && p[5] == std::byte{4};
  const std::uint16_t operation = Load16(p + 6);
  if (!ours || (operation != kQuestion && operation != kAnswer)) return std::nullopt;
  Arp arp;
  arp.answer = operation == kAnswer;
  std::memcpy(arp.sender_mac.bytes.data(), p + 8, 6);
  arp.sender = IpAddress::V4(Load32(p + 14));
  std::memcpy(arp.target_mac.bytes.data(), p + 18, 6);
  arp.target = IpAddress::V4(Load32(p + 24));
  return arp;
}

void EncodeArp(std::span<std::byte> out, const Arp& arp) {
  std::byte* p = out.data();
  Store16(p, kHardwareEthernet);
  Store16(p + 2, kEtherTypeIpv4);
  p[4] = std::byte{6};
  p[5] = std::byte{4};
  Store16(p + 6, arp.answer ? kAnswer : kQuestion);
  std::memcpy(p + 8, arp.sender_mac.bytes.data(), 6);
  Store32(p + 14, arp.sender.v4());
  std::memcpy(p + 18, arp.target_mac.bytes.data(), 6);
  Store32(p + 24, arp.target.v4());
}

}  // namespace estab::wire
