// The path's MTU: told by ICMP, remembered by destination, found by probing. A round trip is 100
// ms; the peer announces an MSS for packets of 1500 bytes.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "matrix/raw_peer.h"
#include "packets.h"
#include "stack/path_cache.h"
#include "test_allocator.h"

namespace estab::test {
namespace {

constexpr std::uint8_t kUnreachable = 3;
constexpr std::uint8_t kTooBig = 4;
constexpr std::uint8_t kTooBigV6 = 2;
constexpr std::size_t kTimestamps = 12;

class PathMtu : public testing::TestWithParam<bool> {
 protected:
  PathMtu() : peer(GetParam()) {
    peer.mss = static_cast<std::uint16_t>(1500 - headers());
    peer.Set("net.ipv4.tcp_wmem", "4096 262144 4194304");
  }
  std::size_t headers() const { return peer.v6 ? 60 : 40; }
  std::uint32_t mss(std::uint32_t mtu) const {
    return static_cast<std::uint32_t>(mtu - headers() - kTimestamps);
  }
  void Open() {
    id = peer.Connect();
    peer.Pass(milliseconds(100));
    peer.Segment(kSyn | kAck, peer.irs, peer.iss + 1);
    peer.Take();
  }
  void Write(std::size_t bytes) {
    const auto sent = peer.stack->Send(peer.now, id, Bytes(std::string(bytes, 'w')));
    ASSERT_TRUE(sent && *sent == bytes);
    peer.Flush();
  }
  void TooBig(std::uint32_t mtu, std::uint32_t offset = 0) {
    peer.Icmp(peer.v6 ? kTooBigV6 : kUnreachable, peer.v6 ? 0 : kTooBig, peer.iss + 1 + offset,
              mtu);
  }
  void Ack(std::uint32_t bytes) { peer.Segment(kAck, peer.irs + 1, peer.iss + 1 + bytes); }
  /// The sizes of the packets that carry data.
  std::vector<std::size_t> Sizes() {
    std::vector<std::size_t> sizes;
    for (const Sent& s : peer.Take()) {
      if (!s.payload.empty()) sizes.push_back(s.packet.size());
    }
    return sizes;
  }
  ConnectionInfo Info() { return *peer.stack->GetInfo(peer.now, id); }

  RawPeer peer;
  SocketId id;
};
INSTANTIATE_TEST_SUITE_P(Families, PathMtu, testing::Bool());

TEST_P(PathMtu, WhatWasTooBigGoesAgainInPartsAndTheWindowStays) {
  Open();
  Write(4 * mss(1500));
  EXPECT_EQ(Sizes(), std::vector<std::size_t>(4, 1500));
  const auto before = Info();
  EXPECT_EQ(before.path_mtu, 1500u);
  TooBig(1300);
  // In full segments of the new size, wherever the old ones ended.
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 5u);
  std::uint32_t next = peer.iss + 1;
  for (const Sent& s : sent) {
    EXPECT_EQ(s.segment.seq, next);
    EXPECT_LE(s.packet.size(), 1300u);
    next += static_cast<std::uint32_t>(s.payload.size());
  }
  EXPECT_EQ(next, peer.iss + 1 + 4 * mss(1500));
  const auto after = Info();
  EXPECT_EQ(after.path_mtu, 1300u);
  EXPECT_EQ(after.send_mss, mss(1300));
  EXPECT_EQ(after.congestion_window / mss(1300), before.congestion_window / mss(1500));
  EXPECT_EQ(after.slow_start_threshold, before.slow_start_threshold);
  // It ends there: the next data fills smaller packets, and nothing was a time-out.
  Ack(4 * mss(1500));
  EXPECT_GE(Info().congestion_window / mss(1300), before.congestion_window / mss(1500));
  Write(2 * mss(1300));
  EXPECT_EQ(Sizes(), std::vector<std::size_t>(2, 1300));
}

TEST_P(PathMtu, OnlyWhatIsTooBigGoesAgain) {
  Open();
  Write(mss(1500));
  Sizes();
  Write(500);  // Nagle lets it go: nothing small is in flight
  EXPECT_EQ(Sizes().size(), 1u);
  TooBig(1400);
  EXPECT_EQ(Sizes(), (std::vector<std::size_t>{1400, 100 + headers() + kTimestamps}));
}

TEST_P(PathMtu, WhatThePeerHasIsNotSentAgain) {
  Open();
  Write(4 * mss(1500));
  Sizes();
  const std::uint32_t begin = peer.iss + 1;
  Extra extra;
  extra.sack = {{begin + mss(1500), begin + 2 * mss(1500)}};
  peer.Segment(kAck, peer.irs + 1, begin, extra);
  TooBig(1300);
  // The first in two parts, and the last two together, in three.
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 5u);
  const std::uint32_t small = mss(1300);
  const std::uint32_t third = begin + 2 * mss(1500);
  const std::uint32_t expected[] = {begin, begin + small, third, third + small, third + 2 * small};
  for (std::size_t i = 0; i < sent.size(); ++i) EXPECT_EQ(sent[i].segment.seq, expected[i]) << i;
  EXPECT_EQ(sent[1].payload.size(), mss(1500) - small);
  EXPECT_EQ(sent[4].payload.size(), 2 * (mss(1500) - small));
}

TEST_P(PathMtu, AFinGoesAgainWithTheLastPart) {
  Open();
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes(std::string(2 * mss(1500), 'w'))));
  ASSERT_TRUE(peer.stack->Shutdown(peer.now, id, How::kWrite));
  ASSERT_EQ(peer.Take().size(), 2u);
  TooBig(1300);
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_TRUE(sent[2].segment.Has(kFin));
  EXPECT_FALSE(sent[1].segment.Has(kFin));
  EXPECT_EQ(sent[2].payload.size(), 2 * (mss(1500) - mss(1300)));
}

TEST_P(PathMtu, EchoRepliesGoByItToo) {
  Open();
  Write(mss(1500));
  TooBig(1300);
  peer.Take();
  peer.TakeOthers();
  peer.Inject(EchoOf(peer.theirs(), peer.ours(), 1400));
  const auto sent = peer.TakeOthers();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_LE(sent[0].size(), 1300u);
  EXPECT_LE(sent[1].size(), 1300u);
}

TEST_P(PathMtu, AMessageAboutNothingInFlightIsAForgery) {
  Open();
  Write(2 * mss(1500));
  Sizes();
  TooBig(1300, 2 * mss(1500));  // SND.NXT
  TooBig(1300, 0xffffffff);     // SND.UNA - 1
  EXPECT_EQ(Sizes().size(), 0u);
  EXPECT_EQ(Info().path_mtu, 1500u);
  EXPECT_EQ(peer.TakeRules().back().name(), "icmp-stray");
  const StackCounters counters = peer.stack->Counters();
  EXPECT_EQ(counters.icmp_errors_stray, 2u);
  EXPECT_EQ(counters.path_mtus, 0u);
}

TEST_P(PathMtu, NoMessageMakesThePathWider) {
  Open();
  Write(2 * mss(1500));
  Sizes();
  TooBig(1300);
  Sizes();
  for (const std::uint32_t mtu : {1400u, 1500u, 9000u, 0xffffffffu}) TooBig(mtu);
  EXPECT_EQ(Sizes().size(), 0u);
  EXPECT_EQ(Info().path_mtu, 1300u);
  const StackCounters counters = peer.stack->Counters();
  EXPECT_EQ(counters.path_mtu_lowered, 1u);
  EXPECT_EQ(counters.path_mtu_refused, 4u);
  EXPECT_EQ(counters.path_mtus, 1u);
}

TEST_P(PathMtu, AFloodOfMessagesSendsEverythingOnceMore) {
  Open();
  Write(4 * mss(1500));
  Sizes();
  std::size_t packets = 0;
  for (int i = 0; i < 1000; ++i) {
    TooBig(1300);
    packets += Sizes().size();
  }
  EXPECT_EQ(packets, 5u);
  EXPECT_EQ(Info().path_mtu, 1300u);
}

TEST_P(PathMtu, AnotherConnectionLearnsAtItsNextSegment) {
  Open();
  const SocketId first = id;
  const auto iss = peer.iss;
  const auto our_port = peer.our_port;
  Open();
  Write(mss(1500));
  Sizes();
  TooBig(1300);
  Sizes();
  peer.iss = iss;
  peer.our_port = our_port;
  id = first;
  EXPECT_EQ(Info().send_mss, mss(1500));
  Write(2 * mss(1300));
  EXPECT_EQ(Sizes(), std::vector<std::size_t>(2, 1300));
}

TEST_P(PathMtu, IsRememberedForTenMinutes) {
  Open();
  Write(mss(1500));
  Sizes();
  TooBig(1300);
  Ack(mss(1500));
  Sizes();
  // A new connection announces what fits, and sends no more.
  id = peer.Connect();
  peer.Segment(kSyn | kAck, peer.irs, peer.iss + 1);
  peer.Take();
  EXPECT_EQ(Info().path_mtu, 1300u);
  EXPECT_EQ(Info().receive_mss, 1300 - headers());
  EXPECT_EQ(Info().send_mss, mss(1300));
  peer.Pass(seconds(599));
  Write(2 * mss(1300));
  EXPECT_EQ(Sizes(), std::vector<std::size_t>(2, 1300));
  Ack(2 * mss(1300));
  peer.Pass(seconds(2));
  Write(mss(1500));
  EXPECT_EQ(Sizes(), std::vector<std::size_t>(1, 1500));
}

TEST_P(PathMtu, TheTimeIsASetting) {
  peer.Set(peer.v6 ? "net.ipv6.route.mtu_expires" : "net.ipv4.route.mtu_expires", "5");
  Open();
  Write(mss(1500));
  TooBig(1300);
  Ack(mss(1500));
  peer.Pass(seconds(4));
  Sizes();
  Write(2 * mss(1300));
  EXPECT_EQ(Sizes(), std::vector<std::size_t>(2, 1300));
  Ack(mss(1500) + 2 * mss(1300));
  peer.Pass(seconds(1));
  Write(mss(1500));
  EXPECT_EQ(Sizes(), std::vector<std::size_t>(1, 1500));
}

TEST_P(PathMtu, APassiveConnectionGoesByItToo) {
  Open();
  Write(mss(1500));
  TooBig(1300);
  Sizes();
  peer.our_port = 80;
  peer.port = 4001;
  const SocketId listener = peer.Listen();
  peer.HalfOpen();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  id = *peer.stack->Accept(peer.now, listener);
  EXPECT_EQ(Info().send_mss, mss(1300));
  EXPECT_EQ(Info().receive_mss, 1300 - headers());
}

TEST_P(PathMtu, TheSynsOwnSizeIsNoneOfItsBusiness) {
  id = peer.Connect();
  peer.Icmp(peer.v6 ? kTooBigV6 : kUnreachable, peer.v6 ? 0 : kTooBig, peer.iss, 1300);
  EXPECT_EQ(peer.Take().size(), 0u);
  EXPECT_EQ(peer.StateOf(id), State::kSynSent);
  peer.Segment(kSyn | kAck, peer.irs, peer.iss + 1);
  EXPECT_EQ(Info().send_mss, mss(1300));
}

// Places for the paths of a thousand destinations; the oldest of a set make way.
TEST(PathCache, IsBounded) {
  TestAllocator allocator;
  Memory memory(allocator);
  stack::PathCache cache(memory);
  const SipKey key{};
  EXPECT_EQ(cache.Find(key, IpAddress::V4(1), At(0)), nullptr);
  for (std::uint32_t i = 1; i <= 100'000; ++i) {
    cache.Store(key, IpAddress::V4(i), {552 + i % 900, false}, At(1000));
    ASSERT_NE(cache.Find(key, IpAddress::V4(i), At(0)), nullptr);
    EXPECT_EQ(cache.Find(key, IpAddress::V4(i), At(0))->mtu, 552 + i % 900);
  }
  EXPECT_LE(memory.used(), 64u << 10);
  EXPECT_EQ(cache.size(), 1024u);
  std::size_t kept = 0;
  for (std::uint32_t i = 1; i <= 100'000; ++i) {
    kept += cache.Find(key, IpAddress::V4(i), At(0)) != nullptr;
  }
  EXPECT_EQ(kept, 1024u);
  EXPECT_EQ(cache.Find(key, IpAddress::V4(100'000), At(1000)), nullptr) << "it has expired";
}

// What is told twice takes one place.
TEST(PathCache, KeepsTheLastWord) {
  TestAllocator allocator;
  Memory memory(allocator);
  stack::PathCache cache(memory);
  const SipKey key{};
  for (std::uint32_t mtu = 600; mtu < 700; ++mtu) {
    cache.Store(key, IpAddress::V4(1), {mtu, false}, At(1000));
    cache.Store(key, IpAddress::V4(2), {mtu + 1000, true}, At(1000));
  }
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(cache.Find(key, IpAddress::V4(1), At(0))->mtu, 699u);
  EXPECT_EQ(cache.Find(key, IpAddress::V4(2), At(0))->mtu, 1699u);
  EXPECT_TRUE(cache.Find(key, IpAddress::V4(2), At(0))->locked);
}

// --- Probing -------------------------------------------------------------------------------------

class Probing : public testing::Test {
 protected:
  Probing() { peer.Set("net.ipv4.tcp_wmem", "4096 4194304 4194304"); }
  void Open() {
    id = peer.Connect();
    peer.Pass(milliseconds(100));
    peer.Segment(kSyn | kAck, peer.irs, peer.iss + 1, {.window = 65535});
    peer.Take();
  }
  ConnectionInfo Info() { return *peer.stack->GetInfo(peer.now, id); }
  void Write(std::size_t bytes) {
    ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes(std::string(bytes, 'w'))));
    peer.Flush();
  }
  // One round trip over a path that takes packets of `mtu` bytes; the largest packet sent.
  std::size_t Round(std::size_t mtu) {
    std::size_t largest = 0;
    std::vector<Sent> sent = peer.Take();
    peer.Pass(milliseconds(100));
    for (const Sent& s : sent) {
      if (s.payload.empty()) continue;
      largest = std::max(largest, s.packet.size());
      if (s.packet.size() <= mtu) Arrive(s);
    }
    return largest;
  }
  // The peer takes a segment and acknowledges what it has.
  void Arrive(const Sent& s) {
    const std::uint32_t begin = s.segment.seq - peer.iss - 1;
    const auto end = begin + static_cast<std::uint32_t>(s.payload.size());
    if (begin <= next) {
      next = std::max(next, end);
      if (beyond > next && next >= hole_end) next = beyond;
      if (next >= beyond) beyond = 0;
    } else {
      if (beyond == 0) hole_end = begin;
      beyond = std::max(beyond, end);
    }
    Extra extra;
    extra.window = 65535;
    if (beyond > next) {
      extra.sack.push_back({peer.iss + 1 + hole_end, peer.iss + 1 + beyond});
    }
    peer.Segment(kAck, peer.irs + 1, peer.iss + 1 + next, extra);
  }

  RawPeer peer;
  SocketId id;
  std::uint32_t next = 0;
  std::uint32_t beyond = 0;  // one run beyond a hole
  std::uint32_t hole_end = 0;
};

TEST_F(Probing, SearchesUpwardsUntilTheBoundsAreClose) {
  peer.Set("net.ipv4.tcp_mtu_probing", "2");
  Open();
  EXPECT_EQ(Info().send_mss, 1024u);  // tcp_base_mss
  Write(2'000'000);
  std::vector<std::size_t> largest;
  for (int i = 0; i < 20; ++i) largest.push_back(Round(1500));
  EXPECT_GT(Info().send_mss, 1448u - 8);
  // Halving the distance from 1076: 1288, 1394, 1447, 1473, 1486, 1493.
  EXPECT_NE(std::ranges::find(largest, 1288u), largest.end());
  EXPECT_NE(std::ranges::find(largest, 1394u), largest.end());
  EXPECT_EQ(Info().segments_retransmitted, 0u);
}

TEST_F(Probing, ALostProbeIsRepairedWithoutAReduction) {
  peer.Set("net.ipv4.tcp_congestion_control", "reno");  // HyStart would end slow start
  peer.Set("net.ipv4.tcp_mtu_probing", "2");
  Open();
  Write(2'000'000);
  std::uint32_t least_window = UINT32_MAX;
  for (int i = 0; i < 30; ++i) {
    Round(1300);
    least_window = std::min(least_window, Info().congestion_window);
  }
  EXPECT_GT(Info().send_mss, 1300u - 52 - 16);
  EXPECT_LE(Info().send_mss, 1300u - 52);
  EXPECT_GE(Info().segments_retransmitted, 1u);
  EXPECT_GE(least_window, 9u * 1024);
  EXPECT_GE(Info().slow_start_threshold, 0x7fffffffu - 1) << "never reduced";
  EXPECT_EQ(Info().rto < seconds(1), true);
}

// What did not pass may pass later: the search begins again after tcp_probe_interval.
TEST_F(Probing, TriesAgainAfterTheInterval) {
  peer.Set("net.ipv4.tcp_mtu_probing", "2");
  peer.Set("net.ipv4.tcp_probe_interval", "120");
  peer.Set("net.ipv4.tcp_slow_start_after_idle", "0");
  Open();
  Write(2'000'000);
  for (int i = 0; i < 30; ++i) Round(1300);
  EXPECT_LE(Info().send_mss, 1300u - 52);
  for (int i = 0; i < 30; ++i) Round(1500);
  EXPECT_LE(Info().send_mss, 1300u - 52) << "too early";
  peer.Pass(seconds(180));
  Write(2'000'000);
  for (int i = 0; i < 30; ++i) Round(1500);
  EXPECT_GT(Info().send_mss, 1448u - 16);
  const StackCounters counters = peer.stack->Counters();
  EXPECT_GE(counters.mtu_probes_lost, 1u);
  EXPECT_GE(counters.mtu_probes_passed, 4u);
  EXPECT_EQ(counters.mtu_probes, counters.mtu_probes_passed + counters.mtu_probes_lost);
}

TEST_F(Probing, DoesNotBeginByItself) {
  Open();
  EXPECT_EQ(Info().send_mss, 1448u);
}

// Nothing over 1100 bytes comes through, and no router says so.
TEST_F(Probing, ABlackHoleIsFoundAfterRetries1) {
  peer.Set("net.ipv4.tcp_mtu_probing", "1");
  peer.Set("net.ipv4.tcp_retries1", "2");
  Open();
  EXPECT_EQ(Info().send_mss, 1448u);
  Write(3000);
  EXPECT_EQ(peer.Take().size(), 3u);
  std::vector<std::size_t> sizes;
  while (Info().send_mss == 1448 && MsOf(peer.now) < 10'000) {
    peer.Pass(milliseconds(100));
    for (const Sent& s : peer.Take()) sizes.push_back(s.packet.size());
  }
  // Two repeats of the full size, which nothing came of; then one that comes through.
  EXPECT_EQ(std::ranges::count(sizes, 1500u), 2);
  ASSERT_FALSE(sizes.empty());
  EXPECT_EQ(sizes.back(), 1024u + 52);
  EXPECT_EQ(Info().send_mss, 1024u);
}

TEST_F(Probing, ADeeperBlackHoleHalvesTheSizeDownToTheFloor) {
  peer.Set("net.ipv4.tcp_mtu_probing", "1");
  peer.Set("net.ipv4.tcp_retries1", "1");
  peer.Set("net.ipv4.tcp_mtu_probe_floor", "200");
  Open();
  Write(3000);
  std::vector<std::uint32_t> sizes;
  for (int i = 0; i < 1000; ++i) {
    peer.Pass(milliseconds(100));
    const std::uint32_t mss = Info().send_mss;
    if (sizes.empty() || sizes.back() != mss) sizes.push_back(mss);
  }
  EXPECT_EQ(sizes, (std::vector<std::uint32_t>{1448, 1024, 512, 256, 200}));
}

TEST_F(Probing, WithoutItABlackHoleStaysOne) {
  peer.Set("net.ipv4.tcp_retries1", "1");
  Open();
  Write(3000);
  peer.Pass(seconds(60));
  EXPECT_EQ(Info().send_mss, 1448u);
}

}  // namespace
}  // namespace estab::test
