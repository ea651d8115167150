// The C interface: waiting for several sockets.
#include <vector>

#include "api/c_common.h"

using estab::api::Fail;
using estab::api::Run;
using estab::api::Sockets;

namespace {

constexpr short kIn = POLLIN | POLLRDNORM;
constexpr short kOut = POLLOUT | POLLWRNORM;
#ifndef POLLRDHUP
#define POLLRDHUP 0x2000
#endif

std::uint8_t Wanted(short events) {
  int wanted = 0;
  if ((events & kIn) != 0) wanted |= estab::kReadable;
  if ((events & kOut) != 0) wanted |= estab::kWritable;
  if ((events & POLLRDHUP) != 0) wanted |= estab::kReadClosed;
  return static_cast<std::uint8_t>(wanted);
}

short Bits(const Sockets::PollItem& item) {
  if (item.bad) return POLLNVAL;
  int bits = 0;
  if ((item.readiness & estab::kReadable) != 0) bits |= kIn;
  if ((item.readiness & estab::kWritable) != 0) bits |= kOut;
  if ((item.readiness & estab::kReadClosed) != 0) bits |= POLLRDHUP;
  if ((item.readiness & estab::kHangup) != 0) bits |= POLLHUP;
  if ((item.readiness & estab::kErrorPending) != 0) bits |= POLLERR;
  return static_cast<short>(bits);
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
    const estab::Duration timeout =
        timeout_ms < 0 ? estab::api::kNoTimeout : std::chrono::milliseconds(timeout_ms);
    const auto result = sockets.Poll(items, timeout);
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

int estab_epoll_create1(estab_stack* stack, int) {
  return Fail(stack == nullptr ? EFAULT : ENOSYS);
}

int estab_epoll_ctl(estab_stack* stack, int, int, int, epoll_event*) {
  return Fail(stack == nullptr ? EFAULT : ENOSYS);
}

int estab_epoll_wait(estab_stack* stack, int, epoll_event*, int, int) {
  return Fail(stack == nullptr ? EFAULT : ENOSYS);
}
