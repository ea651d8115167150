// What options and flags do: on the wire, and to the caller. That they are taken and told as Linux
// does is the parity test's matter.
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <sys/ioctl.h>

#include <cstring>
#include <set>
#include <string>

#include "api_pair.h"

namespace estab_test {
namespace {

constexpr int kUrg = 32;
constexpr std::size_t kMss = 1448;

std::uint32_t Half(const Packet& p, std::size_t at) {
  return std::uint32_t{p.bytes[at]} << 8 | p.bytes[at + 1];
}
std::uint32_t UrgentPointer(const Packet& p) { return Half(p, p.tcp() + 18); }
std::uint32_t WindowField(const Packet& p) { return Half(p, p.tcp() + 14); }

class ApiEffects : public Pair {
 protected:
  static int Set(Side& side, int s, int level, int name, int value) {
    return estab_setsockopt(side, s, level, name, &value, sizeof(value));
  }
  static int Count(Side& side, int s, unsigned long request) {
    int value = -1;
    EXPECT_EQ(estab_ioctl(side, s, request, &value), 0);
    return value;
  }
  static std::string Take(Side& side, int s) {
    char text[100000];
    const ssize_t n = estab_recv(side, s, text, sizeof(text), MSG_DONTWAIT);
    return n < 0 ? std::string("errno ") + std::to_string(errno)
                 : std::string(text, static_cast<std::size_t>(n));
  }
  static tcp_info Info(Side& side, int s) {
    tcp_info info{};
    socklen_t size = sizeof(info);
    EXPECT_EQ(estab_getsockopt(side, s, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    return info;
  }
};

TEST_F(ApiEffects, UrgentPointerTellsTheNumberBehindTheByte) {
  const Connected c = Connect();
  EXPECT_EQ(estab_send(a, c.client, "abC", 3, MSG_OOB), 3);
  std::vector<Packet> sent = a.Drain();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(sent[0].flags() & kUrg);
  EXPECT_EQ(UrgentPointer(sent[0]), 3u);
  // Nagle would hold this back; an urgent byte does not wait.
  EXPECT_EQ(estab_send(a, c.client, "dE", 2, MSG_OOB), 2);
  std::vector<Packet> second = a.Drain();
  ASSERT_EQ(second.size(), 1u);
  EXPECT_EQ(UrgentPointer(second[0]), 2u);
  b.Inject(sent[0]);
  b.Inject(second[0]);
  Exchange();
  EXPECT_EQ(estab_send(a, c.client, "plain", 5, 0), 5);
  sent = a.Drain();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_FALSE(sent[0].flags() & kUrg);
}

TEST_F(ApiEffects, EverySegmentBeforeTheUrgentByteTellsOfIt) {
  const Connected c = Connect();
  const std::string data(3 * kMss, 'x');
  EXPECT_EQ(estab_send(a, c.client, data.data(), data.size(), MSG_OOB),
            static_cast<ssize_t>(data.size()));
  const std::vector<Packet> sent = a.Drain();
  ASSERT_EQ(sent.size(), 3u);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    EXPECT_TRUE(sent[i].flags() & kUrg);
    EXPECT_EQ(UrgentPointer(sent[i]), (3 - i) * kMss);
  }
  // The receiver hears of it from the first one, before the byte itself is there.
  b.Inject(sent[0]);
  char byte = 0;
  EXPECT_EQ(estab_recv(b, c.server, &byte, 1, MSG_OOB), -1);
  EXPECT_EQ(errno, EAGAIN);
  b.Inject(sent[1]);
  b.Inject(sent[2]);
  EXPECT_EQ(estab_recv(b, c.server, &byte, 1, MSG_OOB), 1);
  EXPECT_EQ(byte, 'x');
}

TEST_F(ApiEffects, MoreWaitsForTheRest) {
  const Connected c = Connect();
  EXPECT_EQ(estab_send(a, c.client, "ab", 2, MSG_MORE), 2);
  EXPECT_TRUE(a.Drain().empty());
  EXPECT_EQ(estab_send(a, c.client, "cd", 2, 0), 2);
  const std::vector<Packet> sent = a.Drain();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].payload(), 4u);
  EXPECT_TRUE(sent[0].flags() & Packet::kPsh);
}

TEST_F(ApiEffects, CorkSendsFullSegmentsAndTheRestWithin200Ms) {
  const Connected c = Connect();
  EXPECT_EQ(Set(a, c.client, IPPROTO_TCP, TCP_CORK, 1), 0);
  const std::string data(2 * kMss + 100, 'x');
  EXPECT_EQ(estab_send(a, c.client, data.data(), data.size(), 0),
            static_cast<ssize_t>(data.size()));
  Exchange();
  EXPECT_EQ(Count(a, c.client, SIOCOUTQNSD), 100);
  Advance(190 * kMs);
  EXPECT_TRUE(a.Drain().empty());
  Advance(20 * kMs);
  const std::vector<Packet> sent = a.Drain();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].payload(), 100u);
}

// As Linux, whose TCP asks nothing about routes when it sends.
TEST_F(ApiEffects, DontRouteIsTaken) {
  const Connected c = Connect();
  EXPECT_EQ(estab_send(a, c.client, "x", 1, MSG_DONTROUTE), 1);
  Exchange();
  EXPECT_EQ(Take(b, c.server), "x");
}

// The bytes are those of the kernel: the words of the setting's text, little-endian.
TEST_F(ApiEffects, FastOpenKeysOfASocketGoBeforeTheSetting) {
  const int s = a.Tcp();
  unsigned char key[40] = {};
  socklen_t size = sizeof(key);
  EXPECT_EQ(estab_getsockopt(a, s, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, &size), 0);
  EXPECT_EQ(size, 0u);  // one was drawn, and is nobody's business
  ASSERT_EQ(estab_sysctl_set(a, "net.ipv4.tcp_fastopen_key", "00000201-0-0-ff000000"), 0);
  size = sizeof(key);
  EXPECT_EQ(estab_getsockopt(a, s, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, &size), 0);
  ASSERT_EQ(size, 16u);
  EXPECT_EQ(key[0], 1);
  EXPECT_EQ(key[1], 2);
  EXPECT_EQ(key[15], 0xff);
  key[16] = 7;
  for (const socklen_t wrong : {0u, 15u, 17u, 33u}) {
    EXPECT_EQ(estab_setsockopt(a, s, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, wrong), -1);
    EXPECT_EQ(errno, EINVAL);
  }
  EXPECT_EQ(estab_setsockopt(a, s, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, 32), 0);
  unsigned char own[40] = {};
  size = sizeof(own);
  EXPECT_EQ(estab_getsockopt(a, s, IPPROTO_TCP, TCP_FASTOPEN_KEY, own, &size), 0);
  EXPECT_EQ(size, 32u);
  EXPECT_EQ(std::memcmp(own, key, 32), 0);
}

// As Linux: each time it is set, not only when it is switched on; the cork holds on.
TEST_F(ApiEffects, NoDelayPushesEachTimeItIsSet) {
  const Connected c = Connect();
  EXPECT_EQ(Set(a, c.client, IPPROTO_TCP, TCP_CORK, 1), 0);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(estab_send(a, c.client, "ab", 2, 0), 2);
    EXPECT_EQ(Set(a, c.client, SOL_SOCKET, SO_KEEPALIVE, 1 - i), 0);
    EXPECT_TRUE(a.Drain().empty());
    EXPECT_EQ(Set(a, c.client, IPPROTO_TCP, TCP_NODELAY, 1), 0);
    const std::vector<Packet> sent = a.Drain();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].payload(), 2u);
    EXPECT_TRUE(sent[0].flags() & Packet::kPsh);
  }
  EXPECT_EQ(Set(a, c.client, IPPROTO_TCP, TCP_CORK, 0), 0);
  EXPECT_EQ(estab_send(a, c.client, "cd", 2, MSG_MORE), 2);
  EXPECT_TRUE(a.Drain().empty());
  EXPECT_EQ(Set(a, c.client, IPPROTO_TCP, TCP_NODELAY, 1), 0);
  const std::vector<Packet> sent = a.Drain();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_FALSE(sent[0].flags() & Packet::kPsh);  // more was promised
}

TEST_F(ApiEffects, InSynSentInfoTellsTheDoublingsAndTakesOffWhatIsOffered) {
  ASSERT_EQ(estab_sysctl_set(a, "net.ipv4.tcp_syn_linear_timeouts", "1"), 0);
  const int client = StartConnect();
  const unsigned backoff[] = {0, 0, 1, 2};  // at 0.5, 1.5, 2.5 and 4.5 s: repeats at 1, 2, 4 s
  const std::uint64_t wait[] = {500, 1000, 1000, 2000};
  for (unsigned i = 0; i < 4; ++i) {
    Advance(wait[i] * kMs);
    a.Drain();
    const tcp_info info = Info(a, client);
    EXPECT_EQ(info.tcpi_retransmits, i);
    EXPECT_EQ(info.tcpi_backoff, backoff[i]);
    EXPECT_EQ(info.tcpi_snd_mss, 524u);
  }
}

TEST_F(ApiEffects, WindowClampBoundsWhatIsAnnounced) {
  const int listener = ListenOnB();
  EXPECT_EQ(Set(b, listener, IPPROTO_TCP, TCP_WINDOW_CLAMP, 5000), 0);
  const int client = StartConnect();
  Exchange();
  const int server = estab_accept4(b, listener, nullptr, nullptr, SOCK_NONBLOCK);
  EXPECT_EQ(estab_send(a, client, "x", 1, 0), 1);
  for (const Packet& p : a.Drain()) b.Inject(p);
  const std::vector<Packet> acks = b.Drain();
  ASSERT_EQ(acks.size(), 1u);
  const unsigned scale = Info(b, server).tcpi_rcv_wscale;
  EXPECT_LE(WindowField(acks[0]) << scale, 5000u + (1u << scale));
  EXPECT_GE(WindowField(acks[0]) << scale, 3500u);
}

TEST_F(ApiEffects, NotSentLowWaterKeepsTheQueueShort) {
  const Connected c = Connect();
  EXPECT_EQ(Set(a, c.client, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1), 0);
  const std::string block(kMss, 'x');
  int accepted = 0;
  while (estab_send(a, c.client, block.data(), block.size(), 0) > 0) ++accepted;
  EXPECT_EQ(errno, EAGAIN);
  EXPECT_EQ(accepted, 11);  // the initial window, and one segment that waits
  EXPECT_EQ(Count(a, c.client, SIOCOUTQNSD), static_cast<int>(kMss));
  EXPECT_EQ(a.Bits(c.client), 0);
  Exchange();
  EXPECT_EQ(a.Bits(c.client), POLLOUT);
}

TEST_F(ApiEffects, QuickAckLetsTheWaitingAckGo) {
  const Connected c = Connect();
  EXPECT_EQ(estab_send(a, c.client, "first", 5, 0), 5);
  Exchange();
  EXPECT_EQ(Take(b, c.server), "first");
  Exchange();
  EXPECT_EQ(Set(b, c.server, IPPROTO_TCP, TCP_QUICKACK, 0), 0);
  EXPECT_EQ(estab_send(a, c.client, "x", 1, 0), 1);
  for (const Packet& p : a.Drain()) b.Inject(p);
  EXPECT_TRUE(b.Drain().empty());
  EXPECT_EQ(Take(b, c.server), "x");
  EXPECT_TRUE(b.Drain().empty());
  EXPECT_EQ(Set(b, c.server, IPPROTO_TCP, TCP_QUICKACK, 1), 0);
  const std::vector<Packet> acks = b.Drain();
  ASSERT_EQ(acks.size(), 1u);
  EXPECT_EQ(acks[0].payload(), 0u);
}

TEST_F(ApiEffects, LowWaterMarkHoldsABlockingReader) {
  const Connected c = Connect();
  EXPECT_EQ(Set(b, c.server, SOL_SOCKET, SO_RCVLOWAT, 5), 0);
  EXPECT_EQ(estab_fcntl(b, c.server, F_SETFL, 0), 0);
  ssize_t got = 0;
  std::thread reader([&] {
    char text[10];
    got = estab_recv(b, c.server, text, sizeof(text), 0);
  });
  EXPECT_EQ(estab_send(a, c.client, "abc", 3, 0), 3);
  Exchange();
  LetItBlock();
  EXPECT_EQ(estab_send(a, c.client, "defg", 4, 0), 4);
  Run(50 * kMs);
  reader.join();
  EXPECT_EQ(got, 7);
}

TEST_F(ApiEffects, ListenersOnOnePortShareTheConnections) {
  std::vector<int> listeners;
  for (int i = 0; i < 3; ++i) {
    listeners.push_back(b.Tcp(AF_INET, SOCK_NONBLOCK));
    EXPECT_EQ(Set(b, listeners.back(), SOL_SOCKET, SO_REUSEPORT, 1), 0);
    sockaddr_in any = V4("0.0.0.0", kPort);
    EXPECT_EQ(estab_bind(b, listeners.back(), Sa(any), sizeof(any)), 0);
    EXPECT_EQ(estab_listen(b, listeners.back(), 200), 0);
  }
  for (int i = 0; i < 90; ++i) StartConnect();
  Exchange();
  std::vector<int> accepted;
  for (const int l : listeners) {
    int n = 0;
    while (estab_accept4(b, l, nullptr, nullptr, 0) >= 0) ++n;
    accepted.push_back(n);
    EXPECT_GT(n, 12);  // 30 expected; an even split would be as suspect as none
    EXPECT_LT(n, 55);
  }
  EXPECT_EQ(accepted[0] + accepted[1] + accepted[2], 90);
  // One goes: what it had not given away is reset, the others take over.
  for (int i = 0; i < 30; ++i) StartConnect();
  Exchange();
  EXPECT_EQ(estab_close(b, listeners[0]), 0);
  std::size_t resets = 0;
  for (const Packet& p : b.Drain()) resets += (p.flags() & Packet::kRst) != 0 ? 1 : 0;
  EXPECT_GT(resets, 0u);
  EXPECT_LT(resets, 30u);
  int clients = 0;
  for (int i = 0; i < 30; ++i) {
    const int s = StartConnect();
    Exchange();
    if (a.Error(s) == 0) ++clients;
  }
  EXPECT_EQ(clients, 30);
}

TEST_F(ApiEffects, ConnectionInfoKnowsAges) {
  Advance(kSecond);
  const Connected c = Connect();
  EXPECT_EQ(estab_send(a, c.client, "x", 1, 0), 1);
  Exchange();
  Advance(700 * kMs);
  EXPECT_EQ(Info(a, c.client).tcpi_last_data_sent, 700u);
  EXPECT_EQ(Info(b, c.server).tcpi_last_data_recv, 700u);
  EXPECT_GE(Info(a, c.client).tcpi_last_ack_recv, 650u);
}

TEST_F(ApiEffects, ConnectionIsIdleSinceItOpened) {
  Advance(kSecond);
  const Connected c = Connect();
  Advance(900 * kMs);
  EXPECT_EQ(Info(a, c.client).tcpi_last_data_recv, 900u);
  EXPECT_EQ(Info(b, c.server).tcpi_last_data_recv, 900u);
  EXPECT_EQ(estab_send(a, c.client, "x", 1, 0), 1);
  Exchange();
  EXPECT_LE(Info(b, c.server).tcpi_last_data_recv, 10u);
}

TEST_F(ApiEffects, BufferLimitsFollowTheSettings) {
  const int s = a.Tcp();
  int value = 0;
  socklen_t size = sizeof(value);
  EXPECT_EQ(estab_sysctl_set(a, "net.core.rmem_max", "10000"), 0);
  EXPECT_EQ(Set(a, s, SOL_SOCKET, SO_RCVBUF, 1 << 20), 0);
  EXPECT_EQ(estab_getsockopt(a, s, SOL_SOCKET, SO_RCVBUF, &value, &size), 0);
  EXPECT_EQ(value, 20000);
  EXPECT_EQ(Set(a, s, SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20), 0);
  EXPECT_EQ(estab_getsockopt(a, s, SOL_SOCKET, SO_RCVBUF, &value, &size), 0);
  EXPECT_EQ(value, 2 << 20);
}

// Profile `linux`: the caller goes, the attempt stays.
TEST_F(ApiEffects, ConnectTimeoutOfLinuxLeavesTheAttemptRunning) {
  EXPECT_EQ(estab_sysctl_set(a, "estab.profile", "linux"), 0);
  const int s = a.Tcp();
  const timeval time{2, 0};
  EXPECT_EQ(estab_setsockopt(a, s, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)), 0);
  int first = 0, second = 0;
  std::thread caller([&] {
    sockaddr_in to = V4("192.0.2.2", kPort);
    first = estab_connect(a, s, Sa(to), sizeof(to)) == 0 ? 0 : errno;
    second = estab_connect(a, s, Sa(to), sizeof(to)) == 0 ? 0 : errno;
  });
  LetItBlock();
  Advance(2 * kSecond);
  LetItBlock();
  Advance(2 * kSecond);
  caller.join();
  EXPECT_EQ(first, EINPROGRESS);
  EXPECT_EQ(second, EALREADY);
  EXPECT_GE(a.Drain().size(), 4u);  // SYNs at 0, 1, 2, 3 s ...
  ListenOnB();
  Advance(kSecond);
  Exchange();
  EXPECT_EQ(a.Bits(s), POLLOUT);
}

}  // namespace
}  // namespace estab_test
