// The C interface: waiting for several sockets.
#include <sys/epoll.h>

#include <vector>

#include "api/c_common.h"

using estab::api::Fail;
using estab::api::Run;
using estab::api::Sockets;

namespace {

std::uint8_t Wanted(short events) {
  int wanted = 0;
  if ((events & (POLLIN | POLLRDNORM)) != 0) wanted |= estab::kReadable;
  if ((events & (POLLOUT | POLLWRNORM)) != 0) wanted |= estab::kWritable;
  if ((events & POLLRDHUP) != 0) wanted |= estab::kReadClosed;
  if ((events & POLLPRI) != 0) wanted |= estab::kUrgent;
  return static_cast<std::uint8_t>(wanted);
}

int Bits(const Sockets::PollItem& item) {
  return item.bad ? POLLNVAL : static_cast<int>(estab::api::PollBitsOf(item.readiness));
}

// The timeout of poll and epoll_wait.
estab::Duration TimeoutOf(int timeout_ms) {
  return timeout_ms < 0 ? estab::api::kNoTimeout : std::chrono::milliseconds(timeout_ms);
}

}  // namespace

int estab_poll(estab_stack* stack, pollfd* fds, nfds_t count, int timeout_ms) {
  return Run(stack, [&](Sockets& sockets) {
    if (count > static_cast<nfds_t>(estab::api::FileTable::kMaxHandles)) return Fail(EINVAL);
    if (fds == nullptr && count > 0) return Fail(EFAULT);
    std::vector<Sockets::PollItem> items(count);
    for (nfds_t i = 0; i < count; ++i) {
      items[i].handle = fds[i].fd;
      items[i].wanted = Wanted(fds[i].events);
    }
    const auto result = sockets.Poll(items, TimeoutOf(timeout_ms));
    if (!result) return Fail(result.error());
    int ready = 0;
    for (nfds_t i = 0; i < count; ++i) {
      const int always = POLLERR | POLLHUP | POLLNVAL;
      const int bits = items[i].handle < 0 ? 0 : Bits(items[i]) & (fds[i].events | always);
      fds[i].revents = static_cast<short>(bits);
      if (bits != 0) ++ready;
    }
    return ready;
  });
}

int estab_epoll_create1(estab_stack* stack, int flags) {
  return Run(stack, [&](Sockets& sockets) {
    if ((flags & ~EPOLL_CLOEXEC) != 0) return Fail(EINVAL);
    const auto handle = sockets.OpenEpoll((flags & EPOLL_CLOEXEC) != 0);
    if (handle) return *handle;
    return handle.error() == estab::Error::kNoBuffers ? Fail(EMFILE) : Fail(handle.error());
  });
}

int estab_epoll_ctl(estab_stack* stack, int epoll, int operation, int s, epoll_event* event) {
  return Run(stack, [&](Sockets& sockets) {
    if (operation != EPOLL_CTL_DEL && event == nullptr) return Fail(EFAULT);
    const int error = sockets.ControlEpoll(epoll, operation, s, event);
    return error == 0 ? 0 : Fail(error);
  });
}

int estab_epoll_wait(estab_stack* stack, int epoll, epoll_event* events, int count,
                     int timeout_ms) {
  return Run(stack, [&](Sockets& sockets) {
    constexpr int kMost = INT32_MAX / static_cast<int>(sizeof(epoll_event));
    if (count <= 0 || count > kMost) return Fail(EINVAL);
    if (events == nullptr) return Fail(EFAULT);
    const auto n =
        sockets.WaitEpoll(epoll, {events, static_cast<std::size_t>(count)}, TimeoutOf(timeout_ms));
    return n ? static_cast<int>(*n) : Fail(n.error());
  });
}
