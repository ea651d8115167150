// Setting options: Linux's names, ranges and roundings.
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cstdint>

#include "api/option_value.h"

namespace estab::api {
namespace {

// As Linux: what is asked for is doubled, and getsockopt says the double. Here the payload that is
// held is what was asked for, and only the double has Linux's lower bounds.
constexpr std::uint32_t kMinSendBuffer = 4608 / 2;
constexpr std::uint32_t kMinReceiveBuffer = 2304 / 2;
constexpr std::uint32_t kMaxBuffer = 4u << 20;  // net.core.wmem_max, rmem_max
constexpr int kEcnBits = 3;

std::uint32_t BufferSize(int value, std::uint32_t least) {
  return std::clamp(static_cast<std::uint32_t>(value), least, kMaxBuffer);
}

int SetSocketLevel(SocketOptions& options, int name, const OptionIn& in) {
  if (name == SO_LINGER) {
    const auto value = in.As<linger>();
    if (!value) return EINVAL;
    options.linger = value->l_onoff != 0;
    if (options.linger) options.linger_seconds = static_cast<std::uint32_t>(value->l_linger);
    return 0;
  }
  const auto value = in.As<int>();
  switch (name) {
    case SO_REUSEADDR:
      if (value) options.reuse_address = *value != 0;
      break;
    case SO_KEEPALIVE:
      if (value) options.keepalive = *value != 0;
      break;
    case SO_SNDBUF:
      if (value) options.send_buffer = BufferSize(*value, kMinSendBuffer);
      break;
    case SO_RCVBUF:
      if (value) options.receive_buffer = BufferSize(*value, kMinReceiveBuffer);
      break;
    default:
      return ENOPROTOOPT;
  }
  return value ? 0 : EINVAL;
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

int SetTcpLevel(SocketOptions& options, int name, const OptionIn& in) {
  constexpr int kMaxKeep = 32767;  // MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL
  constexpr int kMaxCount = 127;   // MAX_TCP_KEEPCNT, MAX_TCP_SYNCNT
  constexpr int kMaxFinWait2 = 120;
  const int value = in.As<int>().value_or(0);
  const bool short_value = in.length < sizeof(int);
  switch (name) {
    case TCP_NODELAY:
      options.no_delay = value != 0;
      return short_value ? EINVAL : 0;
    case TCP_MAXSEG:
      return short_value ? EINVAL : SetMaxSegment(options, value);
    case TCP_DEFER_ACCEPT:
      options.defer_accept = TimeoutsIn(value);
      return short_value ? EINVAL : 0;
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
      return short_value ? EINVAL : 0;
    case TCP_USER_TIMEOUT:
      return short_value ? EINVAL : SetInRange(options.user_timeout_ms, value, 0, INT32_MAX);
    default:
      return ENOPROTOOPT;
  }
}

int SetTos(SocketOptions& options, int value) {
  if (value < 0 || value > 255) return EINVAL;
  options.tos = static_cast<std::uint8_t>(value & ~kEcnBits);
  return 0;
}

int SetTtl(SocketOptions& options, int value) {
  return value == -1 ? (options.ttl = 0, 0) : SetInRange(options.ttl, value, 1, 255);
}

int SetIpLevel(SocketOptions& options, int name, const OptionIn& in) {
  if (name != IP_TOS && name != IP_TTL) return ENOPROTOOPT;
  const auto value = in.IntOrByte();
  if (!value) return EINVAL;
  // As Linux, which keeps the low byte of a TOS.
  return name == IP_TOS ? SetTos(options, *value & 0xff) : SetTtl(options, *value);
}

int SetIpv6Level(SocketOptions& options, bool bound, int name, const OptionIn& in) {
  const auto value = in.As<int>();
  switch (name) {
    case IPV6_V6ONLY:
      if (!value || bound) return EINVAL;
      options.v6_only = *value != 0;
      return 0;
    case IPV6_TCLASS:
      return value ? SetTos(options, *value == -1 ? 0 : *value) : EINVAL;
    case IPV6_UNICAST_HOPS:
      return value ? SetTtl(options, *value) : EINVAL;
    default:
      return ENOPROTOOPT;
  }
}

}  // namespace

int SetStackOption(Stack& stack, Time now, SocketId socket, bool ipv6, int level, int name,
                   const OptionIn& value) {
  auto options = stack.GetOptions(socket);
  const auto tuple = stack.GetTuple(socket);
  if (!options || !tuple) return EBADF;
  int error = ENOPROTOOPT;
  if (level == SOL_SOCKET) error = SetSocketLevel(*options, name, value);
  if (level == IPPROTO_TCP) error = SetTcpLevel(*options, name, value);
  if (level == IPPROTO_IP) error = SetIpLevel(*options, name, value);
  if (level == IPPROTO_IPV6 && ipv6) {
    error = SetIpv6Level(*options, tuple->local.port != 0, name, value);
  }
  if (error != 0) return error;
  const Result<void> result = stack.SetOptions(now, socket, *options);
  return result ? 0 : ToErrno(result.error());
}

}  // namespace estab::api
