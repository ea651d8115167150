// The header with which the kernel takes and gives packets that are not finished: without checksum,
// or of many segments (virtio_net_hdr of the virtio specification §5.1.6; TUN, TAP and AF_PACKET).
#pragma once

#include <cstddef>
#include <cstdint>

#include "estab/packet.h"

namespace estab::io {

/// As it lies before the packet, in the byte order of the machine. (The kernel's own header file is
/// no C++.)
struct VnetHeader {
  std::uint8_t flags = 0;
  std::uint8_t gso_type = 0;
  std::uint16_t header_size = 0;
  std::uint16_t gso_size = 0;
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;
};
static_assert(sizeof(VnetHeader) == 10);

/// The longest IP packet, and so the longest super-segment.
constexpr std::size_t kLongestPacket = 65535;

/// What is to go before `packet`, which lies `offset` bytes into its frame.
VnetHeader VnetHeaderOf(const TxPacket& packet, std::size_t offset = 0);

/// Notes in `packet` what `header` says of it. A packet that this machine has made has no checksum
/// and needs none: it was on no wire.
void TakeVnetHeader(const VnetHeader& header, RxPacket& packet);

}  // namespace estab::io
