#include "io/device_watch.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "io/interface.h"

namespace estab::io {

OsResult<DeviceWatch> DeviceWatch::Open(int index) {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE));
  sockaddr_nl groups{};
  groups.nl_family = AF_NETLINK;
  groups.nl_groups = RTMGRP_LINK;
  if (fd.valid() &&
      bind(fd.get(), reinterpret_cast<const sockaddr*>(&groups), sizeof(groups)) == 0) {
    return DeviceWatch(std::move(fd), index);
  }
  const int os_errno = errno;
  return std::unexpected(
      OsError{FromErrno(os_errno), os_errno,
              std::string("cannot watch for changes of devices: ") + std::strerror(os_errno)});
}

// What the news says does not matter: it is time to look.
bool DeviceWatch::Gone() {
  std::array<std::byte, 64> start;
  bool news = false;
  while (recv(fd_.get(), start.data(), start.size(), 0) >= 0 || errno == ENOBUFS) news = true;
  return news && !IsThere(index_);
}

}  // namespace estab::io
