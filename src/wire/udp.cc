#include "wire/udp.h"

#include "base/bytes.h"
#include "wire/checksum.h"

namespace estab::wire {

bool UdpValid(const IpPacket& packet, bool checksum_ok) {
  constexpr std::size_t kHeaderSize = 8;
  if (packet.payload.size() < kHeaderSize) return false;
  const std::size_t size = Load16(&packet.payload[4]);
  if (size < kHeaderSize || size > packet.payload.size()) return false;
  if (checksum_ok) return true;
  // RFC 8200 §8.1: over IPv6 the checksum is not optional.
  if (Load16(&packet.payload[6]) == 0) return packet.destination.is_v4();
  Checksum checksum;
  checksum.AddPseudoHeader(packet.source, packet.destination,
                           static_cast<std::uint8_t>(Protocol::kUdp),
                           static_cast<std::uint32_t>(size));
  checksum.Add(packet.payload.first(size));
  return checksum.Valid();
}

}  // namespace estab::wire
