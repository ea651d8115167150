// The C interface: bytes in and out.
#include <limits.h>

#include "api/c_common.h"

using estab::Error;
using estab::api::Fail;
using estab::api::Run;
using estab::api::Sockets;
using estab::api::ToCount;

namespace {

constexpr int kSendFlags = MSG_DONTWAIT | MSG_NOSIGNAL;
constexpr int kReceiveFlags =
    MSG_DONTWAIT | MSG_PEEK | MSG_WAITALL | MSG_TRUNC | MSG_NOSIGNAL | MSG_CMSG_CLOEXEC;
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
    if ((flags & ~kSendFlags) != 0) return Fail(EOPNOTSUPP);
    const auto sent = sockets.Send(s, {pieces, count}, (flags & MSG_DONTWAIT) != 0);
    // As Linux: for a sender, a socket that was never connected is a broken pipe.
    if (!sent && sent.error() == Error::kNotConnected) return Fail(EPIPE);
    return ToCount(sent);
  });
}

ssize_t Receive(estab_stack* stack, int s, const iovec* pieces, std::size_t count, int flags) {
  return Run(stack, [&](Sockets& sockets) -> ssize_t {
    if (const int error = CheckPieces(pieces, count, (flags & MSG_TRUNC) != 0)) return Fail(error);
    if ((flags & MSG_OOB) != 0) return Fail(EINVAL);
    if ((flags & ~kReceiveFlags) != 0) return Fail(EOPNOTSUPP);
    return ToCount(sockets.Receive(s, {pieces, count},
                                   {.dont_wait = (flags & MSG_DONTWAIT) != 0,
                                    .peek = (flags & MSG_PEEK) != 0,
                                    .wait_all = (flags & MSG_WAITALL) != 0,
                                    .discard = (flags & MSG_TRUNC) != 0}));
  });
}

}  // namespace

ssize_t estab_send(estab_stack* stack, int s, const void* data, size_t size, int flags) {
  const iovec piece{const_cast<void*>(data), size};
  return Send(stack, s, &piece, 1, flags);
}

ssize_t estab_recv(estab_stack* stack, int s, void* data, size_t size, int flags) {
  const iovec piece{data, size};
  return Receive(stack, s, &piece, 1, flags);
}

ssize_t estab_sendto(estab_stack* stack, int s, const void* data, size_t size, int flags,
                     const sockaddr*, socklen_t) {
  return estab_send(stack, s, data, size, flags);
}

ssize_t estab_recvfrom(estab_stack* stack, int s, void* data, size_t size, int flags,
                       sockaddr* address, socklen_t* length) {
  const ssize_t n = estab_recv(stack, s, data, size, flags);
  if (n >= 0 && address != nullptr && length != nullptr) *length = 0;
  return n;
}

ssize_t estab_sendmsg(estab_stack* stack, int s, const msghdr* message, int flags) {
  if (message == nullptr) return Fail(EFAULT);
  if (message->msg_iovlen > kMaxPieces) return Fail(EMSGSIZE);
  if (message->msg_controllen > 0) return Fail(EOPNOTSUPP);
  return Send(stack, s, message->msg_iov, message->msg_iovlen, flags);
}

ssize_t estab_recvmsg(estab_stack* stack, int s, msghdr* message, int flags) {
  if (message == nullptr) return Fail(EFAULT);
  if (message->msg_iovlen > kMaxPieces) return Fail(EMSGSIZE);
  const ssize_t n = Receive(stack, s, message->msg_iov, message->msg_iovlen, flags);
  if (n >= 0) {
    message->msg_namelen = 0;
    message->msg_controllen = 0;
    message->msg_flags = 0;
  }
  return n;
}

ssize_t estab_read(estab_stack* stack, int s, void* data, size_t size) {
  return estab_recv(stack, s, data, size, 0);
}

ssize_t estab_write(estab_stack* stack, int s, const void* data, size_t size) {
  return estab_send(stack, s, data, size, 0);
}

ssize_t estab_readv(estab_stack* stack, int s, const iovec* pieces, int count) {
  if (count < 0 || static_cast<std::size_t>(count) > kMaxPieces) return Fail(EINVAL);
  return Receive(stack, s, pieces, static_cast<std::size_t>(count), 0);
}

ssize_t estab_writev(estab_stack* stack, int s, const iovec* pieces, int count) {
  if (count < 0 || static_cast<std::size_t>(count) > kMaxPieces) return Fail(EINVAL);
  return Send(stack, s, pieces, static_cast<std::size_t>(count), 0);
}
