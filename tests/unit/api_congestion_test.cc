// TCP_CONGESTION, and what TCP_INFO says of losses.
#include <linux/tcp.h>

#include <string>

#include "api_pair.h"

namespace estab_test {
namespace {

class ApiCongestion : public Pair {
 protected:
  static int Choose(Side& side, int s, const std::string& name) {
    const int result = estab_setsockopt(side, s, IPPROTO_TCP, TCP_CONGESTION, name.data(),
                                        static_cast<socklen_t>(name.size()));
    return result == 0 ? 0 : errno;
  }
  static std::string Chosen(Side& side, int s) {
    char name[32] = {};
    socklen_t size = sizeof(name);
    EXPECT_EQ(estab_getsockopt(side, s, IPPROTO_TCP, TCP_CONGESTION, name, &size), 0);
    EXPECT_EQ(size, 16u);
    return name;
  }
  static tcp_info Info(Side& side, int s) {
    tcp_info info{};
    socklen_t size = sizeof(info);
    EXPECT_EQ(estab_getsockopt(side, s, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    return info;
  }
  // The first of ten segments is lost, five others arrive; the threshold is then `threshold`.
  void LoseOne(const Connected& c, unsigned threshold) {
    // Without tail loss probes: a round trip that took no time would draw one at once.
    EXPECT_EQ(estab_sysctl_set(a, "net.ipv4.tcp_early_retrans", "0"), 0);
    const std::string data(10 * std::size_t{1448}, 'x');
    ASSERT_EQ(estab_send(a, c.client, data.data(), data.size(), 0),
              static_cast<ssize_t>(data.size()));
    const std::vector<Packet> sent = a.Drain();
    ASSERT_EQ(sent.size(), 10u);
    EXPECT_EQ(Info(a, c.client).tcpi_unacked, 10u);
    EXPECT_EQ(estab_clock_advance(a, 1'000'000), 0);
    for (std::size_t i = 1; i < 6; ++i) b.Inject(sent[i]);
    for (const Packet& ack : b.Drain()) a.Inject(ack);
    const tcp_info info = Info(a, c.client);
    EXPECT_EQ(info.tcpi_ca_state, TCP_CA_Recovery);
    EXPECT_EQ(info.tcpi_snd_ssthresh, threshold);
    EXPECT_EQ(info.tcpi_unacked, 10u);
    EXPECT_EQ(info.tcpi_sacked, 5u);
    EXPECT_EQ(info.tcpi_lost, 1u);
    EXPECT_EQ(info.tcpi_reordering, 3u);
  }
};

TEST_F(ApiCongestion, TheSettingHoldsUntilTheSocketChooses) {
  char value[64];
  ASSERT_GT(estab_sysctl_get(a, "net.ipv4.tcp_congestion_control", value, sizeof(value)), -1);
  EXPECT_STREQ(value, "cubic");
  ASSERT_GT(estab_sysctl_get(a, "net.ipv4.tcp_available_congestion_control", value, sizeof(value)),
            -1);
  EXPECT_STREQ(value, "reno cubic");
  EXPECT_EQ(estab_sysctl_set(a, "net.ipv4.tcp_available_congestion_control", "reno"), -1);
  EXPECT_EQ(errno, EACCES);
  EXPECT_EQ(estab_sysctl_set(a, "net.ipv4.tcp_congestion_control", "vegas"), -1);
  EXPECT_EQ(errno, EINVAL);
  const int s = estab_socket(a, AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(Chosen(a, s), "cubic");
  EXPECT_EQ(estab_sysctl_set(a, "net.ipv4.tcp_congestion_control", "reno"), 0);
  EXPECT_EQ(Chosen(a, s), "reno");
  EXPECT_EQ(Choose(a, s, "cubic"), 0);
  EXPECT_EQ(Chosen(a, s), "cubic");
  EXPECT_EQ(estab_close(a, s), 0);
}

TEST_F(ApiCongestion, UnknownNamesAreRefused) {
  const Connected c = Connect();
  EXPECT_EQ(Choose(a, c.client, "vegas"), ENOENT);
  EXPECT_EQ(Choose(a, c.client, "ren"), ENOENT);
  EXPECT_EQ(Choose(a, c.client, ""), EINVAL);
  EXPECT_EQ(Chosen(a, c.client), "cubic");
  EXPECT_EQ(Choose(a, c.client, std::string("reno\0more", 9)), 0);  // up to the zero
  EXPECT_EQ(Chosen(a, c.client), "reno");
}

// The setting is for new connections; the option is felt at once.
TEST_F(ApiCongestion, ALossCostsThreeTenthsByDefault) {
  const Connected c = Connect();
  EXPECT_EQ(estab_sysctl_set(a, "net.ipv4.tcp_congestion_control", "reno"), 0);
  EXPECT_EQ(Chosen(a, c.client), "cubic");
  LoseOne(c, 7);
}

TEST_F(ApiCongestion, AndHalfOnceRenoIsChosen) {
  const Connected c = Connect();
  EXPECT_EQ(Choose(a, c.client, "reno"), 0);
  LoseOne(c, 5);
}

TEST_F(ApiCongestion, AcceptedSocketsInheritIt) {
  const int listener = ListenOnB();
  EXPECT_EQ(Choose(b, listener, "reno"), 0);
  StartConnect();
  Exchange();
  const int s = estab_accept4(b, listener, nullptr, nullptr, SOCK_NONBLOCK);
  EXPECT_EQ(Chosen(b, s), "reno");
}

}  // namespace
}  // namespace estab_test
