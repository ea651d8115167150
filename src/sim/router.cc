#include "sim/router.h"

#include "wire/fragment.h"
#include "wire/icmp.h"
#include "wire/ip.h"

namespace estab::sim {
namespace {

bool IsIpv4(std::span<const std::byte> packet) {
  return std::to_integer<unsigned>(packet[0]) >> 4 == 4;
}

unsigned Word(std::span<const std::byte> packet, std::size_t at) {
  return std::to_integer<unsigned>(packet[at]) << 8 | std::to_integer<unsigned>(packet[at + 1]);
}

bool MayFragment(std::span<const std::byte> packet) {
  constexpr unsigned kDontFragment = 0x4000;
  return IsIpv4(packet) && (Word(packet, 6) & kDontFragment) == 0;
}

}  // namespace

bool FitsPath(const PathConfig& path, std::span<const std::byte> packet) {
  return path.mtu == 0 || packet.size() <= path.mtu || MayFragment(packet);
}

std::vector<std::vector<std::byte>> FragmentsOf(const PathConfig& path,
                                                std::span<const std::byte> packet) {
  std::vector<std::vector<std::byte>> parts;
  wire::Fragmenter fragmenter(packet, path.mtu, Word(packet, 4));
  while (!fragmenter.done()) {
    std::vector<std::byte>& part = parts.emplace_back(path.mtu);
    part.resize(fragmenter.Next(part));
  }
  return parts;
}

std::vector<std::byte> TooBigMessage(const PathConfig& path, std::span<const std::byte> packet) {
  const auto offending = wire::DecodeIp(packet);
  if (path.router == Router::kSilent || !offending || !wire::MayReportError(*offending)) return {};
  const std::uint32_t mtu = path.router == Router::kOld ? 0 : path.mtu;
  std::vector<std::byte> message(wire::kMaxIcmpError);
  if (IsIpv4(packet)) {
    message.resize(wire::EncodeIcmpError(
        *offending, static_cast<std::uint8_t>(wire::IcmpType::kUnreachable),
        static_cast<std::uint8_t>(wire::IcmpUnreachable::kFragmentationNeeded), mtu,
        *IpAddress::Parse("198.51.100.1"), message));
  } else {
    message.resize(wire::EncodeIcmpError(
        *offending, static_cast<std::uint8_t>(wire::IcmpV6Type::kPacketTooBig), 0, path.mtu,
        *IpAddress::Parse("2001:db8:ffff::1"), message));
  }
  return message;
}

}  // namespace estab::sim
