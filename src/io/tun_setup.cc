// The kernel's side of a TUN device: MTU, addresses, up.
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>

#include "io/tun.h"

namespace estab::io {
namespace {

// The kernel's struct in6_ifreq; its header cannot be had beside <netinet/in.h>.
struct Ipv6AddressRequest {
  in6_addr address;
  std::uint32_t prefix_length;
  int interface_index;
};

std::unexpected<OsError> Failed(const char* what, const std::string& name) {
  const int os_errno = errno;
  std::string message = std::string("cannot ") + what + " of " + name + ": ";
  if (os_errno == EPERM || os_errno == EACCES) {
    message += "no permission; run as root or in a network namespace of your own (unshare -Urn)";
  } else {
    message += std::strerror(os_errno);
  }
  return std::unexpected(OsError{FromErrno(os_errno), os_errno, std::move(message)});
}

Fd ControlSocket(int family) { return Fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }

ifreq RequestFor(const std::string& name) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

void SetIpv4(sockaddr& out, std::uint32_t host_order) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(host_order);
  std::memcpy(&out, &in, sizeof(in));
}

}  // namespace

OsResult<void> Tun::AddAddress(const Prefix& prefix) {
  ifreq request = RequestFor(name_);
  if (prefix.address.is_v4()) {
    const Fd control = ControlSocket(AF_INET);
    if (!control.valid()) return Failed("set the address", name_);
    SetIpv4(request.ifr_addr, prefix.address.v4());
    if (ioctl(control.get(), SIOCSIFADDR, &request) != 0) return Failed("set the address", name_);
    const std::uint32_t mask = prefix.length == 0 ? 0 : 0xffffffffu << (32 - prefix.length);
    SetIpv4(request.ifr_netmask, mask);
    if (ioctl(control.get(), SIOCSIFNETMASK, &request) != 0) return Failed("set the mask", name_);
    return {};
  }
  const Fd control = ControlSocket(AF_INET6);
  if (!control.valid() || ioctl(control.get(), SIOCGIFINDEX, &request) != 0) {
    return Failed("set the IPv6 address", name_);
  }
  Ipv6AddressRequest address{};
  std::memcpy(&address.address, prefix.address.bytes.data(), 16);
  address.prefix_length = prefix.length;
  address.interface_index = request.ifr_ifindex;
  if (ioctl(control.get(), SIOCSIFADDR, &address) != 0 && errno != EEXIST) {
    return Failed("set the IPv6 address", name_);
  }
  return {};
}

OsResult<void> Tun::BringUp(const Setup& setup) {
  const Fd control = ControlSocket(AF_INET);
  if (!control.valid()) return Failed("change the flags", name_);
  ifreq request = RequestFor(name_);
  if (setup.mtu) {
    request.ifr_mtu = static_cast<int>(*setup.mtu);
    if (ioctl(control.get(), SIOCSIFMTU, &request) != 0) return Failed("set the MTU", name_);
  }
  for (const Prefix& prefix : setup.kernel_addresses) {
    if (auto added = AddAddress(prefix); !added) return added;
  }
  request = RequestFor(name_);
  if (ioctl(control.get(), SIOCGIFFLAGS, &request) != 0) return Failed("read the flags", name_);
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP | IFF_RUNNING);
  if (ioctl(control.get(), SIOCSIFFLAGS, &request) != 0) return Failed("set the flags", name_);
  return {};
}

}  // namespace estab::io
