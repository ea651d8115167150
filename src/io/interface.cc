#include "io/interface.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "io/fd.h"

namespace estab::io {
namespace {

Fd ControlSocket() { return Fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }

ifreq RequestFor(std::string_view name) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

std::unexpected<OsError> Refused(int os_errno, std::string message) {
  return std::unexpected(OsError{FromErrno(os_errno), os_errno, std::move(message)});
}

std::unexpected<OsError> CannotAsk(int os_errno, const std::string& name) {
  if (os_errno == ENODEV) {
    return Refused(os_errno,
                   "there is no network device " + name + " here; ip link lists those there are");
  }
  return Refused(os_errno, "cannot ask about the device " + name + ": " + std::strerror(os_errno));
}

std::string DriverOf(const Fd& control, std::string_view name) {
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  ifreq request = RequestFor(name);
  request.ifr_data = reinterpret_cast<char*>(&info);
  if (ioctl(control.get(), SIOCETHTOOL, &request) != 0) return {};
  return {info.driver, strnlen(info.driver, sizeof(info.driver))};
}

}  // namespace

OsResult<void> CheckDeviceName(std::string_view name) {
  if (!name.empty() && name.size() < IFNAMSIZ && name.find_first_of("/ %") == name.npos) return {};
  return Refused(EINVAL, "'" + std::string(name) +
                             "' is not a device name; use 1 to 15 characters without blanks, "
                             "slashes and percent signs");
}

OsResult<std::uint32_t> MtuOf(const std::string& name) {
  const Fd control = ControlSocket();
  ifreq request = RequestFor(name);
  if (!control.valid() || ioctl(control.get(), SIOCGIFMTU, &request) != 0) {
    return CannotAsk(errno, name);
  }
  return static_cast<std::uint32_t>(request.ifr_mtu);
}

OsResult<Interface> FindEthernet(std::string_view name) {
  if (auto good = CheckDeviceName(name); !good) return std::unexpected(good.error());
  Interface found;
  found.name = name;
  const Fd control = ControlSocket();
  ifreq request = RequestFor(name);
  if (!control.valid() || ioctl(control.get(), SIOCGIFINDEX, &request) != 0) {
    return CannotAsk(errno, found.name);
  }
  found.index = request.ifr_ifindex;
  if (ioctl(control.get(), SIOCGIFHWADDR, &request) != 0) return CannotAsk(errno, found.name);
  if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER) {
    return Refused(EINVAL, "the device " + found.name +
                               " is no Ethernet; choose one that is (ip link says link/ether)");
  }
  std::memcpy(found.station.bytes.data(), request.ifr_hwaddr.sa_data, found.station.bytes.size());
  if (ioctl(control.get(), SIOCGIFMTU, &request) != 0) return CannotAsk(errno, found.name);
  found.mtu = static_cast<std::uint32_t>(request.ifr_mtu);
  found.driver = DriverOf(control, name);
  return found;
}

bool IsThere(int index) {
  std::array<char, IFNAMSIZ> name{};
  return if_indextoname(static_cast<unsigned>(index), name.data()) != nullptr;
}

}  // namespace estab::io
