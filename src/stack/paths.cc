// The MTU of paths: what ICMP says of it, what connections make of that (RFC 1191, RFC 8201).
#include <algorithm>

#include "stack/engine.h"
#include "tcp/path_mtu.h"
#include "tcp/policy.h"

namespace estab {
namespace {

constexpr std::uint32_t kMinMtuV6 = 1280;  // RFC 8200 §5

// Values of net.ipv4.ip_no_pmtu_disc.
constexpr std::int32_t kDiscardTold = 1;
constexpr std::int32_t kIgnore = 2;

}  // namespace

stack::PathMtu Stack::Impl::PathTo(const IpAddress& destination, LinkId link, Time now) const {
  const std::uint32_t most = network.link(link).mtu;
  const stack::PathMtu* known = paths.Find(keys.table, destination, now);
  return known != nullptr && known->mtu <= most ? *known : stack::PathMtu{most};
}

void Stack::Impl::SyncPath(Context& cx, Socket& socket) {
  const stack::PathMtu path = PathTo(socket.tuple.remote.address, socket.link, cx.now);
  socket.mtu_locked = path.locked;
  tcp::SyncMss(settings, socket, path.mtu);
  tcp::RenewMtuSearch(cx, socket, path.mtu);
}

// As Linux (__ip_rt_update_pmtu, tcp_v6_err): IPv4 has a least MTU of ours, and no router says less
// of IPv6 than 1280 (RFC 8201 §4).
std::optional<stack::PathMtu> Stack::Impl::BelievedMtu(const wire::IcmpError& error,
                                                       std::uint32_t old) const {
  std::uint32_t mtu = error.mtu;
  if (error.v6) {
    if (mtu < kMinMtuV6 || mtu >= old) return std::nullopt;
    return stack::PathMtu{mtu};
  }
  if (settings.no_pmtu_disc == kIgnore) return std::nullopt;
  if (settings.no_pmtu_disc == kDiscardTold) mtu = 0;
  if (mtu > old) return std::nullopt;
  const auto least = static_cast<std::uint32_t>(settings.min_pmtu);
  if (mtu < least) return stack::PathMtu{std::min(old, least), true};
  return stack::PathMtu{mtu};
}

void Stack::Impl::TakePacketTooBig(Context& cx, Socket& socket, const wire::IcmpError& error) {
  const IpAddress& remote = socket.tuple.remote.address;
  if (network.IsLocal(remote)) return;
  const std::uint32_t old = PathTo(remote, socket.link, cx.now).mtu;
  const auto path = BelievedMtu(error, old);
  if (!path) return;
  const std::int32_t life = error.v6 ? settings.mtu_expires_v6_s : settings.mtu_expires_s;
  paths.Store(keys.table, remote, *path, cx.now + std::chrono::seconds(life));
  socket.mtu_locked = path->locked;
  // Nothing was dropped if routers may fragment it; the next segments will be smaller.
  const MtuDiscovery how = tcp::Discovery(settings, *socket.options);
  const bool repeats = !remote.is_v4() || how == MtuDiscovery::kWant || how == MtuDiscovery::kDo ||
                       how == MtuDiscovery::kProbe;
  if (repeats) tcp::ReducePathMtu(cx, socket, path->mtu);
}

}  // namespace estab
