#include "io/packet_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <cstring>
#include <string>

namespace estab::io {
namespace {

OsError Failure(const std::string& message) {
  const int os_errno = errno;
  return {FromErrno(os_errno), os_errno, message + ": " + std::strerror(os_errno)};
}

}  // namespace

OsResult<Fd> OpenPacketSocket() {
  Fd fd(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.valid()) return fd;
  if (errno != EPERM && errno != EACCES) {
    return std::unexpected(Failure("cannot open a packet socket"));
  }
  return std::unexpected(
      OsError{Error::kPermission, errno,
              "no permission to open a packet socket; run as root (CAP_NET_RAW) or in a network "
              "namespace of your own (unshare -Urn)"});
}

OsResult<void> BindPacketSocket(const Fd& socket, const Interface& device, std::uint16_t type) {
  sockaddr_ll at{};
  at.sll_family = AF_PACKET;
  at.sll_protocol = htons(type);
  at.sll_ifindex = device.index;
  packet_mreq groups{};
  groups.mr_ifindex = device.index;
  groups.mr_type = PACKET_MR_ALLMULTI;
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&at), sizeof(at)) == 0 &&
      setsockopt(socket.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &groups, sizeof(groups)) == 0) {
    return {};
  }
  return std::unexpected(Failure("cannot take the frames of " + device.name));
}

void TakeFailure(int socket) {
  int os_errno = 0;
  socklen_t size = sizeof(os_errno);
  (void)getsockopt(socket, SOL_SOCKET, SO_ERROR, &os_errno, &size);
}

}  // namespace estab::io
