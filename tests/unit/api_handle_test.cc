// The C interface where no packet is needed: handles, arguments, addresses, options.
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include <string>

#include "api_pair.h"

namespace estab_test {
namespace {

// TCP_CLOSE of <netinet/tcp.h>, which does not go with <linux/tcp.h>.
constexpr int kClosed = 7;

class ApiHandle : public ::testing::Test {
 protected:
  Side a{"192.0.2.1/24", "2001:db8::1/64"};

  int SetInt(int s, int level, int name, int value) {
    return estab_setsockopt(a, s, level, name, &value, sizeof(value)) == 0 ? 0 : errno;
  }
  int GetInt(int s, int level, int name) {
    int value = -12345;
    socklen_t size = sizeof(value);
    EXPECT_EQ(estab_getsockopt(a, s, level, name, &value, &size), 0) << level << " " << name;
    EXPECT_EQ(size, sizeof(value));
    return value;
  }
};

TEST_F(ApiHandle, LowestFreeHandleFirst) {
  EXPECT_EQ(a.Tcp(), 0);
  EXPECT_EQ(a.Tcp(), 1);
  EXPECT_EQ(a.Tcp(), 2);
  EXPECT_EQ(estab_close(a, 1), 0);
  EXPECT_EQ(estab_close(a, 0), 0);
  EXPECT_EQ(a.Tcp(), 0);
  EXPECT_EQ(a.Tcp(), 1);
  EXPECT_EQ(a.Tcp(), 3);
}

TEST_F(ApiHandle, DuplicatesShareTheSocket) {
  const int s = a.Tcp();
  const int d = estab_fcntl(a, s, F_DUPFD, 5);
  EXPECT_EQ(d, 5);
  EXPECT_EQ(a.Tcp(), 1);  // those that were skipped are free
  EXPECT_EQ(estab_fcntl(a, s, F_DUPFD_CLOEXEC, 5), 6);
  EXPECT_EQ(estab_fcntl(a, 6, F_GETFD, 0), FD_CLOEXEC);
  EXPECT_EQ(estab_fcntl(a, d, F_GETFD, 0), 0);
  EXPECT_EQ(estab_fcntl(a, d, F_SETFL, O_NONBLOCK), 0);
  EXPECT_EQ(estab_fcntl(a, s, F_GETFL, 0), O_RDWR | O_NONBLOCK);
  EXPECT_EQ(estab_close(a, s), 0);
  EXPECT_EQ(estab_fcntl(a, d, F_GETFL, 0), O_RDWR | O_NONBLOCK);
  EXPECT_EQ(estab_close(a, d), 0);
  EXPECT_EQ(estab_close(a, 6), 0);
  EXPECT_EQ(estab_fcntl(a, d, F_GETFL, 0), -1);
  EXPECT_EQ(errno, EBADF);
}

TEST_F(ApiHandle, BadHandlesEverywhere) {
  const int bad[] = {-1, 0, 7, 1 << 21};
  for (const int s : bad) {
    char c = 0;
    sockaddr_in in = V4("0.0.0.0", 0);
    socklen_t size = sizeof(in);
    const std::function<ssize_t()> calls[] = {
        [&] { return estab_bind(a, s, Sa(in), size); },
        [&] { return estab_listen(a, s, 1); },
        [&] { return estab_accept4(a, s, nullptr, nullptr, 0); },
        [&] { return estab_connect(a, s, Sa(in), size); },
        [&] { return estab_send(a, s, &c, 1, 0); },
        [&] { return estab_recv(a, s, &c, 1, 0); },
        [&] { return estab_shutdown(a, s, SHUT_WR); },
        [&] { return estab_close(a, s); },
        [&] { return estab_setsockopt(a, s, SOL_SOCKET, SO_KEEPALIVE, &s, sizeof(s)); },
        [&] { return estab_getsockopt(a, s, SOL_SOCKET, SO_ERROR, &in, &size); },
        [&] { return estab_getsockname(a, s, Sa(in), &size); },
        [&] { return estab_getpeername(a, s, Sa(in), &size); },
        [&] { return estab_fcntl(a, s, F_GETFL, 0); },
        [&] { return estab_fcntl(a, s, 9999, 0); },
        [&] { return estab_ioctl(a, s, FIONREAD, &in); },
        [&] { return estab_ioctl(a, s, 9999, &in); },
        [&] { return estab_why(a, s, &c, 1); }};
    int index = 0;
    for (const auto& call : calls) {
      errno = 0;
      EXPECT_EQ(call(), -1) << "call " << index << " handle " << s;
      EXPECT_EQ(errno, EBADF) << "call " << index << " handle " << s;
      ++index;
    }
  }
  pollfd fds[] = {{-5, POLLIN, 77}, {3, POLLIN, 0}};
  EXPECT_EQ(estab_poll(a, fds, 2, -1), 1);
  EXPECT_EQ(fds[0].revents, 0);
  EXPECT_EQ(fds[1].revents, POLLNVAL);
}

TEST_F(ApiHandle, WhatSocketTakes) {
  const auto fails = [&](int domain, int type, int protocol) {
    return estab_socket(a, domain, type, protocol) == -1 ? errno : 0;
  };
  EXPECT_EQ(fails(AF_INET, SOCK_STREAM, IPPROTO_TCP), 0);
  EXPECT_EQ(fails(AF_UNIX, SOCK_STREAM, 0), EAFNOSUPPORT);
  EXPECT_EQ(fails(AF_INET, SOCK_DGRAM, 0), ESOCKTNOSUPPORT);
  EXPECT_EQ(fails(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
  EXPECT_EQ(fails(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
  EXPECT_EQ(fails(AF_INET, SOCK_STREAM | 0x10, 0), EINVAL);
  EXPECT_EQ(fails(AF_INET, 11, 0), EINVAL);
}

TEST_F(ApiHandle, WhatBindTakes) {
  const int s = a.Tcp();
  sockaddr_in in = V4("198.51.100.1", 80);
  EXPECT_EQ(estab_bind(a, s, Sa(in), sizeof(in)), -1);
  EXPECT_EQ(errno, EADDRNOTAVAIL);
  EXPECT_EQ(estab_bind(a, s, Sa(in), 8), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(estab_bind(a, s, nullptr, sizeof(in)), -1);
  EXPECT_EQ(errno, EFAULT);
  sockaddr_in6 in6 = V6("::", 80);
  EXPECT_EQ(estab_bind(a, s, Sa(in6), sizeof(in6)), -1);
  EXPECT_EQ(errno, EAFNOSUPPORT);
  in = V4("0.0.0.0", 80);
  EXPECT_EQ(estab_bind(a, s, Sa(in), sizeof(in)), 0);
  EXPECT_EQ(estab_bind(a, s, Sa(in), sizeof(in)), -1);
  EXPECT_EQ(errno, EINVAL);
  const int other = a.Tcp();
  EXPECT_EQ(estab_bind(a, other, Sa(in), sizeof(in)), -1);
  EXPECT_EQ(errno, EADDRINUSE);
  const int six = a.Tcp(AF_INET6);
  EXPECT_EQ(estab_bind(a, six, Sa(in), sizeof(in)), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_F(ApiHandle, OptionsRoundTrip) {
  const int s = a.Tcp(AF_INET6);
  struct Case {
    int level, name, value;
  };
  const Case cases[] = {{SOL_SOCKET, SO_REUSEADDR, 1},       {SOL_SOCKET, SO_KEEPALIVE, 1},
                        {IPPROTO_TCP, TCP_NODELAY, 1},       {IPPROTO_TCP, TCP_MAXSEG, 1000},
                        {IPPROTO_TCP, TCP_KEEPIDLE, 11},     {IPPROTO_TCP, TCP_KEEPINTVL, 12},
                        {IPPROTO_TCP, TCP_KEEPCNT, 13},      {IPPROTO_TCP, TCP_SYNCNT, 3},
                        {IPPROTO_TCP, TCP_LINGER2, 14},      {IPPROTO_TCP, TCP_USER_TIMEOUT, 15000},
                        {IPPROTO_IP, IP_TOS, 0x10},          {IPPROTO_IP, IP_TTL, 7},
                        {IPPROTO_IPV6, IPV6_V6ONLY, 1},      {IPPROTO_IPV6, IPV6_TCLASS, 0x20},
                        {IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9}};
  for (const Case& c : cases) {
    EXPECT_NE(GetInt(s, c.level, c.name), c.value) << c.level << " " << c.name;
    EXPECT_EQ(SetInt(s, c.level, c.name, c.value), 0) << c.level << " " << c.name;
    EXPECT_EQ(GetInt(s, c.level, c.name), c.value) << c.level << " " << c.name;
  }
  EXPECT_EQ(GetInt(s, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
  EXPECT_EQ(GetInt(s, SOL_SOCKET, SO_DOMAIN), AF_INET6);
  EXPECT_EQ(GetInt(s, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
  EXPECT_EQ(GetInt(s, SOL_SOCKET, SO_ACCEPTCONN), 0);
}

TEST_F(ApiHandle, DefaultsComeFromSettings) {
  const int s = a.Tcp();
  EXPECT_EQ(GetInt(s, IPPROTO_TCP, TCP_SYNCNT), 5);
  ASSERT_EQ(estab_sysctl_set(a, "net.ipv4.tcp_syn_retries", "3"), 0);
  EXPECT_EQ(GetInt(s, IPPROTO_TCP, TCP_SYNCNT), 3);
  char text[128];
  EXPECT_EQ(estab_sysctl_get(a, "net.ipv4.tcp_syn_retries", text, sizeof(text)), 0);
  EXPECT_STREQ(text, "3");
  EXPECT_EQ(estab_sysctl_get(a, "net.ipv4.tcp_syn_retries", text, 1), -1);
  EXPECT_EQ(errno, ERANGE);
  EXPECT_EQ(estab_sysctl_set(a, "net.ipv4.no_such_thing", "3"), -1);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(estab_sysctl_set(a, "net.ipv4.tcp_syn_retries", "many"), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_F(ApiHandle, OptionRangesAsLinux) {
  const int s = a.Tcp();
  EXPECT_EQ(SetInt(s, IPPROTO_TCP, TCP_MAXSEG, 87), EINVAL);
  EXPECT_EQ(SetInt(s, IPPROTO_TCP, TCP_MAXSEG, 32768), EINVAL);
  EXPECT_EQ(SetInt(s, IPPROTO_TCP, TCP_KEEPIDLE, 0), EINVAL);
  EXPECT_EQ(SetInt(s, IPPROTO_TCP, TCP_KEEPIDLE, 32768), EINVAL);
  EXPECT_EQ(SetInt(s, IPPROTO_TCP, TCP_SYNCNT, 128), EINVAL);
  EXPECT_EQ(SetInt(s, IPPROTO_TCP, TCP_USER_TIMEOUT, -1), EINVAL);
  EXPECT_EQ(SetInt(s, IPPROTO_IP, IP_TTL, 0), EINVAL);
  EXPECT_EQ(SetInt(s, IPPROTO_IP, IP_TTL, 256), EINVAL);
  EXPECT_EQ(SetInt(s, IPPROTO_TCP, TCP_LINGER2, 100000), 0);
  EXPECT_EQ(GetInt(s, IPPROTO_TCP, TCP_LINGER2), 120);
  EXPECT_EQ(SetInt(s, IPPROTO_IP, IP_TOS, 0x13), 0);
  EXPECT_EQ(GetInt(s, IPPROTO_IP, IP_TOS), 0x10);
  EXPECT_EQ(GetInt(s, IPPROTO_TCP, TCP_MAXSEG), 536);
}

TEST_F(ApiHandle, BufferSizesAreDoubledAndBounded) {
  const int s = a.Tcp();
  EXPECT_EQ(GetInt(s, SOL_SOCKET, SO_SNDBUF), 16384);
  EXPECT_EQ(GetInt(s, SOL_SOCKET, SO_RCVBUF), 131072);
  EXPECT_EQ(SetInt(s, SOL_SOCKET, SO_SNDBUF, 50000), 0);
  EXPECT_EQ(GetInt(s, SOL_SOCKET, SO_SNDBUF), 100000);
  EXPECT_EQ(SetInt(s, SOL_SOCKET, SO_SNDBUF, 1), 0);
  EXPECT_EQ(GetInt(s, SOL_SOCKET, SO_SNDBUF), 4608);
  EXPECT_EQ(SetInt(s, SOL_SOCKET, SO_RCVBUF, 1), 0);
  EXPECT_EQ(GetInt(s, SOL_SOCKET, SO_RCVBUF), 2304);
  EXPECT_EQ(SetInt(s, SOL_SOCKET, SO_RCVBUF, 1 << 30), 0);
  EXPECT_EQ(GetInt(s, SOL_SOCKET, SO_RCVBUF), 8388608);
}

TEST_F(ApiHandle, UnknownOptionsAreNeverAccepted) {
  const int s = a.Tcp();
  const int pairs[][2] = {
      {SOL_SOCKET, SO_PRIORITY},   {SOL_SOCKET, SO_BROADCAST}, {SOL_SOCKET, SO_TYPE},
      {SOL_SOCKET, 9999},          {IPPROTO_TCP, TCP_REPAIR},  {IPPROTO_TCP, TCP_ULP},
      {IPPROTO_TCP, TCP_INFO},     {IPPROTO_TCP, 9999},        {IPPROTO_IP, IP_OPTIONS},
      {IPPROTO_IPV6, IPV6_V6ONLY}, {IPPROTO_UDP, 1},           {999, 1}};
  for (const auto& [level, name] : pairs) {
    EXPECT_EQ(SetInt(s, level, name, 1), ENOPROTOOPT) << level << " " << name;
  }
  int value = 0;
  socklen_t size = sizeof(value);
  EXPECT_EQ(estab_getsockopt(a, s, IPPROTO_TCP, TCP_REPAIR, &value, &size), -1);
  EXPECT_EQ(errno, ENOPROTOOPT);
  EXPECT_EQ(estab_getsockopt(a, s, 999, 1, &value, &size), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);  // as Linux, for an AF_INET socket
}

TEST_F(ApiHandle, OptionLengthsAndPointers) {
  const int s = a.Tcp();
  const int one = 1;
  EXPECT_EQ(estab_setsockopt(a, s, SOL_SOCKET, SO_KEEPALIVE, &one, 2), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(estab_setsockopt(a, s, SOL_SOCKET, SO_KEEPALIVE, nullptr, 4), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(estab_setsockopt(a, s, IPPROTO_TCP, TCP_NODELAY, &one, 3), -1);
  EXPECT_EQ(errno, EINVAL);
  const std::uint8_t tos = 0x20;
  EXPECT_EQ(estab_setsockopt(a, s, IPPROTO_IP, IP_TOS, &tos, 1), 0);
  std::uint8_t byte = 0;
  socklen_t size = 1;
  EXPECT_EQ(estab_getsockopt(a, s, IPPROTO_IP, IP_TOS, &byte, &size), 0);
  EXPECT_EQ(byte, 0x20);
  EXPECT_EQ(size, 1u);
  EXPECT_EQ(estab_getsockopt(a, s, IPPROTO_IP, IP_TOS, &byte, nullptr), -1);
  EXPECT_EQ(errno, EFAULT);
  tcp_info info{};
  size = 1;
  EXPECT_EQ(estab_getsockopt(a, s, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
  EXPECT_EQ(size, 1u);
  EXPECT_EQ(info.tcpi_state, kClosed);
  size = 4096;
  char large[4096];
  EXPECT_EQ(estab_getsockopt(a, s, IPPROTO_TCP, TCP_INFO, large, &size), 0);
  EXPECT_GE(size, sizeof(info));
  EXPECT_LT(size, 512u);
}

TEST_F(ApiHandle, TimeoutsAndLingerRoundTrip) {
  const int s = a.Tcp();
  timeval time{3, 250000};
  EXPECT_EQ(estab_setsockopt(a, s, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)), 0);
  timeval back{};
  socklen_t size = sizeof(back);
  EXPECT_EQ(estab_getsockopt(a, s, SOL_SOCKET, SO_RCVTIMEO, &back, &size), 0);
  EXPECT_EQ(back.tv_sec, 3);
  EXPECT_EQ(back.tv_usec, 250000);
  EXPECT_EQ(estab_getsockopt(a, s, SOL_SOCKET, SO_SNDTIMEO, &back, &size), 0);
  EXPECT_EQ(back.tv_sec, 0);
  time.tv_usec = 1000000;
  EXPECT_EQ(estab_setsockopt(a, s, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)), -1);
  EXPECT_EQ(errno, EDOM);
  EXPECT_EQ(estab_setsockopt(a, s, SOL_SOCKET, SO_RCVTIMEO, &time, 4), -1);
  EXPECT_EQ(errno, EINVAL);
  const linger on{1, 9};
  EXPECT_EQ(estab_setsockopt(a, s, SOL_SOCKET, SO_LINGER, &on, sizeof(on)), 0);
  linger got{};
  size = sizeof(got);
  EXPECT_EQ(estab_getsockopt(a, s, SOL_SOCKET, SO_LINGER, &got, &size), 0);
  EXPECT_EQ(got.l_onoff, 1);
  EXPECT_EQ(got.l_linger, 9);
}

TEST_F(ApiHandle, FlagsThatAreNotThere) {
  const int s = a.Tcp();
  char c = 0;
  EXPECT_EQ(estab_send(a, s, &c, 1, MSG_EOR), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
  EXPECT_EQ(estab_recv(a, s, &c, 1, MSG_OOB), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(estab_recv(a, s, &c, 1, MSG_ERRQUEUE), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(estab_send(a, s, nullptr, 1, 0), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(estab_readv(a, s, nullptr, -1), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(estab_fcntl(a, s, F_SETFL, O_APPEND), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(estab_fcntl(a, s, F_GETOWN, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  int on = 1;
  EXPECT_EQ(estab_ioctl(a, s, FIONBIO, &on), 0);
  EXPECT_EQ(estab_fcntl(a, s, F_GETFL, 0), O_RDWR | O_NONBLOCK);
  EXPECT_EQ(estab_ioctl(a, s, SIOCGIFMTU, &on), -1);
  EXPECT_EQ(errno, ENOTTY);
  EXPECT_EQ(estab_epoll_create1(a, 77), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_F(ApiHandle, LinksAndAddresses) {
  EXPECT_EQ(estab_link_memory(a, 575), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(estab_address_add(a, a.link(), "192.0.2.300/24"), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(estab_address_add(a, 15, "192.0.2.9/24"), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(estab_route_add(a, a.link(), "0.0.0.0/0", "192.0.2.254"), 0);
  EXPECT_EQ(estab_route_add(a, a.link(), "0.0.0.0/0", "nowhere"), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(estab_wire_inject(a, 99, "", 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(estab_link_tun(a, "a name/that cannot be"), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(estab_socket(nullptr, AF_INET, SOCK_STREAM, 0), -1);
  EXPECT_EQ(errno, EFAULT);
}

TEST_F(ApiHandle, VirtualTimeStandsStill) {
  EXPECT_EQ(estab_clock_now(a), 0u);
  EXPECT_EQ(estab_next_deadline(a), -1);
  EXPECT_EQ(estab_clock_advance(a, 5 * kSecond), 0);
  EXPECT_EQ(estab_clock_now(a), 5 * kSecond);
  EXPECT_EQ(estab_clock_advance(a, UINT64_MAX), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(estab_clock_virtual(a), 0);
  EXPECT_EQ(estab_clock_now(a), 5 * kSecond);
}

TEST(ApiClock, RealTimeRunsByItself) {
  estab_stack* stack = estab_stack_create();
  ASSERT_NE(stack, nullptr);
  const std::uint64_t before = estab_clock_now(stack);
  EXPECT_EQ(estab_clock_advance(stack, 1), -1);
  EXPECT_EQ(errno, EINVAL);
  pollfd none{-1, 0, 0};
  EXPECT_EQ(estab_poll(stack, &none, 1, 20), 0);
  EXPECT_EQ(estab_poll_io(stack, 10), 0);
  const std::uint64_t after = estab_clock_now(stack);
  EXPECT_GE(after - before, 30 * kMs);
  EXPECT_LT(after - before, 5 * kSecond);
  EXPECT_EQ(estab_clock_virtual(stack), 0);
  EXPECT_EQ(estab_clock_now(stack), 0u);
  estab_stack_destroy(stack);
}

}  // namespace
}  // namespace estab_test
