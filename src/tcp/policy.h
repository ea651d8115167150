// Which value holds for a connection: its own option, or the stack's setting.
#pragma once

#include "tcp/context.h"

namespace estab::tcp {

inline int SynRetries(const Context& cx, const Tcb& tcb) {
  return tcb.options->syn_count != 0 ? tcb.options->syn_count : cx.settings.syn_retries;
}
inline int SynAckRetries(const Context& cx, const Tcb& tcb) {
  return tcb.options->syn_count != 0 ? tcb.options->syn_count : cx.settings.synack_retries;
}
/// Repeats allowed to a connection without owner; 0 means 8, as on Linux.
inline int OrphanRetries(const Settings& settings) {
  return settings.orphan_retries != 0 ? settings.orphan_retries : 8;
}
/// The longest RTO, in milliseconds.
inline std::int64_t RtoMaxMs(const Settings& settings, const SocketOptions& options) {
  return options.rto_max_ms != 0 ? options.rto_max_ms : settings.rto_max_ms;
}
inline Duration KeepaliveIdle(const Context& cx, const Tcb& tcb) {
  const std::int64_t s =
      tcb.options->keepalive_idle != 0 ? tcb.options->keepalive_idle : cx.settings.keepalive_time_s;
  return std::chrono::seconds(s);
}
inline Duration KeepaliveInterval(const Context& cx, const Tcb& tcb) {
  const std::int64_t s = tcb.options->keepalive_interval != 0 ? tcb.options->keepalive_interval
                                                              : cx.settings.keepalive_intvl_s;
  return std::chrono::seconds(s);
}
inline int KeepaliveCount(const Context& cx, const Tcb& tcb) {
  return tcb.options->keepalive_count != 0 ? tcb.options->keepalive_count
                                           : cx.settings.keepalive_probes;
}
/// The TOS, or traffic class, of packets to `remote`: each family has its own, as on Linux, so an
/// AF_INET6 socket with an IPv4 peer goes by IP_TOS and IP_TTL.
/// The ECN bits are not the user's.
inline std::uint8_t Tos(const SocketOptions& options, const IpAddress& remote) {
  constexpr std::uint8_t kDscp = 0xfc;
  return (remote.is_v4() ? options.tos : options.traffic_class) & kDscp;
}
/// The TTL, or hop limit, likewise.
inline std::uint8_t Ttl(const Settings& settings, const SocketOptions& options,
                        const IpAddress& remote) {
  const std::uint8_t own = remote.is_v4() ? options.ttl : options.hop_limit;
  return own != 0 ? own : static_cast<std::uint8_t>(settings.default_ttl);
}
/// What holds of IP_MTU_DISCOVER.
inline MtuDiscovery Discovery(const Settings& settings, const SocketOptions& options) {
  if (options.mtu_discovery != MtuDiscovery::kBySetting) return options.mtu_discovery;
  return settings.no_pmtu_disc != 0 ? MtuDiscovery::kDont : MtuDiscovery::kWant;
}
/// Whether packets carry DF (Linux: ip_dont_fragment); `locked`: the path takes less than we go
/// down to.
inline bool DontFragment(const Settings& settings, const SocketOptions& options, bool locked) {
  const MtuDiscovery discovery = Discovery(settings, options);
  return discovery == MtuDiscovery::kDo || (discovery == MtuDiscovery::kWant && !locked);
}
/// Bytes that may wait to be read, at first tcp_rmem's default. Without SO_RCVBUF it grows
/// (receiver.h).
inline std::uint32_t ReceiveLimit(const Settings& settings, const Tcb& tcb) {
  const SocketOptions& options = *tcb.options;
  std::int64_t limit = options.receive_buffer;
  if (limit == 0) {
    limit = settings.rmem[1] << tcb.receive_growth;
    if (tcb.receive_growth != 0 && limit > settings.rmem[2]) {
      limit = settings.rmem[1] > settings.rmem[2] ? settings.rmem[1] : settings.rmem[2];
    }
  }
  if (options.window_clamp != 0 && options.window_clamp < limit) limit = options.window_clamp;
  return static_cast<std::uint32_t>(limit);
}
/// Bytes that may wait unsent: below that, more is taken.
inline std::uint32_t UnsentLowWater(const Settings& settings, const Tcb& tcb) {
  const std::uint32_t own = tcb.options->unsent_low_water;
  return own != 0 ? own : static_cast<std::uint32_t>(settings.unsent_low_water);
}
/// Bytes that may wait in the send queue. Without SO_SNDBUF it grows with the congestion window, so
/// that the buffer never is what limits a fast path (Linux: tcp_sndbuf_expand).
inline std::uint32_t SendLimit(const Settings& settings, const Tcb& tcb) {
  if (tcb.options->send_buffer != 0) return tcb.options->send_buffer;
  // BBR may go on as in slow start while losses are repaired (Linux: bbr_sndbuf_expand).
  const auto wanted = static_cast<std::int64_t>(tcb.cwnd) * (tcb.modelled ? 3 : 2);
  std::int64_t limit = settings.wmem[1] > wanted ? settings.wmem[1] : wanted;
  if (limit > settings.wmem[2]) limit = settings.wmem[2];
  return static_cast<std::uint32_t>(limit);
}

}  // namespace estab::tcp
