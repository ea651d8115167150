// The C interface: stacks, settings, time, links, why.
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string_view>

#include "api/c_common.h"

using estab::Error;
using estab::Result;
using estab::Time;
using estab::api::Driver;
using estab::api::Fail;
using estab::api::Run;
using estab::api::Sockets;
using estab::api::ToCount;
using estab::api::ToInt;
using estab::io::LinkKind;

namespace estab::api {

ssize_t CopyText(std::string_view text, char* buf, std::size_t cap) {
  if (cap > 0) {
    const std::size_t n = std::min(text.size(), cap - 1);
    text.copy(buf, n);
    buf[n] = '\0';
  }
  return static_cast<ssize_t>(text.size());
}

}  // namespace estab::api

estab_stack* estab_stack_create(void) {
  try {
    auto sockets = Sockets::Create();
    if (sockets) return new estab_stack{std::move(*sockets)};
    errno = sockets.error() == Error::kNoBuffers ? EMFILE : estab::ToErrno(sockets.error());
  } catch (...) {
    errno = ENOMEM;
  }
  return nullptr;
}

void estab_stack_destroy(estab_stack* stack) { delete stack; }

int estab_sysctl_set(estab_stack* stack, const char* name, const char* value) {
  return Run(stack, [&](Sockets& sockets) {
    if (name == nullptr || value == nullptr) return Fail(EFAULT);
    const Driver::Lock lock = sockets.driver().Enter();
    const Result<void> result = sockets.driver().stack().SetSetting(name, value);
    sockets.driver().Settle();
    return ToInt(result);
  });
}

int estab_sysctl_get(estab_stack* stack, const char* name, char* value, size_t cap) {
  return Run(stack, [&](Sockets& sockets) {
    if (name == nullptr || (value == nullptr && cap > 0)) return Fail(EFAULT);
    std::array<char, estab::kSettingTextSize> text{};
    const Driver::Lock lock = sockets.driver().Enter();
    const auto result = sockets.driver().stack().GetSetting(name, text);
    if (!result) return Fail(result.error());
    if (result->size() >= cap) return Fail(ERANGE);
    estab::api::CopyText(*result, value, cap);
    return 0;
  });
}

int estab_clock_virtual(estab_stack* stack) {
  return Run(stack, [](Sockets& sockets) { return ToInt(sockets.driver().MakeVirtual()); });
}

uint64_t estab_clock_now(estab_stack* stack) {
  if (stack == nullptr) {
    errno = EFAULT;
    return 0;
  }
  Driver& driver = stack->sockets->driver();
  const Driver::Lock lock = driver.Enter();
  return static_cast<uint64_t>(driver.Clock().time_since_epoch().count());
}

int estab_clock_advance(estab_stack* stack, uint64_t ns) {
  return Run(stack, [&](Sockets& sockets) { return ToInt(sockets.driver().Advance(ns)); });
}

int64_t estab_next_deadline(estab_stack* stack) {
  return Run(stack, [](Sockets& sockets) -> int64_t {
    const auto left = sockets.driver().UntilDeadline();
    if (left) return left->count();
    errno = 0;
    return -1;
  });
}

int estab_link_memory(estab_stack* stack, int mtu) {
  return Run(stack, [&](Sockets& sockets) {
    const auto id = sockets.driver().AddMemoryLink(mtu);
    return id ? int{*id} : Fail(id.error());
  });
}

int estab_wire_inject(estab_stack* stack, int link, const void* ip_packet, size_t len) {
  return Run(stack, [&](Sockets& sockets) {
    if (ip_packet == nullptr && len > 0) return Fail(EFAULT);
    return ToInt(sockets.driver().Inject(link, {static_cast<const std::byte*>(ip_packet), len}));
  });
}

namespace {

// `*at`, if wanted, becomes the time at which the packet left.
ssize_t Collect(estab_stack* stack, int link, void* buf, size_t cap, Time* at) {
  return Run(stack, [&](Sockets& sockets) -> ssize_t {
    if (buf == nullptr && cap > 0) return Fail(EFAULT);
    return ToCount(sockets.driver().Collect(link, {static_cast<std::byte*>(buf), cap}, at));
  });
}

}  // namespace

ssize_t estab_wire_collect(estab_stack* stack, int link, void* buf, size_t cap) {
  return Collect(stack, link, buf, cap, nullptr);
}

ssize_t estab_wire_collect_at(estab_stack* stack, int link, void* buf, size_t cap, uint64_t* ns) {
  Time at{};
  const ssize_t size = Collect(stack, link, buf, cap, &at);
  if (size > 0 && ns != nullptr) *ns = static_cast<uint64_t>(at.time_since_epoch().count());
  return size;
}

int estab_pull_output(estab_stack* stack, int on) {
  return Run(stack, [&](Sockets& sockets) {
    sockets.driver().PullOutput(on != 0);
    return 0;
  });
}

namespace {

int AddLink(estab_stack* stack, LinkKind kind, const char* text) {
  return Run(stack, [&](Sockets& sockets) {
    if (text == nullptr) return Fail(EFAULT);
    const auto id = sockets.driver().AddLink(kind, text, nullptr);
    return id ? int{*id} : Fail(id.error());
  });
}

}  // namespace

int estab_link_tun(estab_stack* stack, const char* name) {
  return AddLink(stack, LinkKind::kTun, name);
}

int estab_link_tap(estab_stack* stack, const char* name) {
  return AddLink(stack, LinkKind::kTap, name);
}

int estab_link_packet(estab_stack* stack, const char* device) {
  return AddLink(stack, LinkKind::kPacket, device);
}

int estab_link_xdp(estab_stack* stack, const char* device) {
  return AddLink(stack, LinkKind::kXdp, device);
}

int estab_busy_poll(estab_stack* stack, int on) {
  return Run(stack, [&](Sockets& sockets) {
    return ToInt(sockets.driver().SetBusyPoll(on != 0, nullptr));
  });
}

int estab_poll_io(estab_stack* stack, int timeout_ms) {
  return Run(stack, [&](Sockets& sockets) {
    const std::size_t moved = sockets.driver().PollIo(timeout_ms);
    if (moved == 0 && sockets.driver().LinkGone()) return Fail(EIO);
    return static_cast<int>(std::min<std::size_t>(moved, INT32_MAX));
  });
}

namespace {

// A link id of the C interface; the engine says no to those that do not exist.
bool IsLinkId(int link) { return link >= 0 && link <= UINT16_MAX; }

}  // namespace

int estab_address_add(estab_stack* stack, int link, const char* cidr) {
  return Run(stack, [&](Sockets& sockets) {
    if (cidr == nullptr) return Fail(EFAULT);
    const auto prefix = estab::Prefix::Parse(cidr);
    if (!prefix || !IsLinkId(link)) return Fail(EINVAL);
    return ToInt(sockets.driver().AddAddress(static_cast<estab::LinkId>(link), *prefix));
  });
}

int estab_route_add(estab_stack* stack, int link, const char* cidr, const char* via_or_null) {
  return Run(stack, [&](Sockets& sockets) {
    if (cidr == nullptr) return Fail(EFAULT);
    const auto prefix = estab::Prefix::Parse(cidr);
    if (!prefix || !IsLinkId(link)) return Fail(EINVAL);
    std::optional<estab::IpAddress> via;
    if (via_or_null != nullptr) {
      via = estab::IpAddress::Parse(via_or_null);
      if (!via) return Fail(EINVAL);
    }
    return ToInt(sockets.driver().AddRoute(static_cast<estab::LinkId>(link), *prefix,
                                           via ? &*via : nullptr));
  });
}

ssize_t estab_why(estab_stack* stack, int socket, char* buf, size_t cap) {
  return Run(stack, [&](Sockets& sockets) -> ssize_t {
    if (buf == nullptr && cap > 0) return Fail(EFAULT);
    const auto text = sockets.Why(socket);
    return text ? estab::api::CopyText(*text, buf, cap) : Fail(text.error());
  });
}

ssize_t estab_why_tuple(estab_stack* stack, const sockaddr* local, const sockaddr* remote,
                        socklen_t len, char* buf, size_t cap) {
  return Run(stack, [&](Sockets& sockets) -> ssize_t {
    if (buf == nullptr && cap > 0) return Fail(EFAULT);
    if (local == nullptr || remote == nullptr) return Fail(EFAULT);
    if (len < sizeof(sa_family_t)) return Fail(EINVAL);
    const bool ipv6 = local->sa_family == AF_INET6;
    estab::Tuple tuple;
    int error = estab::api::ReadAddress(local, len, ipv6, &tuple.local);
    if (error == 0) error = estab::api::ReadAddress(remote, len, ipv6, &tuple.remote);
    if (error != 0) return Fail(error);
    return estab::api::CopyText(sockets.Why(tuple), buf, cap);
  });
}
