// Asking for options: the socket's own value, or what the stack's settings say.
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

#include "api/option_value.h"
#include "api/tcp_info.h"
#include "stack/fast_open.h"

namespace estab::api {

int SettingNumber(const Stack& stack, const char* name, int index, int fallback) {
  std::array<char, kSettingTextSize> text{};
  const auto value = stack.GetSetting(name, text);
  if (!value) return fallback;
  std::string_view rest = *value;
  for (;; --index) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    int number = 0;
    const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (parsed.ec != std::errc{}) return fallback;
    if (index == 0) return number;
    rest.remove_prefix(static_cast<std::size_t>(parsed.ptr - rest.data()));
  }
}

namespace {

struct Asked {
  const Stack& stack;
  SocketOptions options;
  ConnectionInfo info;

  // The socket's own value, or, if that is 0, the setting's.
  int Or(std::int64_t own, const char* setting, int fallback, int index = 0) const {
    return own != 0 ? static_cast<int>(own) : SettingNumber(stack, setting, index, fallback);
  }
};

int GetSocketLevel(const Asked& asked, bool ipv6, int name, OptionOut* out) {
  const SocketOptions& options = asked.options;
  switch (name) {
    case SO_LINGER:
      out->Set(linger{options.linger ? 1 : 0, static_cast<int>(options.linger_seconds)});
      return 0;
    case SO_REUSEADDR:
      out->Set(options.reuse_address ? 1 : 0);
      return 0;
    case SO_REUSEPORT:
      out->Set(options.reuse_port ? 1 : 0);
      return 0;
    case SO_OOBINLINE:
      out->Set(options.urgent_inline ? 1 : 0);
      return 0;
    case SO_RCVLOWAT:
      out->Set(static_cast<int>(std::max(options.receive_low_water, 1u)));
      return 0;
    case SO_SNDLOWAT:  // as Linux, where it cannot be set
      out->Set(1);
      return 0;
    case SO_KEEPALIVE:
      out->Set(options.keepalive ? 1 : 0);
      return 0;
    case SO_SNDBUF:
      out->Set(asked.Or(std::int64_t{options.send_buffer} * 2, "net.ipv4.tcp_wmem", 16384, 1));
      return 0;
    case SO_RCVBUF:
      out->Set(asked.Or(std::int64_t{options.receive_buffer} * 2, "net.ipv4.tcp_rmem", 131072, 1));
      return 0;
    case SO_MAX_PACING_RATE:
      out->Set(options.max_pacing_rate);
      return 0;
    case SO_TYPE:
      out->Set(int{SOCK_STREAM});
      return 0;
    case SO_DOMAIN:
      out->Set(ipv6 ? AF_INET6 : AF_INET);
      return 0;
    case SO_PROTOCOL:
      out->Set(int{IPPROTO_TCP});
      return 0;
    case SO_ACCEPTCONN:
      out->Set(asked.info.state == State::kListen ? 1 : 0);
      return 0;
    default:
      return ENOPROTOOPT;
  }
}

int MaxSegment(const Asked& asked) {
  constexpr int kDefault = 536;  // as Linux before there is a connection
  const bool connected = asked.info.state != State::kClosed && asked.info.state != State::kListen;
  if (connected && asked.info.send_mss != 0) return static_cast<int>(asked.info.send_mss);
  return asked.options.max_segment != 0 ? asked.options.max_segment : kDefault;
}

// How long so many time-outs of a SYN|ACK take, in seconds.
int SecondsOf(int timeouts) {
  constexpr int kLongest = 120;
  int period = 0;
  int timeout = 1;
  for (int i = 0; i < timeouts; ++i) {
    period += timeout;
    timeout = std::min(timeout * 2, kLongest);
  }
  return period;
}

// The listener's own keys, or those of tcp_fastopen_key; nothing if that has not been set.
void GetFastOpenKey(const Asked& asked, OptionOut* out) {
  stack::FastOpenKeys keys{asked.options.fast_open_key, asked.options.fast_open_keys};
  std::array<char, kSettingTextSize> text{};
  if (keys.count == 0) {
    const auto value = asked.stack.GetSetting("net.ipv4.tcp_fastopen_key", text);
    if (!value || !stack::ReadFastOpenKeys(*value, keys)) return;
    if (keys.keys == stack::FastOpenKeys{}.keys) return;
  }
  out->Set(keys.keys);
  out->size = static_cast<socklen_t>(keys.count * keys.keys[0].size());
}

// What is in use; before there is a connection, what would be.
Congestion CongestionOf(const Asked& asked) {
  if (asked.info.congestion != Congestion::kBySetting) return asked.info.congestion;
  if (asked.options.congestion != Congestion::kBySetting) return asked.options.congestion;
  std::array<char, kSettingTextSize> text{};
  const auto name = asked.stack.GetSetting("net.ipv4.tcp_congestion_control", text);
  return CongestionByName(name.value_or("")).value_or(Congestion::kBySetting);
}

void GetCongestion(const Asked& asked, OptionOut* out) {
  std::array<char, kCongestionNameSize> padded{};
  const std::string_view name = NameOf(CongestionOf(asked));
  name.copy(padded.data(), padded.size() - 1);
  out->Set(padded);
}

// As Linux: of a model that is still to be made all is 0.
void GetCongestionInfo(const Asked& asked, OptionOut* out) {
  ConnectionInfo info = asked.info;
  info.congestion = CongestionOf(asked);
  out->size = static_cast<socklen_t>(WriteCongestionInfo(info, out->bytes));
}

// Those that are one number; nothing if `name` is none of them.
std::optional<int> TcpNumber(const Asked& asked, int name) {
  const SocketOptions& options = asked.options;
  switch (name) {
    case TCP_NODELAY:
      return options.no_delay ? 1 : 0;
    case TCP_MAXSEG:
      return MaxSegment(asked);
    case TCP_FASTOPEN:
      return static_cast<int>(options.fast_open_queue);
    case TCP_FASTOPEN_CONNECT:
      return options.fast_open_connect ? 1 : 0;
    case TCP_FASTOPEN_NO_COOKIE:
      return options.fast_open_no_cookie ? 1 : 0;
    case TCP_DEFER_ACCEPT:
      return SecondsOf(options.defer_accept);
    case TCP_KEEPIDLE:
      return asked.Or(options.keepalive_idle, "net.ipv4.tcp_keepalive_time", 7200);
    case TCP_KEEPINTVL:
      return asked.Or(options.keepalive_interval, "net.ipv4.tcp_keepalive_intvl", 75);
    case TCP_KEEPCNT:
      return asked.Or(options.keepalive_count, "net.ipv4.tcp_keepalive_probes", 10);
    case TCP_SYNCNT:
      return asked.Or(options.syn_count, "net.ipv4.tcp_syn_retries", 5);
    case TCP_LINGER2:
      return asked.Or(options.fin_wait2_seconds, "net.ipv4.tcp_fin_timeout", 60);
    case TCP_CORK:
      return options.cork ? 1 : 0;
    case TCP_QUICKACK:
      return asked.info.quick_ack ? 1 : 0;
    case TCP_NOTSENT_LOWAT:
      return static_cast<int>(options.unsent_low_water);
    case TCP_WINDOW_CLAMP:
      return static_cast<int>(options.window_clamp);
    case TCP_TIMESTAMP:
      return static_cast<int>(asked.info.timestamp);
    case TCP_USER_TIMEOUT:
      return static_cast<int>(options.user_timeout_ms);
    case kTcpRtoMaxMs:
      return asked.Or(options.rto_max_ms, "net.ipv4.tcp_rto_max_ms", 120'000);
    default:
      return std::nullopt;
  }
}

int GetTcpLevel(const Asked& asked, int name, OptionOut* out) {
  if (const auto number = TcpNumber(asked, name)) {
    out->Set(*number);
    return 0;
  }
  switch (name) {
    case TCP_CONGESTION:
      GetCongestion(asked, out);
      return 0;
    case TCP_FASTOPEN_KEY:
      GetFastOpenKey(asked, out);
      return 0;
    case TCP_CC_INFO:
      GetCongestionInfo(asked, out);
      return 0;
    case TCP_INFO:
      out->size = static_cast<socklen_t>(WriteTcpInfo(asked.info, out->bytes));
      return 0;
    default:
      return ENOPROTOOPT;
  }
}

// IP_MTU_DISCOVER, as Linux counts it.
int Discovery(const Asked& asked) {
  const int own = static_cast<int>(asked.options.mtu_discovery);
  if (own != 0) return own - 1;
  return asked.Or(0, "net.ipv4.ip_no_pmtu_disc", 0) != 0 ? IP_PMTUDISC_DONT : IP_PMTUDISC_WANT;
}

// IP_MTU: there is a path only with a peer.
int GetMtu(const Asked& asked, OptionOut* out) {
  if (asked.info.path_mtu == 0 || asked.info.state == State::kClosed) return ENOTCONN;
  out->Set(static_cast<int>(asked.info.path_mtu));
  return 0;
}

int GetIpLevel(const Asked& asked, int name, OptionOut* out) {
  switch (name) {
    case IP_MTU_DISCOVER:
      out->Set(Discovery(asked));
      return 0;
    case IP_MTU:
      return GetMtu(asked, out);
    case IP_TOS:
      out->Set(int{asked.options.tos});
      return 0;
    case IP_BIND_ADDRESS_NO_PORT:
      out->Set(asked.options.bind_address_only ? 1 : 0);
      return 0;
    case kIpLocalPortRange:
      out->Set(std::uint32_t{asked.options.port_max} << 16 | asked.options.port_min);
      return 0;
    case IP_TTL:
      out->Set(asked.Or(asked.options.ttl, "net.ipv4.ip_default_ttl", 64));
      return 0;
    default:
      return ENOPROTOOPT;
  }
}

int GetIpv6Level(const Asked& asked, int name, OptionOut* out) {
  switch (name) {
    case IPV6_V6ONLY:
      out->Set(asked.options.v6_only ? 1 : 0);
      return 0;
    case IPV6_MTU_DISCOVER:
      out->Set(
          std::max(static_cast<int>(asked.options.mtu_discovery_v6) - 1, 0) +
          (asked.options.mtu_discovery_v6 == MtuDiscovery::kBySetting ? IPV6_PMTUDISC_WANT : 0));
      return 0;
    case IPV6_MTU:
      return GetMtu(asked, out);
    case IPV6_TCLASS:
      out->Set(int{asked.options.traffic_class});
      return 0;
    case IPV6_UNICAST_HOPS:
      out->Set(asked.Or(asked.options.hop_limit, "net.ipv4.ip_default_ttl", 64));
      return 0;
    default:
      return ENOPROTOOPT;
  }
}

}  // namespace

int GetStackOption(const Stack& stack, Time now, SocketId socket, bool ipv6, int level, int name,
                   OptionOut* out) {
  const auto options = stack.GetOptions(socket);
  const auto info = stack.GetInfo(now, socket);
  if (!options || !info) return EBADF;
  const Asked asked{stack, *options, *info};
  if (level == SOL_SOCKET) return GetSocketLevel(asked, ipv6, name, out);
  if (level == IPPROTO_TCP) return GetTcpLevel(asked, name, out);
  if (level == IPPROTO_IP) return GetIpLevel(asked, name, out);
  if (level == IPPROTO_IPV6 && ipv6) return GetIpv6Level(asked, name, out);
  return ipv6 ? ENOPROTOOPT : EOPNOTSUPP;  // as Linux, for a level that is not there
}

}  // namespace estab::api
