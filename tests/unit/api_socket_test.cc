// The C interface: opening, data, closing, and poll's bits on the way, as Linux has them.
#include <fcntl.h>
#include <sys/ioctl.h>

#include <string>

#include "api_pair.h"

namespace estab_test {
namespace {

constexpr int kIn = POLLIN;
constexpr int kOut = POLLOUT;
constexpr int kRdHup = POLLRDHUP;
constexpr int kHup = POLLHUP;
constexpr int kErr = POLLERR;

using ApiSocket = Pair;

TEST_F(ApiSocket, HandshakeIsThreeSegments) {
  const int listener = ListenOnB();
  EXPECT_EQ(b.Bits(listener), 0);
  const int client = StartConnect();
  EXPECT_EQ(a.Bits(client), 0);
  const std::vector<Packet> syn = a.Drain();
  ASSERT_EQ(syn.size(), 1u);
  EXPECT_EQ(syn[0].flags(), Packet::kSyn);
  b.Inject(syn[0]);
  const std::vector<Packet> syn_ack = b.Drain();
  ASSERT_EQ(syn_ack.size(), 1u);
  EXPECT_EQ(syn_ack[0].flags(), Packet::kSyn | Packet::kAck);
  EXPECT_EQ(syn_ack[0].ack(), syn[0].seq() + 1);
  EXPECT_EQ(b.Bits(listener), 0);
  a.Inject(syn_ack[0]);
  EXPECT_EQ(a.Bits(client), kOut);
  const std::vector<Packet> ack = a.Drain();
  ASSERT_EQ(ack.size(), 1u);
  EXPECT_EQ(ack[0].flags(), Packet::kAck);
  EXPECT_EQ(ack[0].ack(), syn_ack[0].seq() + 1);
  b.Inject(ack[0]);
  EXPECT_EQ(b.Bits(listener), kIn);
}

TEST_F(ApiSocket, ConnectWhileAndAfterConnecting) {
  ListenOnB();
  const int client = StartConnect();
  sockaddr_in to = V4("192.0.2.2", kPort);
  EXPECT_EQ(estab_connect(a, client, Sa(to), sizeof(to)), -1);
  EXPECT_EQ(errno, EALREADY);
  Exchange();
  // As Linux: the first call afterwards fetches the outcome.
  EXPECT_EQ(estab_connect(a, client, Sa(to), sizeof(to)), 0);
  EXPECT_EQ(estab_connect(a, client, Sa(to), sizeof(to)), -1);
  EXPECT_EQ(errno, EISCONN);
  EXPECT_EQ(estab_listen(a, client, 1), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_F(ApiSocket, NamesOfBothEnds) {
  const Connected c = Connect();
  sockaddr_in name{};
  socklen_t size = sizeof(name);
  ASSERT_EQ(estab_getpeername(a, c.client, Sa(name), &size), 0);
  EXPECT_EQ(size, sizeof(name));
  EXPECT_EQ(name.sin_family, AF_INET);
  EXPECT_EQ(ntohs(name.sin_port), kPort);
  EXPECT_EQ(ntohl(name.sin_addr.s_addr), 0xC0000202u);
  sockaddr_in own{};
  size = sizeof(own);
  ASSERT_EQ(estab_getsockname(a, c.client, Sa(own), &size), 0);
  sockaddr_in peer{};
  size = 4;  // cut, and the whole size told
  ASSERT_EQ(estab_getpeername(b, c.server, Sa(peer), &size), 0);
  EXPECT_EQ(size, sizeof(peer));
  EXPECT_EQ(peer.sin_port, own.sin_port);
  EXPECT_EQ(peer.sin_addr.s_addr, 0u);
  size = static_cast<socklen_t>(-1);
  EXPECT_EQ(estab_getpeername(b, c.server, Sa(peer), &size), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_F(ApiSocket, DataBothWays) {
  const Connected c = Connect();
  EXPECT_EQ(estab_send(a, c.client, "hello", 5, 0), 5);
  EXPECT_EQ(b.Bits(c.server), kOut);
  Exchange();
  EXPECT_EQ(b.Bits(c.server), kIn | kOut);
  int count = 0;
  EXPECT_EQ(estab_ioctl(b, c.server, FIONREAD, &count), 0);
  EXPECT_EQ(count, 5);
  char text[16] = {};
  EXPECT_EQ(estab_recv(b, c.server, text, sizeof(text), MSG_PEEK), 5);
  EXPECT_EQ(estab_recv(b, c.server, text, 2, 0), 2);
  EXPECT_EQ(estab_recv(b, c.server, text + 2, 10, 0), 3);
  EXPECT_STREQ(text, "hello");
  EXPECT_EQ(estab_recv(b, c.server, text, 1, 0), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(estab_write(b, c.server, "back", 4), 4);
  Exchange();
  EXPECT_EQ(estab_read(a, c.client, text, sizeof(text)), 4);
}

TEST_F(ApiSocket, VectorsPeekAndDiscard) {
  const Connected c = Connect();
  char one[] = "ab", two[] = "cdef";
  const iovec out[] = {{one, 2}, {nullptr, 0}, {two, 4}};
  EXPECT_EQ(estab_writev(a, c.client, out, 3), 6);
  Exchange();
  char x[3] = {}, y[8] = {};
  iovec in[] = {{x, 2}, {y, 7}};
  msghdr message{};
  message.msg_iov = in;
  message.msg_iovlen = 2;
  message.msg_namelen = 9;
  message.msg_flags = 7;
  EXPECT_EQ(estab_recvmsg(b, c.server, &message, MSG_PEEK), 6);
  EXPECT_STREQ(x, "ab");
  EXPECT_STREQ(y, "cdef");
  EXPECT_EQ(message.msg_namelen, 9u);  // there is no msg_name that it could belong to
  EXPECT_EQ(message.msg_flags, 0);
  EXPECT_EQ(estab_recv(b, c.server, nullptr, 3, MSG_TRUNC), 3);
  EXPECT_EQ(estab_readv(b, c.server, in, 2), 3);
  EXPECT_EQ(std::string(x, 2) + y[0], "def");
}

TEST_F(ApiSocket, LargeTransferIsExact) {
  const Connected c = Connect();
  std::string sent(1 << 20, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 31 + i / 257);
  std::string got;
  std::size_t offset = 0;
  for (int round = 0; got.size() < sent.size() && round < 100000; ++round) {
    const ssize_t n = estab_send(a, c.client, sent.data() + offset, sent.size() - offset, 0);
    if (n > 0) offset += static_cast<std::size_t>(n);
    if (Exchange() == 0) Advance(10 * kMs);
    char buffer[10000];
    const ssize_t m = estab_recv(b, c.server, buffer, sizeof(buffer), 0);
    if (m > 0) got.append(buffer, static_cast<std::size_t>(m));
  }
  EXPECT_EQ(got.size(), sent.size());
  EXPECT_TRUE(got == sent);
}

TEST_F(ApiSocket, FourWayClose) {
  const Connected c = Connect();
  EXPECT_EQ(estab_shutdown(a, c.client, SHUT_WR), 0);
  EXPECT_EQ(estab_send(a, c.client, "x", 1, 0), -1);
  EXPECT_EQ(errno, EPIPE);
  Exchange();
  EXPECT_EQ(a.Bits(c.client), kOut);  // FIN_WAIT_2: writing would fail at once
  EXPECT_EQ(b.Bits(c.server), kIn | kOut | kRdHup);
  char text[8];
  EXPECT_EQ(estab_recv(b, c.server, text, 8, 0), 0);
  EXPECT_EQ(estab_send(b, c.server, "rest", 4, 0), 4);
  EXPECT_EQ(estab_shutdown(b, c.server, SHUT_WR), 0);
  Exchange();
  EXPECT_EQ(estab_recv(a, c.client, text, 8, 0), 4);
  EXPECT_EQ(estab_recv(a, c.client, text, 8, 0), 0);
  EXPECT_EQ(a.Bits(c.client), kIn | kOut | kRdHup | kHup);
  EXPECT_EQ(b.Bits(c.server), kIn | kOut | kRdHup | kHup);
  EXPECT_EQ(estab_close(a, c.client), 0);
  EXPECT_EQ(estab_close(b, c.server), 0);
  EXPECT_EQ(Exchange(), 0u);
}

TEST_F(ApiSocket, ResetIsToldOnceAndDataBeforeItStays) {
  const Connected c = Connect();
  EXPECT_EQ(estab_send(b, c.server, "last", 4, 0), 4);
  Exchange();
  const linger abort_on_close{1, 0};
  ASSERT_EQ(
      estab_setsockopt(b, c.server, SOL_SOCKET, SO_LINGER, &abort_on_close, sizeof(abort_on_close)),
      0);
  EXPECT_EQ(estab_close(b, c.server), 0);
  const std::vector<Packet> reset = b.Drain();
  ASSERT_EQ(reset.size(), 1u);
  EXPECT_TRUE(reset[0].flags() & Packet::kRst);
  a.Inject(reset[0]);
  EXPECT_EQ(a.Bits(c.client), kIn | kOut | kErr | kHup | kRdHup);
  char text[8];
  EXPECT_EQ(estab_recv(a, c.client, text, 8, 0), 4);
  EXPECT_EQ(estab_recv(a, c.client, text, 8, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
  EXPECT_EQ(estab_recv(a, c.client, text, 8, 0), 0);
  EXPECT_EQ(estab_send(a, c.client, "x", 1, 0), -1);
  EXPECT_EQ(errno, EPIPE);
  EXPECT_EQ(a.Bits(c.client), kIn | kOut | kHup | kRdHup);
  EXPECT_EQ(a.Error(c.client), 0);
}

TEST_F(ApiSocket, RefusedAndThenAgain) {
  const int client = StartConnect();
  Exchange();
  EXPECT_EQ(a.Bits(client), kIn | kOut | kErr | kHup | kRdHup);
  sockaddr_in to = V4("192.0.2.2", kPort);
  EXPECT_EQ(estab_connect(a, client, Sa(to), sizeof(to)), -1);
  EXPECT_EQ(errno, ECONNREFUSED);
  EXPECT_EQ(a.Bits(client), kOut | kHup);
  ListenOnB();
  EXPECT_EQ(estab_connect(a, client, Sa(to), sizeof(to)), -1);
  EXPECT_EQ(errno, EINPROGRESS);
  Exchange();
  EXPECT_EQ(a.Bits(client), kOut);
}

TEST_F(ApiSocket, RefusedThroughSoError) {
  const int client = StartConnect();
  Exchange();
  EXPECT_EQ(a.Error(client), ECONNREFUSED);
  EXPECT_EQ(a.Error(client), 0);
}

TEST_F(ApiSocket, UnspecEndsAConnection) {
  const Connected c = Connect();
  sockaddr none{};
  none.sa_family = AF_UNSPEC;
  EXPECT_EQ(estab_connect(a, c.client, &none, sizeof(none)), 0);
  EXPECT_EQ(a.Bits(c.client), kOut | kHup | kErr);
  EXPECT_EQ(a.Error(c.client), ECONNRESET);
  EXPECT_EQ(a.Bits(c.client), kOut | kHup);
  Exchange();
  char text[1];
  EXPECT_EQ(estab_recv(b, c.server, text, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(ApiSocket, UnconnectedSocketsAsLinux) {
  const int s = a.Tcp();
  char text[1];
  EXPECT_EQ(a.Bits(s), kOut | kHup);
  EXPECT_EQ(estab_send(a, s, "x", 1, 0), -1);
  EXPECT_EQ(errno, EPIPE);
  EXPECT_EQ(estab_recv(a, s, text, 1, 0), -1);
  EXPECT_EQ(errno, ENOTCONN);
  EXPECT_EQ(estab_shutdown(a, s, SHUT_RDWR), -1);
  EXPECT_EQ(errno, ENOTCONN);
  EXPECT_EQ(estab_shutdown(a, s, 77), -1);
  EXPECT_EQ(errno, EINVAL);
  sockaddr_in name{};
  socklen_t size = sizeof(name);
  EXPECT_EQ(estab_getpeername(a, s, Sa(name), &size), -1);
  EXPECT_EQ(errno, ENOTCONN);
  EXPECT_EQ(estab_getsockname(a, s, Sa(name), &size), 0);
  EXPECT_EQ(name.sin_port, 0);
  EXPECT_EQ(name.sin_addr.s_addr, 0u);
  EXPECT_EQ(estab_accept4(a, s, nullptr, nullptr, 0), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_F(ApiSocket, ListenersAsLinux) {
  const int l = ListenOnB();
  ASSERT_EQ(estab_fcntl(b, l, F_SETFL, O_NONBLOCK), 0);
  char text[1];
  EXPECT_EQ(estab_accept4(b, l, nullptr, nullptr, 0), -1);
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(estab_recv(b, l, text, 1, 0), -1);
  EXPECT_EQ(errno, ENOTCONN);
  EXPECT_EQ(estab_send(b, l, "x", 1, 0), -1);
  EXPECT_EQ(errno, EPIPE);
  int count = 0;
  EXPECT_EQ(estab_ioctl(b, l, FIONREAD, &count), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(estab_accept4(b, l, nullptr, nullptr, 1), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(estab_shutdown(b, l, SHUT_RD), 0);
  EXPECT_EQ(estab_accept4(b, l, nullptr, nullptr, 0), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_F(ApiSocket, BacklogHoldsOneMore) {
  const int l = ListenOnB(1);
  for (int i = 0; i < 3; ++i) StartConnect();
  Exchange();
  int accepted = 0;
  ASSERT_EQ(estab_fcntl(b, l, F_SETFL, O_NONBLOCK), 0);
  while (estab_accept4(b, l, nullptr, nullptr, 0) >= 0) ++accepted;
  EXPECT_EQ(accepted, 2);
  Run(8 * kSecond, 100 * kMs);  // the third comes by a repeated SYN or SYN|ACK
  while (estab_accept4(b, l, nullptr, nullptr, 0) >= 0) ++accepted;
  EXPECT_EQ(accepted, 3);
}

TEST_F(ApiSocket, DualStackPeersAreMapped) {
  const int l = ListenOnB(8, AF_INET6);
  StartConnect();
  Exchange();
  sockaddr_in6 peer{};
  socklen_t size = sizeof(peer);
  const int accepted = estab_accept4(b, l, Sa(peer), &size, 0);
  ASSERT_GE(accepted, 0);
  EXPECT_EQ(size, sizeof(peer));
  EXPECT_EQ(peer.sin6_family, AF_INET6);
  const sockaddr_in6 expected = V6("::ffff:192.0.2.1", 0);
  EXPECT_EQ(std::memcmp(&peer.sin6_addr, &expected.sin6_addr, 16), 0);
}

TEST_F(ApiSocket, Ipv6Connection) {
  const int l = ListenOnB(8, AF_INET6);
  const int s = a.Tcp(AF_INET6, SOCK_NONBLOCK);
  sockaddr_in6 to = V6("2001:db8::2", kPort);
  EXPECT_EQ(estab_connect(a, s, Sa(to), sizeof(to)), -1);
  EXPECT_EQ(errno, EINPROGRESS);
  Exchange();
  EXPECT_GE(estab_accept4(b, l, nullptr, nullptr, 0), 0);
  EXPECT_EQ(a.Bits(s), kOut);
}

TEST_F(ApiSocket, V6OnlyListenerRefusesIpv4) {
  const int l = b.Tcp(AF_INET6);
  const int on = 1;
  ASSERT_EQ(estab_setsockopt(b, l, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
  sockaddr_in6 any = V6("::", kPort);
  ASSERT_EQ(estab_bind(b, l, Sa(any), sizeof(any)), 0);
  ASSERT_EQ(estab_listen(b, l, 1), 0);
  const int s = StartConnect();
  Exchange();
  EXPECT_EQ(a.Error(s), ECONNREFUSED);
}

TEST_F(ApiSocket, WhyTellsTheStoryOfTheDeadToo) {
  const Connected c = Connect();
  char story[8192];
  ssize_t n = estab_why(a, c.client, story, sizeof(story));
  ASSERT_GT(n, 0);
  EXPECT_NE(std::string(story).find("SYN_SENT"), std::string::npos);
  EXPECT_NE(std::string(story).find("ESTABLISHED"), std::string::npos);
  char little[5];
  EXPECT_EQ(estab_why(a, c.client, little, sizeof(little)), n);
  EXPECT_EQ(std::string(little), std::string(story).substr(0, 4));
  sockaddr_in local{}, remote{};
  socklen_t size = sizeof(local);
  ASSERT_EQ(estab_getsockname(a, c.client, Sa(local), &size), 0);
  ASSERT_EQ(estab_getpeername(a, c.client, Sa(remote), &size), 0);
  const linger abort_on_close{1, 0};
  ASSERT_EQ(
      estab_setsockopt(a, c.client, SOL_SOCKET, SO_LINGER, &abort_on_close, sizeof(abort_on_close)),
      0);
  ASSERT_EQ(estab_close(a, c.client), 0);
  n = estab_why_tuple(a, Sa(local), Sa(remote), sizeof(local), story, sizeof(story));
  ASSERT_GT(n, 0);
  EXPECT_NE(std::string(story).find("CLOSED"), std::string::npos);
}

TEST_F(ApiSocket, DestroyResetsOrIsSilent) {
  const Connected c = Connect();
  // A destroyed stack's wire goes with it, so this is about what may be said, not what is seen.
  EXPECT_EQ(estab_sysctl_set(b, "estab.destroy", "silent"), 0);
  b.Destroy();
  EXPECT_EQ(a.Bits(c.client), kOut);
}

}  // namespace
}  // namespace estab_test
