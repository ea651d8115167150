// Two stacks of the C interface in virtual time, and the wire between them.
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "estab/estab.h"

namespace estab_test {

constexpr std::uint64_t kMs = 1'000'000;
constexpr std::uint64_t kSecond = 1'000'000'000;

/// What a test looks at in a TCP packet over IPv4 or IPv6.
struct Packet {
  static constexpr int kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16;
  std::uint64_t at = 0;
  std::vector<std::uint8_t> bytes;

  std::size_t tcp() const { return bytes[0] >> 4 == 4 ? (bytes[0] & 15u) * 4u : 40u; }
  int flags() const { return bytes[tcp() + 13]; }
  std::uint32_t Word(std::size_t at_byte) const {
    return std::uint32_t{bytes[at_byte]} << 24 | std::uint32_t{bytes[at_byte + 1]} << 16 |
           std::uint32_t{bytes[at_byte + 2]} << 8 | bytes[at_byte + 3];
  }
  std::uint32_t seq() const { return Word(tcp() + 4); }
  std::uint32_t ack() const { return Word(tcp() + 8); }
  std::size_t payload() const { return bytes.size() - tcp() - (bytes[tcp() + 12] >> 4) * 4u; }
};

/// One stack with one memory link.
class Side {
 public:
  Side(const char* v4, const char* v6) : stack_(estab_stack_create()) {
    EXPECT_NE(stack_, nullptr);
    EXPECT_EQ(estab_clock_virtual(stack_), 0);
    link_ = estab_link_memory(stack_, 1500);
    EXPECT_GE(link_, 0);
    EXPECT_EQ(estab_address_add(stack_, link_, v4), 0);
    EXPECT_EQ(estab_address_add(stack_, link_, v6), 0);
  }
  ~Side() { estab_stack_destroy(stack_); }
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  operator estab_stack*() const { return stack_; }  // NOLINT: it stands for the stack
  int link() const { return link_; }

  void Destroy() {
    estab_stack_destroy(stack_);
    stack_ = nullptr;
  }

  /// The next packet that left; empty bytes if there is none.
  Packet Collect() {
    Packet packet;
    std::array<std::uint8_t, 65536> buffer;
    const ssize_t n =
        estab_wire_collect_at(stack_, link_, buffer.data(), buffer.size(), &packet.at);
    EXPECT_GE(n, 0);
    packet.bytes.assign(buffer.begin(), buffer.begin() + n);
    return packet;
  }
  void Inject(const Packet& packet) {
    EXPECT_EQ(estab_wire_inject(stack_, link_, packet.bytes.data(), packet.bytes.size()), 0);
  }
  /// Everything that is in the queue.
  std::vector<Packet> Drain() {
    std::vector<Packet> all;
    for (Packet p = Collect(); !p.bytes.empty(); p = Collect()) all.push_back(std::move(p));
    return all;
  }

  int Tcp(int domain = AF_INET, int flags = 0) {
    const int s = estab_socket(stack_, domain, SOCK_STREAM | flags, 0);
    EXPECT_GE(s, 0);
    return s;
  }
  /// poll's bits of a socket now, those that are always reported included.
  int Bits(int s) {
    pollfd fd{s, POLLIN | POLLOUT | POLLRDHUP, 0};
    estab_poll(stack_, &fd, 1, 0);
    return fd.revents;
  }
  int Error(int s) {
    int error = -1;
    socklen_t size = sizeof(error);
    EXPECT_EQ(estab_getsockopt(stack_, s, SOL_SOCKET, SO_ERROR, &error, &size), 0);
    return error;
  }

 private:
  estab_stack* stack_;
  int link_ = -1;
};

inline sockaddr_in V4(const char* text, std::uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  inet_pton(AF_INET, text, &in.sin_addr);
  return in;
}
inline sockaddr_in6 V6(const char* text, std::uint16_t port) {
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(port);
  inet_pton(AF_INET6, text, &in6.sin6_addr);
  return in6;
}
template <class Address>
sockaddr* Sa(Address& address) {
  return reinterpret_cast<sockaddr*>(&address);
}

inline constexpr int kPort = 80;

/// a and b, and the wire. Packets take no time; `lose`, if set, decides which do not arrive.
class Pair : public ::testing::Test {
 protected:
  Side a{"192.0.2.1/24", "2001:db8::1/64"};
  Side b{"192.0.2.2/24", "2001:db8::2/64"};
  std::function<bool(bool from_a, const Packet&)> lose;

  /// Carries packets both ways until both sides are silent; returns how many.
  std::size_t Exchange() {
    std::size_t carried = 0;
    for (std::size_t before = carried + 1; before != carried;) {
      before = carried;
      carried += Carry(a, b, true) + Carry(b, a, false);
    }
    return carried;
  }
  void Advance(std::uint64_t ns) {
    EXPECT_EQ(estab_clock_advance(a, ns), 0);
    EXPECT_EQ(estab_clock_advance(b, ns), 0);
  }
  /// Lets time pass in steps, with packets carried at each.
  void Run(std::uint64_t ns, std::uint64_t step = 10 * kMs) {
    Exchange();
    for (std::uint64_t t = 0; t < ns; t += step) {
      Advance(step);
      Exchange();
    }
  }

  int ListenOnB(int backlog = 8, int domain = AF_INET) {
    const int l = b.Tcp(domain);
    if (domain == AF_INET) {
      sockaddr_in any = V4("0.0.0.0", kPort);
      EXPECT_EQ(estab_bind(b, l, Sa(any), sizeof(any)), 0);
    } else {
      sockaddr_in6 any = V6("::", kPort);
      EXPECT_EQ(estab_bind(b, l, Sa(any), sizeof(any)), 0);
    }
    EXPECT_EQ(estab_listen(b, l, backlog), 0);
    return l;
  }
  /// A non-blocking socket of a that has begun to connect to b.
  int StartConnect() {
    const int s = a.Tcp(AF_INET, SOCK_NONBLOCK);
    sockaddr_in to = V4("192.0.2.2", kPort);
    EXPECT_EQ(estab_connect(a, s, Sa(to), sizeof(to)), -1);
    EXPECT_EQ(errno, EINPROGRESS);
    return s;
  }
  struct Connected {
    int listener, client, server;
  };
  /// A connection from a to b; both ends non-blocking.
  Connected Connect() {
    Connected c{};
    c.listener = ListenOnB();
    c.client = StartConnect();
    Exchange();
    c.server = estab_accept4(b, c.listener, nullptr, nullptr, SOCK_NONBLOCK);
    EXPECT_GE(c.server, 0);
    EXPECT_EQ(a.Error(c.client), 0);
    return c;
  }

 private:
  std::size_t Carry(Side& from, Side& to, bool from_a) {
    std::size_t n = 0;
    for (Packet& p : from.Drain()) {
      ++n;
      if (!lose || !lose(from_a, p)) to.Inject(p);
    }
    return n;
  }
};

/// Whether the threads of this process but the calling one all sleep.
inline bool OthersSleep() {
  const std::string self = std::to_string(gettid());
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    if (thread.path().filename() == self) continue;
    std::string line;
    std::getline(std::ifstream(thread.path() / "stat"), line);
    const std::size_t name_end = line.rfind(')');  // the state is the next word
    if (name_end != std::string::npos && line.compare(name_end + 2, 1, "R") == 0) return false;
  }
  return true;
}

/// Waits (in real time) until a thread is waiting in a call. There is no way to ask, so a moment
/// has to do, and on a busy machine as many more as it takes until no other thread runs.
inline void LetItBlock() {
  for (int moments = 0; moments < 100; ++moments) {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    if (OthersSleep()) return;
  }
}

}  // namespace estab_test
