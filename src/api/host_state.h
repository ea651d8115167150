// What a Host and its streams and listeners share.
#pragma once

#include <utility>

#include "api/c_common.h"
#include "api/sockets.h"
#include "estab/host.h"

namespace estab {

/// The sockets, in the shape in which the C functions take them.
struct HostState {
  explicit HostState(std::unique_ptr<api::Sockets> sockets) : stack{std::move(sockets)} {}
  api::Sockets& sockets() { return *stack.sockets; }
  estab_stack stack;
};

namespace api {

/// Calls `use(Sockets&)` if the host is still there; kBadHandle otherwise.
template <class Use>
auto WithHost(const std::weak_ptr<HostState>& host, Use&& use)
    -> decltype(use(std::declval<Sockets&>())) {
  const std::shared_ptr<HostState> state = host.lock();
  if (state == nullptr) return std::unexpected(Error::kBadHandle);
  return use(state->sockets());
}

/// Calls `use(OpenFile&, Stack&, Time)` on a handle if the host is still there.
template <class Use>
auto WithFile(const std::weak_ptr<HostState>& host, int handle, Use&& use)
    -> decltype(use(std::declval<OpenFile&>(), std::declval<Stack&>(), Time{})) {
  return WithHost(host, [&](Sockets& sockets) { return sockets.With(handle, use); });
}

}  // namespace api
}  // namespace estab
