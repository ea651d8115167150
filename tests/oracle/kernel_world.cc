#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "oracle/world.h"

namespace oracle {
namespace {

constexpr int kFirstHost = 2;
constexpr int kLastHost = 250;

/// One request to the kernel's routing socket; -errno if it refuses.
class RouteRequest {
 public:
  RouteRequest(std::uint16_t type, std::uint16_t flags) {
    header()->nlmsg_type = type;
    header()->nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST | NLM_F_ACK);
    header()->nlmsg_len = NLMSG_LENGTH(0);
  }

  template <typename Body>
  void Add(const Body& body) {
    std::memcpy(buffer_ + header()->nlmsg_len, &body, sizeof body);
    header()->nlmsg_len += NLMSG_ALIGN(sizeof body);
  }

  void Attribute(std::uint16_t type, const void* value, std::size_t size) {
    const rtattr head = {static_cast<unsigned short>(RTA_LENGTH(size)), type};
    std::memcpy(buffer_ + header()->nlmsg_len, &head, sizeof head);
    std::memcpy(buffer_ + header()->nlmsg_len + RTA_LENGTH(0), value, size);
    header()->nlmsg_len += static_cast<std::uint32_t>(RTA_SPACE(size));
  }

  int Send() {
    const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) return -errno;
    int result = -EIO;
    if (send(fd, buffer_, header()->nlmsg_len, 0) < 0) {
      result = -errno;
    } else {
      alignas(nlmsghdr) char answer[1024];
      if (recv(fd, answer, sizeof answer, 0) >= static_cast<ssize_t>(NLMSG_LENGTH(sizeof(int)))) {
        std::memcpy(&result, answer + NLMSG_LENGTH(0), sizeof result);
      }
    }
    close(fd);
    return result;
  }

 private:
  nlmsghdr* header() { return reinterpret_cast<nlmsghdr*>(buffer_); }
  alignas(nlmsghdr) char buffer_[512] = {};
};

int ChangeAddress(const Address& address, int index, bool add) {
  RouteRequest request(add ? RTM_NEWADDR : RTM_DELADDR,
                       static_cast<std::uint16_t>(add ? NLM_F_CREATE | NLM_F_EXCL : 0));
  ifaddrmsg body = {};
  body.ifa_family = address.ipv6 ? AF_INET6 : AF_INET;
  body.ifa_prefixlen = address.ipv6 ? 64 : 24;
  body.ifa_flags = IFA_F_NODAD;
  body.ifa_index = static_cast<std::uint32_t>(index);
  request.Add(body);
  request.Attribute(IFA_LOCAL, address.bytes.data(), address.size());
  request.Attribute(IFA_ADDRESS, address.bytes.data(), address.size());
  return request.Send();
}

int AddDefaultRoute(bool ipv6, int index) {
  RouteRequest request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
  rtmsg body = {};
  body.rtm_family = ipv6 ? AF_INET6 : AF_INET;
  body.rtm_table = RT_TABLE_MAIN;
  body.rtm_protocol = RTPROT_STATIC;
  body.rtm_scope = RT_SCOPE_UNIVERSE;
  body.rtm_type = RTN_UNICAST;
  request.Add(body);
  request.Attribute(RTA_OIF, &index, sizeof index);
  return request.Send();
}

bool BringUp(const char* device) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  ifreq request = {};
  std::strncpy(request.ifr_name, device, IFNAMSIZ - 1);
  bool good = ioctl(fd, SIOCGIFFLAGS, &request) == 0;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  good = good && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  close(fd);
  return good;
}

std::string SettingPath(const std::string& name) {
  std::string path = "/proc/sys/";
  for (const char c : name) path.push_back(c == '.' ? '/' : c);
  return path;
}

std::string ReadSetting(const std::string& name) {
  std::string text(256, '\0');
  const int fd = open(SettingPath(name).c_str(), O_RDONLY | O_CLOEXEC);
  const ssize_t size = fd < 0 ? -1 : read(fd, text.data(), text.size());
  if (fd >= 0) close(fd);
  text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

int WriteSetting(const std::string& name, const std::string& value) {
  const int fd = open(SettingPath(name).c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  const int result = write(fd, value.data(), value.size()) < 0 ? -errno : 0;
  close(fd);
  return result;
}

/// What this machine's administrator may have changed, or what depends on its memory: as estab has
/// it. Everything else of a new namespace is the kernel's default.
constexpr std::pair<const char*, const char*> kBaseline[] = {
    {"net.ipv4.tcp_congestion_control", "reno"},  // the one that every kernel lets everybody have
    {"net.ipv4.tcp_rmem", "4096 131072 6291456"},
    {"net.ipv4.tcp_wmem", "4096 16384 4194304"},
    {"net.ipv4.tcp_no_metrics_save", "1"},
    {"net.ipv4.tcp_max_syn_backlog", "1024"},
    {"net.ipv4.conf.all.rp_filter", "0"},
    {"net.ipv4.conf.default.rp_filter", "0"},
    {"net.ipv6.conf.default.accept_dad", "0"},
    {"net.ipv6.conf.default.router_solicitations", "0"},
};

class KernelWorld final : public World {
 public:
  ~KernelWorld() override {
    if (tun_ >= 0) close(tun_);
  }

  std::string Open() {
    if (unshare(CLONE_NEWNET) != 0) return std::string("no network namespace: ") + strerror(errno);
    for (const auto& [name, value] : kBaseline) {
      if (const int error = WriteSetting(name, value); error != 0) {
        return std::string(name) + ": " + strerror(-error);
      }
    }
    tun_ = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tun_ < 0) return std::string("/dev/net/tun: ") + strerror(errno);
    ifreq request = {};
    std::strncpy(request.ifr_name, "oracle", IFNAMSIZ - 1);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (ioctl(tun_, TUNSETIFF, &request) != 0) return std::string("TUNSETIFF: ") + strerror(errno);
    if (!BringUp("lo") || !BringUp("oracle")) return "a device cannot be brought up";
    index_ = static_cast<int>(if_nametoindex("oracle"));
    return "";
  }

  void Begin(bool ipv6) override {
    ipv6_ = ipv6;
    if (++host_ > kLastHost) host_ = kFirstHost;
    // With its last address a device loses its routes.
    if (ChangeAddress(HostAddress(), index_, true) != 0 || AddDefaultRoute(ipv6, index_) != 0) {
      std::fprintf(stderr, "an address or a route is refused\n");
      std::exit(2);
    }
    // An IPv6 address works a moment after it has been added.
    if (ipv6) std::this_thread::sleep_for(std::chrono::milliseconds(30));
    Drain();
    begin_ = std::chrono::steady_clock::now();
  }

  void End() override {
    for (const int s : open_) Abort(s);
    open_.clear();
    for (auto change = changed_.rbegin(); change != changed_.rend(); ++change) {
      WriteSetting(change->first, change->second);
    }
    changed_.clear();
    ChangeAddress(HostAddress(), index_, false);
  }

  Address HostAddress() const override { return Host(host_, ipv6_); }

  Micros Now() override {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                                 begin_)
        .count();
  }

  void RunUntil(Micros until, const Sink& sink) override {
    std::uint8_t buffer[65536];
    while (true) {
      const ssize_t size = read(tun_, buffer, sizeof buffer);
      if (size > 0) {
        const std::span<const std::uint8_t> packet(buffer, static_cast<std::size_t>(size));
        if (FromThisRun(packet)) sink(Now(), packet);
        continue;
      }
      const Micros left = until - Now();
      if (left <= 0) return;
      pollfd one = {tun_, POLLIN, 0};
      const timespec timeout = {left / 1'000'000, left % 1'000'000 * 1000};
      ppoll(&one, 1, &timeout, nullptr);
    }
  }

  void Inject(std::span<const std::uint8_t> packet) override {
    if (write(tun_, packet.data(), packet.size()) < 0) {
      std::fprintf(stderr, "the TUN device refuses a packet: %s\n", strerror(errno));
    }
  }

  int Set(const std::string& name, const std::string& value) override {
    const std::string before = ReadSetting(name);
    const int result = WriteSetting(name, value);
    if (result == 0) changed_.emplace_back(name, before);
    return result;
  }

  int Socket(int domain) override {
    return Opened(socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  }
  int Bind(int s, const sockaddr* address, socklen_t length) override {
    return Result(bind(s, address, length));
  }
  int Listen(int s, int backlog) override { return Result(listen(s, backlog)); }
  int Accept(int s) override {
    return Opened(accept4(s, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  }
  int Connect(int s, const sockaddr* address, socklen_t length) override {
    return Result(connect(s, address, length));
  }
  int Send(int s, const void* data, std::size_t size, int flags, const sockaddr* address,
           socklen_t length) override {
    return Result(sendto(s, data, size, flags | MSG_NOSIGNAL, address, length));
  }
  int Recv(int s, void* data, std::size_t size, int flags) override {
    return Result(recv(s, data, size, flags));
  }
  int Shutdown(int s, int how) override { return Result(shutdown(s, how)); }
  int Close(int s) override {
    std::erase(open_, s);
    return Result(close(s));
  }
  int SetOption(int s, int level, int name, const void* value, socklen_t length) override {
    return Result(setsockopt(s, level, name, value, length));
  }
  int GetOption(int s, int level, int name, void* value, socklen_t* length) override {
    return Result(getsockopt(s, level, name, value, length));
  }
  int Poll(pollfd* one) override { return Result(poll(one, 1, 0)); }
  int Ioctl(int s, unsigned long request, int* value) override {
    return Result(ioctl(s, request, value));
  }
  int Name(int s, bool peer, sockaddr* address, socklen_t* length) override {
    return Result(peer ? getpeername(s, address, length) : getsockname(s, address, length));
  }

 private:
  static int Result(ssize_t value) { return value < 0 ? -errno : static_cast<int>(value); }

  int Opened(int s) {
    if (s < 0) return -errno;
    open_.push_back(s);
    return s;
  }

  static void Abort(int s) {
    const linger now = {1, 0};
    setsockopt(s, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(s);
  }

  static Address Host(int number, bool ipv6) {
    char text[32];
    std::snprintf(text, sizeof text, ipv6 ? "2001:db8::%x" : "192.0.2.%d", number);
    return ParseAddress(text);
  }

  /// Orphans of earlier runs go on talking, from their own addresses.
  bool FromThisRun(std::span<const std::uint8_t> packet) const {
    const Address host = HostAddress();
    const std::size_t at = ipv6_ ? 8 : 12;
    return packet.size() >= at + host.size() && packet[0] >> 4 == (ipv6_ ? 6 : 4) &&
           std::memcmp(&packet[at], host.bytes.data(), host.size()) == 0;
  }

  void Drain() {
    std::uint8_t buffer[65536];
    while (read(tun_, buffer, sizeof buffer) > 0) {
    }
  }

  bool ipv6_ = false;
  int tun_ = -1;
  int index_ = 0;
  int host_ = kFirstHost - 1;
  std::vector<int> open_;
  std::vector<std::pair<std::string, std::string>> changed_;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace

std::unique_ptr<World> MakeKernelWorld(std::string* why) {
  auto world = std::make_unique<KernelWorld>();
  *why = world->Open();
  if (!why->empty()) world.reset();
  return world;
}

}  // namespace oracle
