// The C interface: a socket's life.
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include "api/c_common.h"

using estab::ConnectionInfo;
using estab::Endpoint;
using estab::Error;
using estab::Result;
using estab::State;
using estab::Time;
using estab::api::Fail;
using estab::api::OpenFile;
using estab::api::Run;
using estab::api::Sockets;
using estab::api::ToInt;

namespace {

constexpr int kTypeFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;
constexpr int kLastType = SOCK_PACKET;

Sockets::Flags FlagsOf(int bits) {
  return {.nonblocking = (bits & SOCK_NONBLOCK) != 0, .close_on_exec = (bits & SOCK_CLOEXEC) != 0};
}

bool Exists(Sockets& sockets, int s) {
  return sockets.WithAny(s, [](OpenFile&) -> Result<bool> { return true; }).has_value();
}

// A new handle, or -1; where a handle could be short, that is EMFILE.
int ToHandle(const Result<int>& handle) {
  if (handle) return *handle;
  return handle.error() == Error::kNoBuffers ? Fail(EMFILE) : Fail(handle.error());
}

// 0, or the errno of what accept cannot take.
int CheckAccept(const sockaddr* address, const socklen_t* length, int flags) {
  if ((flags & ~kTypeFlags) != 0) return EINVAL;
  if (address == nullptr) return 0;
  if (length == nullptr) return EFAULT;
  return static_cast<int>(*length) < 0 ? EINVAL : 0;
}

}  // namespace

int estab_socket(estab_stack* stack, int domain, int type, int protocol) {
  return Run(stack, [&](Sockets& sockets) {
    const int kind = type & ~kTypeFlags;
    if (kind < 0 || kind > kLastType) return Fail(EINVAL);
    if (domain != AF_INET && domain != AF_INET6) return Fail(EAFNOSUPPORT);
    if (kind != SOCK_STREAM) return Fail(ESOCKTNOSUPPORT);
    if (protocol < 0 || protocol > IPPROTO_MPTCP) return Fail(EINVAL);
    if (protocol != 0 && protocol != IPPROTO_TCP) return Fail(EPROTONOSUPPORT);
    return ToHandle(sockets.Open(domain == AF_INET6, FlagsOf(type)));
  });
}

int estab_bind(estab_stack* stack, int s, const sockaddr* address, socklen_t length) {
  return Run(stack, [&](Sockets& sockets) {
    const Result<bool> ipv6 = sockets.IsIpv6(s);
    if (!ipv6) return Fail(ipv6.error());
    Endpoint local;
    const int error = estab::api::ReadAddress(address, length, *ipv6, &local);
    if (error != 0) return Fail(error);
    return ToInt(sockets.Bind(s, local));
  });
}

int estab_listen(estab_stack* stack, int s, int backlog) {
  return Run(stack, [&](Sockets& sockets) { return ToInt(sockets.Listen(s, backlog)); });
}

int estab_accept4(estab_stack* stack, int s, sockaddr* address, socklen_t* length, int flags) {
  return Run(stack, [&](Sockets& sockets) {
    if (const int error = CheckAccept(address, length, flags)) {
      return Exists(sockets, s) ? Fail(error) : Fail(EBADF);
    }
    const int accepted = ToHandle(sockets.Accept(s, FlagsOf(flags)));
    if (accepted < 0 || address == nullptr) return accepted;
    // Like Linux's accept, this knows the peer even if the connection has ended since.
    bool ipv6 = false;
    const auto tuple = sockets.With(accepted, [&](OpenFile& file, estab::Stack& engine, Time) {
      ipv6 = file.ipv6;
      return engine.GetTuple(file.socket);
    });
    if (tuple) estab::api::WriteAddress(tuple->remote, ipv6, address, length);
    return accepted;
  });
}

int estab_connect(estab_stack* stack, int s, const sockaddr* address, socklen_t length) {
  return Run(stack, [&](Sockets& sockets) {
    const Result<bool> ipv6 = sockets.IsIpv6(s);
    if (!ipv6) return Fail(ipv6.error());
    if (length < sizeof(sa_family_t) || length > sizeof(sockaddr_storage)) return Fail(EINVAL);
    if (address == nullptr) return Fail(EFAULT);
    if (address->sa_family == AF_UNSPEC) return ToInt(sockets.Disconnect(s));
    Endpoint remote;
    const int error = estab::api::ReadAddress(address, length, *ipv6, &remote);
    if (error != 0) return Fail(error);
    return ToInt(sockets.Connect(s, remote));
  });
}

int estab_shutdown(estab_stack* stack, int s, int how) {
  return Run(stack, [&](Sockets& sockets) {
    switch (how) {
      case SHUT_RD:
        return ToInt(sockets.Shutdown(s, estab::How::kRead));
      case SHUT_WR:
        return ToInt(sockets.Shutdown(s, estab::How::kWrite));
      case SHUT_RDWR:
        return ToInt(sockets.Shutdown(s, estab::How::kBoth));
      default:
        return Exists(sockets, s) ? Fail(EINVAL) : Fail(EBADF);
    }
  });
}

int estab_close(estab_stack* stack, int s) {
  return Run(stack, [&](Sockets& sockets) { return ToInt(sockets.Close(s)); });
}

namespace {

int GetFlags(Sockets& sockets, int s) {
  const Result<bool> nonblocking =
      sockets.WithAny(s, [](OpenFile& file) -> Result<bool> { return file.nonblocking; });
  if (!nonblocking) return Fail(nonblocking.error());
  return O_RDWR | (*nonblocking ? O_NONBLOCK : 0);
}

int SetNonblocking(Sockets& sockets, int s, bool on) {
  return ToInt(sockets.WithAny(s, [&](OpenFile& file) -> Result<void> {
    file.nonblocking = on;
    return {};
  }));
}

int Duplicate(Sockets& sockets, int s, long lowest, bool close_on_exec) {
  if (lowest < 0 || lowest >= estab::api::FileTable::kMaxHandles) return Fail(EINVAL);
  return ToHandle(sockets.Duplicate(s, static_cast<int>(lowest), close_on_exec));
}

}  // namespace

int estab_fcntl(estab_stack* stack, int s, int command, long argument) {
  return Run(stack, [&](Sockets& sockets) {
    const auto with_files = [&](auto use) {
      return sockets.WithAny(s, [&](OpenFile&) -> Result<int> { return use(sockets.files()); });
    };
    switch (command) {
      case F_GETFL:
        return GetFlags(sockets, s);
      case F_SETFL:
        if (!Exists(sockets, s)) return Fail(EBADF);
        if ((argument & ~static_cast<long>(O_NONBLOCK | O_ACCMODE)) != 0) return Fail(EINVAL);
        return SetNonblocking(sockets, s, (argument & O_NONBLOCK) != 0);
      case F_GETFD: {
        const auto flags =
            with_files([&](auto& files) { return files.close_on_exec(s) ? FD_CLOEXEC : 0; });
        return flags ? *flags : Fail(flags.error());
      }
      case F_SETFD: {
        const auto done = with_files([&](auto& files) {
          files.set_close_on_exec(s, (argument & FD_CLOEXEC) != 0);
          return 0;
        });
        return done ? 0 : Fail(done.error());
      }
      case F_DUPFD:
        return Duplicate(sockets, s, argument, false);
      case F_DUPFD_CLOEXEC:
        return Duplicate(sockets, s, argument, true);
      default:
        return Exists(sockets, s) ? Fail(EINVAL) : Fail(EBADF);
    }
  });
}

namespace {

// One of the three counts of bytes; like Linux not for a listener, and 0 while connecting.
int CountBytes(Sockets& sockets, int s, std::uint32_t ConnectionInfo::* count, int* out) {
  if (out == nullptr) return Fail(EFAULT);
  const auto info = sockets.With(s, [](OpenFile& file, estab::Stack& engine, Time now) {
    return engine.GetInfo(now, file.socket);
  });
  if (!info) return Fail(info.error());
  if (info->state == State::kListen) return Fail(EINVAL);
  const bool opening = info->state == State::kSynSent || info->state == State::kSynRcvd;
  *out = opening ? 0 : static_cast<int>((*info).*count);
  return 0;
}

int AtMark(Sockets& sockets, int s, int* out) {
  if (out == nullptr) return Fail(EFAULT);
  const auto info = sockets.With(s, [](OpenFile& file, estab::Stack& engine, Time now) {
    return engine.GetInfo(now, file.socket);
  });
  if (!info) return Fail(info.error());
  *out = info->at_mark ? 1 : 0;
  return 0;
}

}  // namespace

int estab_ioctl(estab_stack* stack, int s, unsigned long request, void* argument) {
  return Run(stack, [&](Sockets& sockets) {
    int* value = static_cast<int*>(argument);
    switch (request) {
      case FIONREAD:
        return CountBytes(sockets, s, &ConnectionInfo::readable, value);
      case SIOCOUTQ:
        return CountBytes(sockets, s, &ConnectionInfo::send_queue, value);
      case SIOCOUTQNSD:
        return CountBytes(sockets, s, &ConnectionInfo::unsent, value);
      case SIOCATMARK:
        return AtMark(sockets, s, value);
      case FIONBIO:
        if (value == nullptr) return Fail(EFAULT);
        return SetNonblocking(sockets, s, *value != 0);
      default:
        return Exists(sockets, s) ? Fail(ENOTTY) : Fail(EBADF);
    }
  });
}
