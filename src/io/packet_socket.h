// What every packet socket needs, whether or not packets come by it.
#pragma once

#include <cstdint>

#include "io/fd.h"
#include "io/interface.h"
#include "io/os_error.h"

namespace estab::io {

/// One of raw frames, bound to nothing yet. kPermission (CAP_NET_RAW).
OsResult<Fd> OpenPacketSocket();
/// Binds it to a device and to frames of one type (ETH_P_ALL: all), and has the device take all
/// multicast as long as the socket is open: questions about our IPv6 addresses go to groups that it
/// has not been told of.
OsResult<void> BindPacketSocket(const Fd& socket, const Interface& device, std::uint16_t type);
/// Takes the failure that the socket is to tell, if there is one.
void TakeFailure(int socket);

}  // namespace estab::io
