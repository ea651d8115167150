// Setting options: Linux's names, ranges and roundings.
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cstdint>
#include <cstring>

#include "api/option_value.h"

namespace estab::api {
namespace {

// As Linux: what is asked for is doubled, and getsockopt says the double. Here the payload that is
// held is what was asked for, and only the double has Linux's lower bounds.
constexpr std::uint32_t kMinSendBuffer = 4608 / 2;
constexpr std::uint32_t kMinReceiveBuffer = 2304 / 2;
constexpr std::uint32_t kMaxBuffer = 1u << 30;
constexpr int kEcnBits = 3;

std::uint32_t BufferSize(int value, std::uint32_t least, int most) {
  // As Linux, which compares without signs: what is negative is very large.
  return std::clamp(static_cast<std::uint32_t>(value), least, static_cast<std::uint32_t>(most));
}

// SO_SNDBUFFORCE and SO_RCVBUFFORCE: whoever has the stack may go beyond its settings.
std::uint32_t ForcedSize(int value, std::uint32_t least) {
  return std::clamp(static_cast<std::uint32_t>(std::max(value, 0)), least, kMaxBuffer);
}

int SetLinger(SocketOptions& options, const OptionIn& in) {
  const auto value = in.As<linger>();
  if (!value) return EINVAL;
  options.linger = value->l_onoff != 0;
  if (options.linger) options.linger_seconds = static_cast<std::uint32_t>(value->l_linger);
  return 0;
}

// Linux's tcp_set_rcvlowat: at most half of what the buffer counts as, and the buffer grows to hold
// so much, or the window would close before it is reached.
void SetLowWater(const Stack& stack, SocketOptions& options, int value) {
  const auto wanted = static_cast<std::uint32_t>(value < 0 ? INT32_MAX : value);
  const std::uint32_t cap =
      options.receive_buffer != 0
          ? options.receive_buffer
          : static_cast<std::uint32_t>(SettingNumber(stack, "net.ipv4.tcp_rmem", 2, 6291456)) / 2;
  const auto held =
      static_cast<std::uint32_t>(SettingNumber(stack, "net.ipv4.tcp_rmem", 1, 131072));
  options.receive_low_water = std::max(std::min(wanted, cap), 1u);
  if (options.receive_buffer == 0 && options.receive_low_water > held) {
    options.receive_buffer = options.receive_low_water;
  }
}

// As Linux: an int has 32 bits without a sign, all ones is "no limit", and a long counts whole.
int SetPacingRate(SocketOptions& options, const OptionIn& in) {
  const auto narrow = in.As<std::uint32_t>();
  if (!narrow) return EINVAL;
  const std::uint64_t low = *narrow == UINT32_MAX ? UINT64_MAX : *narrow;
  options.max_pacing_rate = in.As<std::uint64_t>().value_or(low);
  if (options.max_pacing_rate != UINT64_MAX) options.paced = true;
  return 0;
}

int SetSocketLevel(const Stack& stack, SocketOptions& options, int name, const OptionIn& in) {
  const auto given = in.As<int>();
  if (!given) return EINVAL;
  const int value = *given;
  switch (name) {
    case SO_LINGER:
      return SetLinger(options, in);
    case SO_REUSEADDR:
      options.reuse_address = value != 0;
      return 0;
    case SO_REUSEPORT:
      options.reuse_port = value != 0;
      return 0;
    case SO_KEEPALIVE:
      options.keepalive = value != 0;
      return 0;
    case SO_OOBINLINE:
      options.urgent_inline = value != 0;
      return 0;
    case SO_SNDBUF:
      options.send_buffer =
          BufferSize(value, kMinSendBuffer, SettingNumber(stack, "net.core.wmem_max", 0, 4194304));
      return 0;
    case SO_RCVBUF:
      options.receive_buffer = BufferSize(value, kMinReceiveBuffer,
                                          SettingNumber(stack, "net.core.rmem_max", 0, 4194304));
      return 0;
    case SO_SNDBUFFORCE:
      options.send_buffer = ForcedSize(value, kMinSendBuffer);
      return 0;
    case SO_RCVBUFFORCE:
      options.receive_buffer = ForcedSize(value, kMinReceiveBuffer);
      return 0;
    case SO_RCVLOWAT:
      SetLowWater(stack, options, value);
      return 0;
    case SO_MAX_PACING_RATE:
      return SetPacingRate(options, in);
    default:
      return ENOPROTOOPT;
  }
}

// Stores `value` if it lies in [least, most].
template <class Field>
int SetInRange(Field& field, int value, int least, int most) {
  if (value < least || value > most) return EINVAL;
  field = static_cast<Field>(value);
  return 0;
}

int SetMaxSegment(SocketOptions& options, int value) {
  constexpr int kLeast = 88;  // TCP_MIN_MSS
  constexpr int kMost = 32767;
  if (value == 0) {
    options.max_segment = 0;
    return 0;
  }
  return SetInRange(options.max_segment, value, kLeast, kMost);
}

// Linux counts the time-outs of the SYN|ACK that it takes to wait so long: 1, 3, 7 ... s.
std::uint8_t TimeoutsIn(int seconds) {
  constexpr int kLongest = 120;
  std::uint8_t count = seconds > 0 ? 1 : 0;
  int timeout = 1;
  for (int period = timeout; seconds > period && count < 255; ++count) {
    timeout = std::min(timeout * 2, kLongest);
    period += timeout;
  }
  return count;
}

// Linux's tcp_set_window_clamp: none only before there is a connection.
int SetWindowClamp(SocketOptions& options, bool closed, int value) {
  constexpr int kLeast = static_cast<int>(kMinReceiveBuffer);
  if (value == 0 && !closed) return EINVAL;
  options.window_clamp = value == 0 ? 0 : static_cast<std::uint32_t>(std::max(value, kLeast));
  return 0;
}

// A flag that may be set before there is a connection.
int SetFlag(bool& flag, int value, bool early) {
  if (value < 0 || value > 1 || !early) return EINVAL;
  flag = value != 0;
  return 0;
}

// TCP_FASTOPEN_KEY: one key, or two of which the second is still taken.
int SetFastOpenKey(SocketOptions& options, const OptionIn& in) {
  const std::size_t size = options.fast_open_key[0].size();
  if (in.length != size && in.length != 2 * size) return EINVAL;
  options.fast_open_keys = static_cast<std::uint8_t>(in.length / size);
  options.fast_open_key = {};
  std::memcpy(options.fast_open_key.data(), in.data, in.length);
  return 0;
}

// Fast Open's options; `state` decides whether they may still be set.
int SetFastOpen(const Stack& stack, State state, SocketOptions& options, int name,
                const OptionIn& in) {
  if (name == TCP_FASTOPEN_KEY) return SetFastOpenKey(options, in);
  const auto value = in.As<int>();
  if (!value) return EINVAL;
  const bool early = state == State::kClosed || state == State::kListen;
  switch (name) {
    case TCP_FASTOPEN: {
      if (*value < 0 || !early) return EINVAL;
      const int most = SettingNumber(stack, "net.core.somaxconn", 0, 4096);
      options.fast_open_queue = static_cast<std::uint32_t>(std::min(*value, most));
      return 0;
    }
    case TCP_FASTOPEN_NO_COOKIE:
      return SetFlag(options.fast_open_no_cookie, *value, early);
    default:
      if (*value < 0 || *value > 1) return EINVAL;
      if ((SettingNumber(stack, "net.ipv4.tcp_fastopen", 0, 1) & 1) == 0) return EOPNOTSUPP;
      return SetFlag(options.fast_open_connect, *value, state == State::kClosed);
  }
}

bool IsFastOpen(int level, int name) {
  return level == IPPROTO_TCP && (name == TCP_FASTOPEN || name == TCP_FASTOPEN_CONNECT ||
                                  name == TCP_FASTOPEN_NO_COOKIE || name == TCP_FASTOPEN_KEY);
}

// A name that ends with the value, or before it.
int SetCongestion(SocketOptions& options, const OptionIn& in) {
  if (in.length == 0) return EINVAL;
  const auto* text = static_cast<const char*>(in.data);
  const std::size_t most = std::min<std::size_t>(in.length, kCongestionNameSize - 1);
  const auto congestion = CongestionByName({text, strnlen(text, most)});
  if (!congestion) return ENOENT;
  options.congestion = *congestion;
  return 0;
}

int SetTcpLevel(SocketOptions& options, bool closed, int name, const OptionIn& in) {
  constexpr int kMaxKeep = 32767;  // MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL
  constexpr int kMaxCount = 127;   // MAX_TCP_KEEPCNT, MAX_TCP_SYNCNT
  constexpr int kMaxFinWait2 = 120;
  if (name == TCP_CONGESTION) return SetCongestion(options, in);
  const auto given = in.As<int>();
  if (!given) return EINVAL;
  const int value = *given;
  switch (name) {
    case TCP_NODELAY:
      options.no_delay = value != 0;
      return 0;
    case TCP_CORK:
      options.cork = value != 0;
      return 0;
    case TCP_MAXSEG:
      return SetMaxSegment(options, value);
    case TCP_DEFER_ACCEPT:
      options.defer_accept = TimeoutsIn(value);
      return 0;
    case TCP_KEEPIDLE:
      return SetInRange(options.keepalive_idle, value, 1, kMaxKeep);
    case TCP_KEEPINTVL:
      return SetInRange(options.keepalive_interval, value, 1, kMaxKeep);
    case TCP_KEEPCNT:
      return SetInRange(options.keepalive_count, value, 1, kMaxCount);
    case TCP_SYNCNT:
      return SetInRange(options.syn_count, value, 1, kMaxCount);
    case TCP_LINGER2:
      options.fin_wait2_seconds = value < 0 ? -1 : std::min(value, kMaxFinWait2);
      return 0;
    case TCP_USER_TIMEOUT:
      return SetInRange(options.user_timeout_ms, value, 0, INT32_MAX);
    case kTcpRtoMaxMs:
      return SetInRange(options.rto_max_ms, value, 1000, 120'000);
    case TCP_NOTSENT_LOWAT:
      options.unsent_low_water = static_cast<std::uint32_t>(value);
      return 0;
    case TCP_WINDOW_CLAMP:
      return SetWindowClamp(options, closed, value);
    default:
      return ENOPROTOOPT;
  }
}

int SetTos(std::uint8_t& tos, int value) {
  if (value < 0 || value > 255) return EINVAL;
  tos = static_cast<std::uint8_t>(value & ~kEcnBits);
  return 0;
}

int SetTtl(std::uint8_t& ttl, int value) {
  return value == -1 ? (ttl = 0, 0) : SetInRange(ttl, value, 1, 255);
}

// The lower bound in the lower half; 0 there or above: no bound.
int SetPortRange(SocketOptions& options, const OptionIn& in) {
  if (in.length != sizeof(std::uint32_t)) return EINVAL;  // as Linux: longer ones are not cut
  const std::uint32_t value = *in.As<std::uint32_t>();
  const auto least = static_cast<std::uint16_t>(value & 0xffff);
  const auto most = static_cast<std::uint16_t>(value >> 16);
  if (least != 0 && most != 0 && least > most) return EINVAL;
  options.port_min = least;
  options.port_max = most;
  return 0;
}

int SetMtuDiscovery(MtuDiscovery& how, std::optional<int> value) {
  if (!value || *value < IP_PMTUDISC_DONT || *value > IP_PMTUDISC_OMIT) return EINVAL;
  how = static_cast<MtuDiscovery>(*value + 1);
  return 0;
}

int SetIpLevel(SocketOptions& options, int name, const OptionIn& in) {
  if (name == kIpLocalPortRange) return SetPortRange(options, in);
  if (name == IP_BIND_ADDRESS_NO_PORT || name == IP_MTU_DISCOVER) {
    const auto value = in.length == 0 ? std::optional<int>(0) : in.IntOrByte();
    if (name == IP_MTU_DISCOVER) return SetMtuDiscovery(options.mtu_discovery, value);
    options.bind_address_only = *value != 0;
    return 0;
  }
  if (name != IP_TOS && name != IP_TTL) return ENOPROTOOPT;
  // As Linux: no bytes at all are a TOS of 0, but no TTL.
  const auto value = name == IP_TOS && in.length == 0 ? std::optional<int>(0) : in.IntOrByte();
  if (!value) return EINVAL;
  // As Linux, which keeps the low byte of a TOS.
  return name == IP_TOS ? SetTos(options.tos, *value & 0xff) : SetTtl(options.ttl, *value);
}

int SetIpv6Level(SocketOptions& options, bool bound, int name, const OptionIn& in) {
  const auto value = in.As<int>();
  switch (name) {
    case IPV6_V6ONLY:
      if (!value || bound) return EINVAL;
      options.v6_only = *value != 0;
      return 0;
    case IPV6_TCLASS:
      return value ? SetTos(options.traffic_class, *value == -1 ? 0 : *value) : EINVAL;
    case IPV6_MTU_DISCOVER:
      return SetMtuDiscovery(options.mtu_discovery_v6, value);
    case IPV6_UNICAST_HOPS:
      return value ? SetTtl(options.hop_limit, *value) : EINVAL;
    default:
      return ENOPROTOOPT;
  }
}

// Linux's tcp_sock_set_quickack: an even value lets the ACK go that waits, and then waits again.
int SetQuickAck(Stack& stack, Time now, SocketId socket, const OptionIn& in) {
  const auto value = in.As<int>();
  if (!value) return EINVAL;
  const Result<bool> waited = stack.SetQuickAck(now, socket, *value != 0);
  if (waited.value_or(false) && *value % 2 == 0) {
    static_cast<void>(stack.SetQuickAck(now, socket, false));
  }
  return 0;
}

}  // namespace

int SetStackOption(Stack& stack, Time now, SocketId socket, bool ipv6, int level, int name,
                   const OptionIn& value) {
  auto options = stack.GetOptions(socket);
  const auto info = stack.GetInfo(now, socket);
  if (!options || !info) return EBADF;
  const bool closed = info->state == State::kClosed;
  if (level == IPPROTO_TCP && name == TCP_QUICKACK) {
    return SetQuickAck(stack, now, socket, value);
  }
  int error = ENOPROTOOPT;
  if (level == SOL_SOCKET) error = SetSocketLevel(stack, *options, name, value);
  if (IsFastOpen(level, name)) {
    error = SetFastOpen(stack, info->state, *options, name, value);
  } else if (level == IPPROTO_TCP) {
    error = SetTcpLevel(*options, closed, name, value);
  }
  if (level == IPPROTO_IP) error = SetIpLevel(*options, name, value);
  if (level == IPPROTO_IPV6 && ipv6) {
    error = SetIpv6Level(*options, info->tuple.local.port != 0, name, value);
  }
  if (error != 0) return error;
  Result<void> result = stack.SetOptions(now, socket, *options);
  const bool pushes = level == IPPROTO_TCP && name == TCP_NODELAY && options->no_delay;
  if (result && pushes) result = stack.Push(now, socket);
  return result ? 0 : ToErrno(result.error());
}

}  // namespace estab::api
