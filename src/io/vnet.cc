#include "io/vnet.h"

namespace estab::io {
namespace {

constexpr std::uint8_t kNeedsChecksum = 1;
constexpr std::uint8_t kChecksumValid = 2;
constexpr std::uint8_t kTcpV4 = 1;
constexpr std::uint8_t kTcpV6 = 4;
constexpr std::uint8_t kEcn = 0x80;  // besides; CWR is the first segment's alone

}  // namespace

VnetHeader VnetHeaderOf(const TxPacket& packet, std::size_t offset) {
  VnetHeader header;
  if (packet.checksum_start == 0) return header;
  header.flags = kNeedsChecksum;
  header.checksum_start = static_cast<std::uint16_t>(offset + packet.checksum_start);
  header.checksum_offset = packet.checksum_offset;
  if (packet.gso_size == 0) return header;
  const bool v4 = std::to_integer<unsigned>(packet.header[0]) >> 4 == 4;
  header.gso_type = v4 ? kTcpV4 : kTcpV6;
  header.gso_size = packet.gso_size;
  header.header_size = static_cast<std::uint16_t>(offset + packet.header.size());
  return header;
}

void TakeVnetHeader(const VnetHeader& header, RxPacket& packet) {
  packet.checksum_ok = (header.flags & (kNeedsChecksum | kChecksumValid)) != 0;
  const unsigned kind = header.gso_type & ~unsigned{kEcn};
  if (kind == kTcpV4 || kind == kTcpV6) packet.gso_size = header.gso_size;
}

}  // namespace estab::io
