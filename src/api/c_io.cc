// The C interface: bytes in and out.
#include <fcntl.h>
#include <limits.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cstring>

#include "api/c_common.h"

using estab::Error;
using estab::api::Fail;
using estab::api::Run;
using estab::api::Sockets;
using estab::api::ToCount;

namespace {

estab::SendFlags FlagsOf(int flags) {
  return {.more = (flags & MSG_MORE) != 0, .urgent = (flags & MSG_OOB) != 0};
}

// MSG_DONTROUTE: the route of a connection is no matter of a single call; TCP of Linux takes it
// too.
constexpr int kSendFlags = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE | MSG_OOB | MSG_DONTROUTE;
constexpr int kReceiveFlags = MSG_DONTWAIT | MSG_PEEK | MSG_WAITALL | MSG_TRUNC | MSG_OOB |
                              MSG_NOSIGNAL | MSG_CMSG_CLOEXEC | MSG_ERRQUEUE;
constexpr std::size_t kMaxPieces = 1024;  // UIO_MAXIOV

// 0, or why the pieces cannot be used. `blank` allows NULL where bytes are only counted.
int CheckPieces(const iovec* pieces, std::size_t count, bool blank = false) {
  if (pieces == nullptr && count > 0) return EFAULT;
  std::size_t total = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (pieces[i].iov_base == nullptr && pieces[i].iov_len > 0 && !blank) return EFAULT;
    if (pieces[i].iov_len > SSIZE_MAX - total) return EINVAL;
    total += pieces[i].iov_len;
  }
  return 0;
}

ssize_t Send(estab_stack* stack, int s, const iovec* pieces, std::size_t count, int flags) {
  return Run(stack, [&](Sockets& sockets) -> ssize_t {
    if (const int error = CheckPieces(pieces, count)) return Fail(error);
    if ((flags & ~(kSendFlags | MSG_ZEROCOPY)) != 0) return Fail(EOPNOTSUPP);
    const bool dont_wait = (flags & MSG_DONTWAIT) != 0;
    const auto sent =
        (flags & MSG_ZEROCOPY) != 0
            ? sockets.SendReference(s, {pieces, count}, dont_wait, FlagsOf(flags), nullptr)
            : sockets.Send(s, {pieces, count}, dont_wait, FlagsOf(flags));
    // As Linux: for a sender, a socket that was never connected is a broken pipe.
    if (!sent && sent.error() == Error::kNotConnected) return Fail(EPIPE);
    return ToCount(sent);
  });
}

// MSG_FASTOPEN: connect and send in one.
ssize_t SendOnSyn(estab_stack* stack, int s, const iovec* pieces, std::size_t count, int flags,
                  const sockaddr* to, socklen_t length) {
  return Run(stack, [&](Sockets& sockets) -> ssize_t {
    if (const int error = CheckPieces(pieces, count)) return Fail(error);
    if ((flags & ~(kSendFlags | MSG_FASTOPEN)) != 0) return Fail(EOPNOTSUPP);
    const auto ipv6 = sockets.IsIpv6(s);
    if (!ipv6) return Fail(ipv6.error());
    if (to == nullptr || length < sizeof(sa_family_t)) return Fail(EINVAL);
    if (to->sa_family == AF_UNSPEC) return Fail(EOPNOTSUPP);
    estab::Endpoint remote;
    if (const int error = estab::api::ReadAddress(to, length, *ipv6, &remote)) return Fail(error);
    return ToCount(
        sockets.SendOnSyn(s, remote, {pieces, count}, (flags & MSG_DONTWAIT) != 0, FlagsOf(flags)));
  });
}

ssize_t Receive(estab_stack* stack, int s, const iovec* pieces, std::size_t count, int flags,
                int* queued = nullptr) {
  return Run(stack, [&](Sockets& sockets) -> ssize_t {
    if (const int error = CheckPieces(pieces, count, (flags & MSG_TRUNC) != 0)) return Fail(error);
    if ((flags & ~kReceiveFlags) != 0) return Fail(EOPNOTSUPP);
    return ToCount(sockets.Receive(s, {pieces, count},
                                   {.dont_wait = (flags & MSG_DONTWAIT) != 0,
                                    .peek = (flags & MSG_PEEK) != 0,
                                    .wait_all = (flags & MSG_WAITALL) != 0,
                                    .discard = (flags & MSG_TRUNC) != 0,
                                    .urgent = (flags & MSG_OOB) != 0},
                                   queued));
  });
}

std::size_t TotalSize(const iovec* pieces, std::size_t count) {
  std::size_t total = 0;
  for (std::size_t i = 0; i < count; ++i) total += pieces[i].iov_len;
  return total;
}

// read and write know nothing of sockets: what is none, an epoll, is EINVAL to them.
ssize_t AsFile(ssize_t n) { return n < 0 && errno == ENOTSOCK ? Fail(EINVAL) : n; }

// Whether `s` is open; if it is none, errno says so.
bool IsOpen(estab_stack* stack, int s) { return estab_fcntl(stack, s, F_GETFD, 0) >= 0; }

// Makes one control message of `value` the whole of `message`'s, as far as there is room.
template <class Value>
void PutControl(int level, int type, const Value& value, msghdr* message) {
  const std::size_t room = message->msg_controllen;
  message->msg_controllen = 0;
  if (message->msg_control == nullptr || room < sizeof(cmsghdr)) {
    message->msg_flags |= MSG_CTRUNC;
    return;
  }
  alignas(cmsghdr) unsigned char bytes[CMSG_SPACE(sizeof(Value))] = {};
  cmsghdr header{};
  header.cmsg_level = level;
  header.cmsg_type = type;
  header.cmsg_len = std::min(room, std::size_t{CMSG_LEN(sizeof(Value))});
  if (header.cmsg_len < CMSG_LEN(sizeof(Value))) message->msg_flags |= MSG_CTRUNC;
  std::memcpy(bytes, &header, sizeof(header));
  std::memcpy(bytes + CMSG_LEN(0), &value, sizeof(value));
  std::memcpy(message->msg_control, bytes, header.cmsg_len);
  message->msg_controllen = std::min(room, sizeof(bytes));
}

// What the error queue tells, as Linux's ip_recv_error and ipv6_recv_error lay it out: behind the
// error there is room for the address of whoever caused it, which nobody did.
template <class Address>
struct QueuedError {
  sock_extended_err error;
  Address offender;
};

// MSG_ERRQUEUE: the oldest notice of MSG_ZEROCOPY. Never waits.
ssize_t ReceiveNotice(estab_stack* stack, int s, msghdr* message) {
  return Run(stack, [&](Sockets& sockets) -> ssize_t {
    const auto notice = sockets.TakeReturned(s);
    if (!notice) return Fail(notice.error());
    if (!*notice) return Fail(EAGAIN);
    sock_extended_err error{};
    error.ee_origin = SO_EE_ORIGIN_ZEROCOPY;
    error.ee_code = (*notice)->copied ? SO_EE_CODE_ZEROCOPY_COPIED : 0;
    error.ee_info = (*notice)->first;
    error.ee_data = (*notice)->last;
    message->msg_flags |= MSG_ERRQUEUE;
    const auto ipv6 = sockets.IsIpv6(s);
    if (ipv6.value_or(false)) {
      PutControl(SOL_IPV6, IPV6_RECVERR, QueuedError<sockaddr_in6>{error, {}}, message);
    } else {
      PutControl(SOL_IP, IP_RECVERR, QueuedError<sockaddr_in>{error, {}}, message);
    }
    return 0;
  });
}

}  // namespace

ssize_t estab_send(estab_stack* stack, int s, const void* data, size_t size, int flags) {
  const iovec piece{const_cast<void*>(data), size};
  return Send(stack, s, &piece, 1, flags);
}

ssize_t estab_recv(estab_stack* stack, int s, void* data, size_t size, int flags) {
  const iovec piece{data, size};
  msghdr none{};
  if ((flags & MSG_ERRQUEUE) != 0) return ReceiveNotice(stack, s, &none);
  return Receive(stack, s, &piece, 1, flags);
}

ssize_t estab_sendto(estab_stack* stack, int s, const void* data, size_t size, int flags,
                     const sockaddr* address, socklen_t length) {
  if (address != nullptr && length > sizeof(sockaddr_storage)) return Fail(EINVAL);
  if ((flags & MSG_FASTOPEN) == 0) return estab_send(stack, s, data, size, flags);
  const iovec piece{const_cast<void*>(data), size};
  return SendOnSyn(stack, s, &piece, 1, flags, address, length);
}

ssize_t estab_recvfrom(estab_stack* stack, int s, void* data, size_t size, int flags,
                       sockaddr* address, socklen_t* length) {
  const ssize_t n = estab_recv(stack, s, data, size, flags);
  if (n < 0 || address == nullptr) return n;
  if (length == nullptr) return Fail(EFAULT);
  if (static_cast<int>(*length) < 0) return Fail(EINVAL);
  *length = 0;
  return n;
}

ssize_t estab_sendmsg(estab_stack* stack, int s, const msghdr* message, int flags) {
  if (message == nullptr) return Fail(EFAULT);
  if (static_cast<int>(message->msg_namelen) < 0) return Fail(EINVAL);
  if (message->msg_iovlen > kMaxPieces) return Fail(EMSGSIZE);
  if (message->msg_controllen > 0) return Fail(EOPNOTSUPP);
  if ((flags & MSG_FASTOPEN) != 0) {
    return SendOnSyn(stack, s, message->msg_iov, message->msg_iovlen, flags,
                     static_cast<const sockaddr*>(message->msg_name), message->msg_namelen);
  }
  return Send(stack, s, message->msg_iov, message->msg_iovlen, flags);
}

ssize_t estab_recvmsg(estab_stack* stack, int s, msghdr* message, int flags) {
  if (message == nullptr) return Fail(EFAULT);
  if (static_cast<int>(message->msg_namelen) < 0) return Fail(EINVAL);
  if (message->msg_iovlen > kMaxPieces) return Fail(EMSGSIZE);
  if ((flags & MSG_ERRQUEUE) != 0) {
    message->msg_flags = flags & MSG_CMSG_CLOEXEC;
    const ssize_t told = ReceiveNotice(stack, s, message);
    if (told >= 0 && message->msg_name != nullptr) message->msg_namelen = 0;
    return told;
  }
  int queued = -1;
  const ssize_t n = Receive(stack, s, message->msg_iov, message->msg_iovlen, flags, &queued);
  if (n < 0) return n;
  if (message->msg_name != nullptr) message->msg_namelen = 0;
  message->msg_flags = flags & MSG_CMSG_CLOEXEC;
  if ((flags & MSG_OOB) != 0) {
    message->msg_flags |= MSG_OOB;
    if (TotalSize(message->msg_iov, message->msg_iovlen) == 0) message->msg_flags |= MSG_TRUNC;
  }
  if (queued >= 0) {
    PutControl(SOL_TCP, TCP_CM_INQ, queued, message);
  } else {
    message->msg_controllen = 0;
  }
  return n;
}

ssize_t estab_read(estab_stack* stack, int s, void* data, size_t size) {
  const iovec piece{data, size};
  return estab_readv(stack, s, &piece, 1);
}

ssize_t estab_write(estab_stack* stack, int s, const void* data, size_t size) {
  return AsFile(estab_send(stack, s, data, size, 0));
}

ssize_t estab_readv(estab_stack* stack, int s, const iovec* pieces, int count) {
  if (!IsOpen(stack, s)) return -1;
  if (count < 0 || static_cast<std::size_t>(count) > kMaxPieces) return Fail(EINVAL);
  const auto n = static_cast<std::size_t>(count);
  // As Linux: no bytes are no question; recv would ask whether there could be some.
  if ((pieces != nullptr || n == 0) && TotalSize(pieces, n) == 0) return 0;
  return AsFile(Receive(stack, s, pieces, n, 0));
}

ssize_t estab_writev(estab_stack* stack, int s, const iovec* pieces, int count) {
  if (!IsOpen(stack, s)) return -1;
  if (count < 0 || static_cast<std::size_t>(count) > kMaxPieces) return Fail(EINVAL);
  const auto n = static_cast<std::size_t>(count);
  if ((pieces != nullptr || n == 0) && TotalSize(pieces, n) == 0) return 0;
  return AsFile(Send(stack, s, pieces, n, 0));
}
