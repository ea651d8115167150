// The program in the kernel that hands a device's frames to AF_XDP sockets.
#pragma once

#include <cstdint>

#include "io/fd.h"
#include "io/interface.h"
#include "io/os_error.h"
#include "io/xdp_library.h"

namespace estab::io {

/// Attached for as long as this object, or the process, lives: nothing is left however that ends.
/// What comes by a queue without a socket goes to the kernel, as without the program. Movable.
class XdpProgram {
 public:
  /// In the device's driver (`native`), or in the kernel's general path, which every device has.
  /// kPermission; kBusy: the device has a program already; kInvalid and others: the driver cannot.
  static OsResult<XdpProgram> Attach(const XdpLibrary& library, const Interface& device,
                                     bool native);
  /// From now on the frames of `queue` go to that socket.
  OsResult<void> Redirect(std::uint32_t queue, int socket);

 private:
  explicit XdpProgram(const XdpLibrary& library) : library_(&library) {}

  const XdpLibrary* library_;
  Fd sockets_;  // the map of sockets by queue
  Fd program_;
  Fd link_;  // closed first, and thereby detached
};

}  // namespace estab::io
