// UDP (RFC 768), as far as a host without UDP sockets needs it: to refuse it properly.
#pragma once

#include "wire/ip.h"

namespace estab::wire {

/// True if the payload of `packet` is a UDP datagram of a sensible length whose checksum is right
/// (IPv4: or absent), or known to be.
bool UdpValid(const IpPacket& packet, bool checksum_ok = false);

}  // namespace estab::wire
