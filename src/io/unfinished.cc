#include "io/unfinished.h"

#include <cstdint>

#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/ip.h"

namespace estab::io {

bool IsUnfinished(std::span<const std::byte> frame) {
  constexpr std::size_t kFieldAt = 16;  // RFC 9293 §3.1
  if (frame.size() <= wire::kEthernetHeaderSize) return false;
  const auto ip = wire::DecodeIp(frame.subspan(wire::kEthernetHeaderSize));
  if (!ip || ip->fragment || !ip->Is(wire::Protocol::kTcp) || ip->payload.size() < kFieldAt + 2) {
    return false;
  }
  wire::Checksum pseudo_header;
  pseudo_header.AddPseudoHeader(ip->source, ip->destination, ip->protocol,
                                static_cast<std::uint32_t>(ip->payload.size()));
  return Load16(ip->payload.data() + kFieldAt) == pseudo_header.Sum();
}

}  // namespace estab::io
