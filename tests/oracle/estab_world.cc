#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "estab/estab.h"
#include "oracle/world.h"

namespace oracle {
namespace {

class EstabWorld final : public World {
 public:
  explicit EstabWorld(std::string profile) : profile_(std::move(profile)) {}
  ~EstabWorld() override { End(); }

  void Begin(bool ipv6) override {
    End();
    ipv6_ = ipv6;
    stack_ = estab_stack_create();
    Must(stack_ != nullptr, "create");
    Must(estab_sysctl_set(stack_, "estab.seed", "oracle") == 0, "seed");
    Must(estab_sysctl_set(stack_, "estab.profile", profile_.c_str()) == 0, "profile");
    Must(estab_sysctl_set(stack_, "net.ipv4.tcp_congestion_control", "reno") == 0, "reno");
    Must(estab_clock_virtual(stack_) == 0, "clock");
    link_ = estab_link_memory(stack_, 1500);
    Must(link_ >= 0, "link");
    Must(estab_address_add(stack_, link_, ipv6 ? "2001:db8::2/64" : "192.0.2.2/24") == 0,
         "address");
    Must(estab_route_add(stack_, link_, ipv6 ? "::/0" : "0.0.0.0/0", nullptr) == 0, "route");
    // Time does not begin at zero: a clock of zero hides mistakes.
    Must(estab_clock_advance(stack_, 10'000'000'000) == 0, "advance");
    begin_ = estab_clock_now(stack_);
  }

  void End() override {
    if (stack_ != nullptr) estab_stack_destroy(stack_);
    stack_ = nullptr;
  }

  Address HostAddress() const override { return ParseAddress(ipv6_ ? "2001:db8::2" : "192.0.2.2"); }

  Micros Now() override { return static_cast<Micros>((estab_clock_now(stack_) - begin_) / 1000); }

  void RunUntil(Micros until, const Sink& sink) override {
    const Micros now = Now();
    if (until > now) {
      Must(estab_clock_advance(stack_, static_cast<std::uint64_t>(until - now) * 1000) == 0,
           "advance");
    }
    std::vector<std::uint8_t> buffer(65536);
    std::uint64_t at = 0;
    while (true) {
      const ssize_t size = estab_wire_collect_at(stack_, link_, buffer.data(), buffer.size(), &at);
      Must(size >= 0, "collect");
      if (size == 0) return;
      sink(static_cast<Micros>((at - begin_) / 1000),
           {buffer.data(), static_cast<std::size_t>(size)});
    }
  }

  void Inject(std::span<const std::uint8_t> packet) override {
    Must(estab_wire_inject(stack_, link_, packet.data(), packet.size()) == 0, "inject");
  }

  int Set(const std::string& name, const std::string& value) override {
    return Result(estab_sysctl_set(stack_, name.c_str(), value.c_str()));
  }

  int Socket(int domain) override {
    return Result(estab_socket(stack_, domain, SOCK_STREAM | SOCK_NONBLOCK, 0));
  }
  int Bind(int s, const sockaddr* address, socklen_t length) override {
    return Result(estab_bind(stack_, s, address, length));
  }
  int Listen(int s, int backlog) override { return Result(estab_listen(stack_, s, backlog)); }
  int Accept(int s) override {
    return Result(estab_accept4(stack_, s, nullptr, nullptr, SOCK_NONBLOCK));
  }
  int Connect(int s, const sockaddr* address, socklen_t length) override {
    return Result(estab_connect(stack_, s, address, length));
  }
  int Send(int s, const void* data, std::size_t size, int flags, const sockaddr* address,
           socklen_t length) override {
    return Result(estab_sendto(stack_, s, data, size, flags | MSG_NOSIGNAL, address, length));
  }
  int Recv(int s, void* data, std::size_t size, int flags) override {
    return Result(estab_recv(stack_, s, data, size, flags));
  }
  int Shutdown(int s, int how) override { return Result(estab_shutdown(stack_, s, how)); }
  int Close(int s) override { return Result(estab_close(stack_, s)); }
  int SetOption(int s, int level, int name, const void* value, socklen_t length) override {
    return Result(estab_setsockopt(stack_, s, level, name, value, length));
  }
  int GetOption(int s, int level, int name, void* value, socklen_t* length) override {
    return Result(estab_getsockopt(stack_, s, level, name, value, length));
  }
  int Poll(pollfd* one) override { return Result(estab_poll(stack_, one, 1, 0)); }
  int Ioctl(int s, unsigned long request, int* value) override {
    return Result(estab_ioctl(stack_, s, request, value));
  }
  int Name(int s, bool peer, sockaddr* address, socklen_t* length) override {
    return Result(peer ? estab_getpeername(stack_, s, address, length)
                       : estab_getsockname(stack_, s, address, length));
  }

 private:
  static int Result(ssize_t value) { return value < 0 ? -errno : static_cast<int>(value); }
  static void Must(bool good, const char* what) {
    if (good) return;
    std::fprintf(stderr, "estab: %s failed (errno %d)\n", what, errno);
    std::abort();
  }

  std::string profile_;
  bool ipv6_ = false;
  estab_stack* stack_ = nullptr;
  int link_ = -1;
  std::uint64_t begin_ = 0;
};

}  // namespace

std::unique_ptr<World> MakeEstabWorld(const std::string& profile) {
  return std::make_unique<EstabWorld>(profile);
}

Address PeerAddress(bool ipv6) { return ParseAddress(ipv6 ? "2001:db8:1::1" : "198.51.100.1"); }

}  // namespace oracle
