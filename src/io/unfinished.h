// Packets whose sender has left the checksum to a device that has none to fill in.
#pragma once

#include <cstddef>
#include <span>

namespace estab::io {

/// Whether the TCP checksum of the packet in this Ethernet frame holds just what a kernel leaves
/// there for hardware to finish: the sum of the pseudo-header (as net.h's CHECKSUM_PARTIAL). Of
/// finished ones that is true of one in 65536. Only to be asked of a veth, where nobody finishes
/// them: such a packet has been on no wire.
bool IsUnfinished(std::span<const std::byte> frame);

}  // namespace estab::io
