// TCP_CONGESTION, and what TCP_INFO says of losses.
#include <linux/inet_diag.h>
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
  EXPECT_STREQ(value, "reno cubic bbr");
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

TEST_F(ApiCongestion, BbrTellsWhatItKnows) {
  const Connected c = Connect();
  tcp_bbr_info model{};
  socklen_t size = sizeof(model);
  EXPECT_EQ(estab_getsockopt(a, c.client, IPPROTO_TCP, TCP_CC_INFO, &model, &size), 0);
  EXPECT_EQ(size, 0u);
  EXPECT_EQ(Choose(a, c.client, "bbr"), 0);
  EXPECT_EQ(Chosen(a, c.client), "bbr");
  size = sizeof(model);
  EXPECT_EQ(estab_getsockopt(a, c.client, IPPROTO_TCP, TCP_CC_INFO, &model, &size), 0);
  EXPECT_EQ(size, sizeof(model));
  EXPECT_EQ(model.bbr_pacing_gain, 739u);
  EXPECT_EQ(model.bbr_bw_lo, 0u);
  EXPECT_GT(Info(a, c.client).tcpi_pacing_rate, 0u);
  EXPECT_EQ(Choose(a, c.client, "cubic"), 0);
}

// What the kernel says to the same.
TEST_F(ApiCongestion, APacingRateIsAnIntOrALong) {
  const int s = estab_socket(a, AF_INET, SOCK_STREAM, 0);
  const auto get = [&](socklen_t room) {
    std::uint64_t rate = 0;
    EXPECT_EQ(estab_getsockopt(a, s, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, &room), 0);
    return std::pair(rate, room);
  };
  const auto set = [&](std::uint64_t rate, socklen_t length) {
    const int result = estab_setsockopt(a, s, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, length);
    return result == 0 ? 0 : errno;
  };
  using Got = std::pair<std::uint64_t, socklen_t>;
  EXPECT_EQ(get(8), Got(UINT64_MAX, 8));
  EXPECT_EQ(get(4), Got(UINT32_MAX, 4));
  EXPECT_EQ(get(2), Got(UINT16_MAX, 2));
  EXPECT_EQ(set(1000, 4), 0);
  EXPECT_EQ(get(8), Got(1000, 8));
  EXPECT_EQ(Info(a, s).tcpi_max_pacing_rate, 1000u);
  EXPECT_EQ(set(std::uint64_t{1} << 40, 8), 0);
  EXPECT_EQ(get(16), Got(std::uint64_t{1} << 40, 8));
  EXPECT_EQ(get(4), Got(UINT32_MAX, 4));
  EXPECT_EQ(set(UINT32_MAX, 4), 0);
  EXPECT_EQ(get(8), Got(UINT64_MAX, 8));
  EXPECT_EQ(set(UINT32_MAX, 8), 0);
  EXPECT_EQ(get(8), Got(UINT32_MAX, 8));
  EXPECT_EQ(set(16, 6), 0);
  EXPECT_EQ(get(8), Got(16, 8));
  EXPECT_EQ(set(1, 2), EINVAL);
  EXPECT_EQ(set(0, 4), 0);
  EXPECT_EQ(get(4), Got(0, 4));
  EXPECT_EQ(estab_close(a, s), 0);
}

TEST_F(ApiCongestion, TheInfoTellsOfRates) {
  const Connected c = Connect();
  EXPECT_EQ(Info(a, c.client).tcpi_delivered, 1u);
  EXPECT_EQ(Info(b, c.server).tcpi_delivered, 1u);
  EXPECT_EQ(Info(a, c.client).tcpi_max_pacing_rate, UINT64_MAX);
  const std::string data(10 * std::size_t{1448}, 'x');
  ASSERT_EQ(estab_send(a, c.client, data.data(), data.size(), 0),
            static_cast<ssize_t>(data.size()));
  const std::vector<Packet> sent = a.Drain();
  EXPECT_EQ(estab_clock_advance(a, 10'000'000), 0);
  for (const Packet& packet : sent) b.Inject(packet);
  for (const Packet& ack : b.Drain()) a.Inject(ack);
  const tcp_info info = Info(a, c.client);
  EXPECT_EQ(info.tcpi_delivered, 11u);
  EXPECT_GT(info.tcpi_delivery_rate, 0u);
  EXPECT_LE(info.tcpi_delivery_rate, 1'448'000u);
  EXPECT_EQ(info.tcpi_delivery_rate_app_limited, 1u);
  EXPECT_GT(info.tcpi_pacing_rate, 0u);
  EXPECT_NE(info.tcpi_pacing_rate, UINT64_MAX);
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
