#include "oracle/options.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

// <netinet/tcp.h> and <linux/tcp.h> cannot both be had: these are the same numbers.
namespace oracle {
namespace {

enum class Kind { kInt, kLinger, kTime, kName };
struct Option {
  const char* name;
  int level, number;
  Kind kind = Kind::kInt;
};

constexpr std::array kOptions = {
    Option{"SO_LINGER", SOL_SOCKET, SO_LINGER, Kind::kLinger},
    Option{"SO_RCVTIMEO", SOL_SOCKET, SO_RCVTIMEO, Kind::kTime},
    Option{"SO_SNDTIMEO", SOL_SOCKET, SO_SNDTIMEO, Kind::kTime},
    Option{"SO_ERROR", SOL_SOCKET, SO_ERROR},
    Option{"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR},
    Option{"SO_REUSEPORT", SOL_SOCKET, SO_REUSEPORT},
    Option{"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE},
    Option{"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF},
    Option{"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF},
    Option{"SO_RCVLOWAT", SOL_SOCKET, SO_RCVLOWAT},
    Option{"SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE},
    Option{"SO_ACCEPTCONN", SOL_SOCKET, SO_ACCEPTCONN},
    Option{"SO_DOMAIN", SOL_SOCKET, SO_DOMAIN},
    Option{"SO_TYPE", SOL_SOCKET, SO_TYPE},
    Option{"SO_PROTOCOL", SOL_SOCKET, SO_PROTOCOL},
    Option{"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY},
    Option{"TCP_MAXSEG", IPPROTO_TCP, TCP_MAXSEG},
    Option{"TCP_CORK", IPPROTO_TCP, TCP_CORK},
    Option{"TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE},
    Option{"TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL},
    Option{"TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT},
    Option{"TCP_SYNCNT", IPPROTO_TCP, TCP_SYNCNT},
    Option{"TCP_LINGER2", IPPROTO_TCP, TCP_LINGER2},
    Option{"TCP_DEFER_ACCEPT", IPPROTO_TCP, TCP_DEFER_ACCEPT},
    Option{"TCP_WINDOW_CLAMP", IPPROTO_TCP, TCP_WINDOW_CLAMP},
    Option{"TCP_QUICKACK", IPPROTO_TCP, TCP_QUICKACK},
    Option{"TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT},
    Option{"TCP_FASTOPEN", IPPROTO_TCP, TCP_FASTOPEN},
    Option{"TCP_FASTOPEN_CONNECT", IPPROTO_TCP, TCP_FASTOPEN_CONNECT},
    Option{"TCP_NOTSENT_LOWAT", IPPROTO_TCP, TCP_NOTSENT_LOWAT},
    Option{"TCP_CONGESTION", IPPROTO_TCP, TCP_CONGESTION, Kind::kName},
    Option{"IP_TOS", IPPROTO_IP, IP_TOS},
    Option{"IP_TTL", IPPROTO_IP, IP_TTL},
    Option{"IP_MTU_DISCOVER", IPPROTO_IP, IP_MTU_DISCOVER},
    Option{"IP_MTU", IPPROTO_IP, IP_MTU},
    Option{"IPV6_MTU_DISCOVER", IPPROTO_IPV6, IPV6_MTU_DISCOVER},
    Option{"IPV6_MTU", IPPROTO_IPV6, IPV6_MTU},
    Option{"IP_FREEBIND", IPPROTO_IP, IP_FREEBIND},
    Option{"IPV6_TCLASS", IPPROTO_IPV6, IPV6_TCLASS},
    Option{"IPV6_UNICAST_HOPS", IPPROTO_IPV6, IPV6_UNICAST_HOPS},
    Option{"IPV6_V6ONLY", IPPROTO_IPV6, IPV6_V6ONLY},
    Option{"NONE", SOL_SOCKET, 999},
};

const Option* Find(const std::string& name) {
  const auto* found = std::find_if(kOptions.begin(), kOptions.end(),
                                   [&](const Option& o) { return name == o.name; });
  return found == kOptions.end() ? nullptr : found;
}

bool GetInfo(World& world, int s, tcp_info* info, int* error) {
  std::memset(info, 0, sizeof *info);
  socklen_t length = sizeof *info;
  *error = world.GetOption(s, IPPROTO_TCP, TCP_INFO, info, &length);
  return *error >= 0;
}

constexpr std::array kStates = {"0",          "ESTABLISHED", "SYN_SENT",  "SYN_RCVD",
                                "FIN_WAIT_1", "FIN_WAIT_2",  "TIME_WAIT", "CLOSED",
                                "CLOSE_WAIT", "LAST_ACK",    "LISTEN",    "CLOSING"};

std::string StateName(std::uint8_t state) {
  return state < kStates.size() ? kStates[state] : std::to_string(state);
}

std::string Field(const char* name, std::uint32_t value) {
  return std::string(" ") + name + "=" + std::to_string(value);
}

}  // namespace

std::string ResultText(int result) {
  if (result >= 0) return std::to_string(result);
  const char* name = strerrorname_np(-result);
  return name != nullptr ? name : std::to_string(result);
}

std::string SetOption(World& world, int s, const std::vector<std::string>& words) {
  const Option* option = Find(words[0]);
  if (option == nullptr) return "no such option";
  std::int64_t first = 0;
  std::int64_t second = 0;
  if (option->kind == Kind::kTime) {
    const Micros time = ParseSeconds(words[1]);
    const timeval value = {time / 1'000'000, time % 1'000'000};
    return ResultText(world.SetOption(s, option->level, option->number, &value, sizeof value));
  }
  if (option->kind == Kind::kName) {
    const std::string& name = words[1];
    return ResultText(world.SetOption(s, option->level, option->number, name.data(),
                                      static_cast<socklen_t>(name.size())));
  }
  if (!ParseNumber(words[1], &first)) return "not a number";
  if (option->kind == Kind::kLinger) {
    if (words.size() < 3 || !ParseNumber(words[2], &second)) return "not a number";
    const linger value = {static_cast<int>(first), static_cast<int>(second)};
    return ResultText(world.SetOption(s, option->level, option->number, &value, sizeof value));
  }
  const int value = static_cast<int>(first);
  return ResultText(world.SetOption(s, option->level, option->number, &value, sizeof value));
}

std::string GetOption(World& world, int s, const std::string& name) {
  const Option* option = Find(name);
  if (option == nullptr) return "no such option";
  if (option->kind == Kind::kLinger) {
    linger value = {};
    socklen_t length = sizeof value;
    const int result = world.GetOption(s, option->level, option->number, &value, &length);
    if (result < 0) return ResultText(result);
    return std::to_string(value.l_onoff) + " " + std::to_string(value.l_linger);
  }
  if (option->kind == Kind::kTime) {
    timeval value = {};
    socklen_t length = sizeof value;
    const int result = world.GetOption(s, option->level, option->number, &value, &length);
    if (result < 0) return ResultText(result);
    return std::to_string(value.tv_sec) + "s " + std::to_string(value.tv_usec) + "us";
  }
  int value = 0;
  socklen_t length = sizeof value;
  const int result = world.GetOption(s, option->level, option->number, &value, &length);
  if (result < 0) return ResultText(result);
  if (name == "SO_ERROR") return value == 0 ? "none" : ResultText(-value);
  return std::to_string(value);
}

std::string StateText(World& world, int s) {
  tcp_info info;
  int error = 0;
  return GetInfo(world, s, &info, &error) ? StateName(info.tcpi_state) : ResultText(error);
}

std::string InfoText(World& world, int s) {
  tcp_info info;
  int error = 0;
  if (!GetInfo(world, s, &info, &error)) return ResultText(error);
  return StateName(info.tcpi_state) + Field("retransmits", info.tcpi_retransmits) +
         Field("probes", info.tcpi_probes) + Field("backoff", info.tcpi_backoff) +
         Field("options", info.tcpi_options) + Field("snd_wscale", info.tcpi_snd_wscale) +
         Field("rcv_wscale", info.tcpi_rcv_wscale) + Field("snd_mss", info.tcpi_snd_mss) +
         Field("advmss", info.tcpi_advmss) + Field("unacked", info.tcpi_unacked);
}

std::string LossText(World& world, int s) {
  tcp_info info;
  int error = 0;
  if (!GetInfo(world, s, &info, &error)) return ResultText(error);
  constexpr std::array kStands = {"open", "disorder", "reduced", "recovery", "loss"};
  return kStands.at(info.tcpi_ca_state) + Field("cwnd", info.tcpi_snd_cwnd) +
         Field("ssthresh", info.tcpi_snd_ssthresh) + Field("unacked", info.tcpi_unacked) +
         Field("sacked", info.tcpi_sacked) + Field("lost", info.tcpi_lost) +
         Field("retrans", info.tcpi_retrans) + Field("total_retrans", info.tcpi_total_retrans) +
         Field("retransmits", info.tcpi_retransmits) + Field("backoff", info.tcpi_backoff) +
         Field("reordering", info.tcpi_reordering) +
         Field("reordered", info.tcpi_reord_seen != 0 ? 1 : 0);
}

std::string PollText(World& world, int s) {
  pollfd one = {s, POLLIN | POLLPRI | POLLOUT | POLLRDHUP, 0};
  const int result = world.Poll(&one);
  if (result < 0) return ResultText(result);
  constexpr std::pair<int, const char*> kBits[] = {
      {POLLIN, "IN"},   {POLLPRI, "PRI"}, {POLLOUT, "OUT"},   {POLLRDHUP, "RDHUP"},
      {POLLERR, "ERR"}, {POLLHUP, "HUP"}, {POLLNVAL, "NVAL"},
  };
  std::string text;
  for (const auto& [bit, name] : kBits) {
    if ((one.revents & bit) != 0) text += (text.empty() ? "" : " ") + std::string(name);
  }
  return text.empty() ? "nothing" : text;
}

int MessageFlags(const std::string& text) {
  constexpr std::pair<const char*, int> kFlags[] = {
      {"peek", MSG_PEEK},         {"oob", MSG_OOB},   {"dontwait", MSG_DONTWAIT},
      {"trunc", MSG_TRUNC},       {"more", MSG_MORE}, {"waitall", MSG_WAITALL},
      {"fastopen", MSG_FASTOPEN}, {"0", 0},
  };
  int flags = 0;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t bar = std::min(text.find('|', at), text.size());
    const std::string one = text.substr(at, bar - at);
    const auto* found = std::find_if(std::begin(kFlags), std::end(kFlags),
                                     [&](const auto& f) { return one == f.first; });
    if (found == std::end(kFlags)) return -1;
    flags |= found->second;
    at = bar + 1;
  }
  return flags;
}

}  // namespace oracle
