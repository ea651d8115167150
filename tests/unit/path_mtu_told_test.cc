// What ICMP says of the path's MTU: what is believed, and what becomes of DF.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "matrix/raw_peer.h"

namespace estab::test {
namespace {

constexpr std::uint8_t kV4Unreachable = 3;
constexpr std::uint8_t kV4TooBig = 4;
constexpr std::uint8_t kV6TooBig = 2;

// RFC 8201 §4: what is less than every link of IPv6 takes is discarded.
TEST(PathMtuV6, LessThanEveryLinkTakesIsDiscarded) {
  RawPeer peer(true);
  peer.mss = 1440;
  const SocketId id = peer.Established();
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes(std::string(1428, 'w'))));
  peer.Take();
  for (const std::uint32_t mtu : {0u, 68u, 1279u}) peer.Icmp(kV6TooBig, 0, peer.iss + 1, mtu);
  EXPECT_EQ(peer.Take().size(), 0u);
  EXPECT_EQ(peer.stack->GetInfo(peer.now, id)->path_mtu, 1500u);
  peer.Icmp(kV6TooBig, 0, peer.iss + 1, 1280);
  EXPECT_EQ(peer.Take().size(), 2u);
  EXPECT_EQ(peer.stack->GetInfo(peer.now, id)->path_mtu, 1280u);
}

/// One connection over IPv4 with settings and an option of its own.
struct OverIpv4 {
  void Open(MtuDiscovery how = MtuDiscovery::kBySetting) {
    id = peer.Connect();
    peer.Segment(kSyn | kAck, peer.irs, peer.iss + 1);
    peer.Take();
    SocketOptions options = *peer.stack->GetOptions(id);
    options.mtu_discovery = how;
    ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  }
  // The sizes of the packets with data that now go out.
  std::vector<std::size_t> Sizes() {
    std::vector<std::size_t> sizes;
    for (const Sent& s : peer.Take()) {
      if (s.payload.empty()) continue;
      sizes.push_back(s.packet.size());
      dont_fragment = (std::to_integer<unsigned>(s.packet[6]) & 0x40) != 0;
      identification = s.packet[4] != std::byte{0} || s.packet[5] != std::byte{0};
    }
    return sizes;
  }
  std::vector<std::size_t> Send(std::size_t bytes) {
    EXPECT_TRUE(peer.stack->Send(peer.now, id, Bytes(std::string(bytes, 'w'))));
    return Sizes();
  }
  // About a packet of `size` bytes, as it quotes it.
  void TooBig(std::uint32_t mtu, std::size_t size = 40) {
    peer.Icmp(kV4Unreachable, kV4TooBig, peer.iss + 1, mtu, size - 40);
  }
  std::uint32_t Mtu() { return peer.stack->GetInfo(peer.now, id)->path_mtu; }

  RawPeer peer;
  SocketId id;
  bool dont_fragment = false;   // of the last packet
  bool identification = false;  // it had one
};

// Old routers say 0. What is less than we go down to has to be fragmented on the way: no DF.
TEST(PathMtuV4, LessThanMinPmtuIsTakenForThatWithoutDf) {
  for (const std::uint32_t mtu : {0u, 68u, 551u}) {
    OverIpv4 path;
    path.Open();
    path.Send(1448);
    EXPECT_TRUE(path.dont_fragment);
    path.TooBig(mtu);
    EXPECT_EQ(path.Sizes(), (std::vector<std::size_t>{552, 552, 500})) << mtu;
    EXPECT_FALSE(path.dont_fragment);
    EXPECT_TRUE(path.identification);
  }
  OverIpv4 path;
  path.Open();
  path.Send(1448);
  path.TooBig(552);
  EXPECT_EQ(path.Sizes().size(), 3u);
  EXPECT_TRUE(path.dont_fragment);
}

TEST(PathMtuV4, MinPmtuIsASettingAndTheMssHasALeast) {
  OverIpv4 path;
  path.peer.Set("net.ipv4.route.min_pmtu", "68");
  path.Open();
  path.Send(96);
  path.TooBig(1);
  EXPECT_EQ(path.Mtu(), 68u);
  EXPECT_EQ(path.Sizes(), (std::vector<std::size_t>{88, 88, 76})) << "tcp_min_snd_mss";
  EXPECT_FALSE(path.dont_fragment) << "it would never arrive";
}

TEST(PathMtuV4, IpMtuDiscoverDecidesAboutDf) {
  struct {
    MtuDiscovery how;
    bool df, df_locked;
  } const cases[] = {
      {MtuDiscovery::kBySetting, true, false}, {MtuDiscovery::kDont, false, false},
      {MtuDiscovery::kWant, true, false},      {MtuDiscovery::kDo, true, true},
      {MtuDiscovery::kProbe, false, false},    {MtuDiscovery::kInterface, false, false},
      {MtuDiscovery::kOmit, false, false}};
  for (const auto& c : cases) {
    OverIpv4 path;
    path.Open(c.how);
    path.Send(1448);
    EXPECT_EQ(path.dont_fragment, c.df) << static_cast<int>(c.how);
    path.TooBig(500);
    // Without DF nothing was dropped, and so nothing goes again; but the path is known now.
    EXPECT_EQ(path.Sizes().empty(), !c.df && c.how != MtuDiscovery::kProbe);
    EXPECT_EQ(path.Send(500).at(0), 552u);
    EXPECT_EQ(path.dont_fragment, c.df_locked) << static_cast<int>(c.how);
  }
}

TEST(PathMtuV4, NoPmtuDiscSaysWhatToBelieve) {
  for (const char* value : {"0", "1", "2", "3"}) {
    OverIpv4 path;
    path.peer.Set("net.ipv4.ip_no_pmtu_disc", value);
    path.Open(MtuDiscovery::kWant);
    path.Send(1448);
    path.TooBig(1400);
    path.Sizes();
    EXPECT_EQ(path.Mtu(), *value == '1' ? 552u : *value == '2' ? 1500u : 1400u) << value;
    OverIpv4 by_setting;
    by_setting.peer.Set("net.ipv4.ip_no_pmtu_disc", value);
    by_setting.Open();
    by_setting.Send(1448);
    EXPECT_EQ(by_setting.dont_fragment, *value == '0') << value;
  }
}

// tcp_min_snd_mss needs more than the path takes: only fragments arrive.
TEST(PathMtuV4, WhatCannotBeMadeSmallEnoughMayBeFragmented) {
  OverIpv4 path;
  path.Open();
  path.peer.Set("net.ipv4.tcp_min_snd_mss", "700");
  path.Send(1448);
  path.TooBig(600);
  EXPECT_EQ(path.Sizes(), (std::vector<std::size_t>{740, 740, 124}));
  EXPECT_EQ(path.Mtu(), 600u);
  EXPECT_FALSE(path.dont_fragment);
  path.peer.Set("net.ipv4.tcp_min_snd_mss", "48");
  path.Send(1096);
  EXPECT_TRUE(path.dont_fragment);
}

// RFC 1191 §5, §7.1: an old router tells no MTU; the next smaller one that links have is tried.
TEST(PathMtuV4, WithoutAnMtuTheNextPlateauIsTried) {
  OverIpv4 path;
  path.Open();
  path.Send(1448);
  path.TooBig(0, 1500);
  EXPECT_EQ(path.Mtu(), 1492u);
  EXPECT_EQ(path.Sizes(), (std::vector<std::size_t>{1492, 60}));
  path.TooBig(0, 1500);  // about another of the old size
  EXPECT_EQ(path.Mtu(), 1492u);
  path.TooBig(0, 1492);
  EXPECT_EQ(path.Mtu(), 1006u);
  path.TooBig(0, 60000);  // nonsense
  EXPECT_EQ(path.Mtu(), 1006u);
  path.TooBig(0, 1006);
  EXPECT_EQ(path.Mtu(), 552u);
  path.Sizes();
  path.Send(500);
  EXPECT_FALSE(path.dont_fragment) << "508 is less than we go down to";
}

TEST(PathMtuV4, OnLinuxItIsMinPmtuThen) {
  OverIpv4 path;
  path.peer.Set("estab.profile", "linux");
  path.Open();
  path.Send(1448);
  path.TooBig(0, 1500);
  EXPECT_EQ(path.Mtu(), 552u);
}

// As small as we go is where it stays, until it expires: no message keeps it there for longer.
TEST(PathMtuV4, ALockedPathExpires) {
  OverIpv4 path;
  path.peer.Set("net.ipv4.route.mtu_expires", "10");
  path.Open();
  path.Send(1448);
  for (int i = 0; i < 9; ++i) {
    path.TooBig(100);
    path.peer.Pass(seconds(1));
    EXPECT_EQ(path.Mtu(), 552u);
  }
  path.TooBig(100);
  path.peer.Pass(seconds(1));
  EXPECT_EQ(path.Mtu(), 1500u);
}

// With IP_PMTUDISC_DO nothing gets through a path that takes less than min_pmtu: it ends with
// EMSGSIZE.
TEST(PathMtuV4, WhatNeverFitsSaysSoAtTheEnd) {
  for (const bool fits : {false, true}) {
    OverIpv4 path;
    path.peer.Set("net.ipv4.tcp_retries2", "2");
    path.Open(MtuDiscovery::kDo);
    path.Send(1448);
    path.TooBig(fits ? 600 : 500);
    path.peer.Pass(seconds(10));
    EXPECT_EQ(*path.peer.stack->TakeError(path.id),
              std::optional(fits ? Error::kTimedOut : Error::kMessageTooLong));
  }
}

// SYN|ACKs are small: they carry DF whatever the listener says, as on Linux.
TEST(PathMtuV4, ASynAckCarriesDf) {
  RawPeer peer;
  peer.Set("net.ipv4.ip_no_pmtu_disc", "1");
  const SocketId listener = peer.Listen();
  peer.Segment(kSyn, peer.irs, 0);
  const auto df = [](const Sent& s) {
    return (std::to_integer<unsigned>(s.packet[6]) & 0x40) != 0;
  };
  const auto answer = peer.Take();
  ASSERT_EQ(answer.size(), 1u);
  EXPECT_TRUE(df(answer[0]));
  peer.iss = answer[0].segment.seq;
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  const auto id = peer.stack->Accept(peer.now, listener);
  ASSERT_TRUE(id);
  ASSERT_TRUE(peer.stack->Send(peer.now, *id, Bytes("x")));
  const auto data = peer.Take();
  ASSERT_EQ(data.size(), 1u);
  EXPECT_FALSE(df(data[0]));
}

// IPV6_MTU_DISCOVER: with the last two "packet too big" is not believed (Linux:
// ip6_sk_accept_pmtu).
TEST(PathMtuV6, DiscoverDecidesWhatIsBelieved) {
  for (const MtuDiscovery how :
       {MtuDiscovery::kBySetting, MtuDiscovery::kDont, MtuDiscovery::kWant, MtuDiscovery::kDo,
        MtuDiscovery::kProbe, MtuDiscovery::kInterface, MtuDiscovery::kOmit}) {
    RawPeer peer(true);
    peer.mss = 1440;
    const SocketId id = peer.Established();
    SocketOptions options = *peer.stack->GetOptions(id);
    options.mtu_discovery = MtuDiscovery::kOmit;  // of IPv4
    options.mtu_discovery_v6 = how;
    ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
    ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes(std::string(1428, 'w'))));
    peer.Take();
    peer.Icmp(kV6TooBig, 0, peer.iss + 1, 1300);
    const bool believed = how != MtuDiscovery::kInterface && how != MtuDiscovery::kOmit;
    EXPECT_EQ(peer.Take().size(), believed ? 2u : 0u) << static_cast<int>(how);
    EXPECT_EQ(peer.stack->GetInfo(peer.now, id)->path_mtu, believed ? 1300u : 1500u);
    EXPECT_EQ(peer.stack->Counters().path_mtu_refused, believed ? 0u : 1u);
  }
}

// A small MSS of the peer's leaves nothing to be made smaller: nothing is remembered.
TEST(PathMtuV6, WhatMakesNothingSmallerIsNoNews) {
  RawPeer peer(true);
  peer.mss = 1000;
  const SocketId id = peer.Established();
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes(std::string(900, 'w'))));
  peer.Take();
  peer.Icmp(kV6TooBig, 0, peer.iss + 1, 1300);
  EXPECT_EQ(peer.stack->GetInfo(peer.now, id)->path_mtu, 1500u);
  EXPECT_EQ(peer.stack->Counters().path_mtus, 0u);
}

}  // namespace
}  // namespace estab::test
