// The MTU of paths: what ICMP says of it, what connections make of that (RFC 1191, RFC 8201).
#include <algorithm>

#include "stack/engine.h"
#include "tcp/path_mtu.h"
#include "tcp/policy.h"

namespace estab {
namespace {

constexpr std::uint32_t kMinMtuV6 = 1280;  // RFC 8200 §5

// RFC 1191 §7.1: the MTUs of links that there are.
constexpr std::uint32_t kPlateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68};

// §5: what an old router, which tells no MTU, takes instead of `size` bytes.
std::uint32_t PlateauBelow(std::uint32_t size) {
  for (const std::uint32_t plateau : kPlateaus) {
    if (plateau < size) return plateau;
  }
  return 0;
}

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
  if (paths.size() == 0 && socket.mtu_shown == 0) {  // no path is known to differ from its link
    socket.mtu_locked = tcp::ExceedsPath(socket, network.link(socket.link).mtu);
    return;
  }
  const stack::PathMtu path = PathTo(socket.tuple.remote.address, socket.link, cx.now);
  tcp::SyncMss(settings, socket, path.mtu);
  socket.mtu_locked = path.locked || tcp::ExceedsPath(socket, path.mtu);
  tcp::RenewMtuSearch(cx, socket, path.mtu);
}

void Stack::Impl::CountPaths(StackCounters& c) const {
  const auto fired = [&](RuleId rule) { return recorder.counts()[static_cast<std::size_t>(rule)]; };
  c.path_mtus = paths.size();
  c.icmp_errors_stray = fired(RuleId::kIcmpStray);
  c.mtu_black_holes = fired(RuleId::kRetransmitSmaller);
  c.mtu_probes = recorder.mtu_probes.sent;
  c.mtu_probes_passed = recorder.mtu_probes.passed;
  c.mtu_probes_lost = recorder.mtu_probes.lost;
}

// No router says less of IPv6 than 1280 (RFC 8201 §4); for the rest see Linux's tcp_v6_err.
std::optional<stack::PathMtu> Stack::Impl::BelievedMtuV6(const Socket& socket, std::uint32_t mtu,
                                                         std::uint32_t old) const {
  const MtuDiscovery how = socket.options->mtu_discovery_v6;
  if (how == MtuDiscovery::kInterface || how == MtuDiscovery::kOmit) return std::nullopt;
  if (mtu < kMinMtuV6 || mtu >= old) return std::nullopt;
  if (!tcp::LowersMss(settings, socket, mtu)) return std::nullopt;
  return stack::PathMtu{mtu};
}

// As Linux (icmp_unreach, __ip_rt_update_pmtu): there is a least MTU of ours.
std::optional<stack::PathMtu> Stack::Impl::BelievedMtuV4(const wire::IcmpError& error,
                                                         std::uint32_t old) const {
  std::uint32_t mtu = error.mtu;
  if (settings.no_pmtu_disc == kIgnore) return std::nullopt;
  if (settings.no_pmtu_disc == kDiscardTold) {
    mtu = 0;
  } else if (mtu == 0 && settings.policy.mtu_plateaus) {
    mtu = PlateauBelow(error.size);
  }
  if (mtu > old) return std::nullopt;
  const auto least = static_cast<std::uint32_t>(settings.min_pmtu);
  if (mtu < least) return stack::PathMtu{std::min(old, least), true};
  return stack::PathMtu{mtu};
}

void Stack::Impl::TakePacketTooBig(Context& cx, Socket& socket, const wire::IcmpError& error) {
  const IpAddress& remote = socket.tuple.remote.address;
  if (network.IsLocal(remote)) return;
  const stack::PathMtu old = PathTo(remote, socket.link, cx.now);
  // What is as small as we go stays until it expires.
  const auto path = old.locked ? std::optional(old)
                    : error.v6 ? BelievedMtuV6(socket, error.mtu, old.mtu)
                               : BelievedMtuV4(error, old.mtu);
  if (!path) {
    ++counters.path_mtu_refused;
    return;
  }
  if (path->mtu < old.mtu) ++counters.path_mtu_lowered;
  const std::int32_t life = error.v6 ? settings.mtu_expires_v6_s : settings.mtu_expires_s;
  if (!old.locked) paths.Store(keys.table, remote, *path, cx.now + std::chrono::seconds(life));
  const MtuDiscovery how = tcp::Discovery(settings, *socket.options);
  // It cannot be made smaller, and nobody may fragment it: should nothing ever arrive, this is why.
  if (path->locked && how == MtuDiscovery::kDo) {
    socket.soft_error = static_cast<std::uint8_t>(Error::kMessageTooLong);
  }
  // Nothing was dropped if routers may fragment it; the next segments will be smaller.
  const bool repeats = !remote.is_v4() || how == MtuDiscovery::kWant || how == MtuDiscovery::kDo ||
                       how == MtuDiscovery::kProbe;
  if (repeats) tcp::ReducePathMtu(cx, socket, path->mtu);
  socket.mtu_locked = path->locked || tcp::ExceedsPath(socket, path->mtu);
}

}  // namespace estab
