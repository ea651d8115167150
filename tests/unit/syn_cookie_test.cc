// SYN cookies: no record is kept, and honest clients still connect.
#include "stack/syn_cookie.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "matrix/raw_peer.h"

namespace estab::test {
namespace {

using std::chrono::minutes;

const SipKey kKey = {1, 2, 3};
const Tuple kTuple = {{IpAddress::V4(0xC0000201u), 80}, {IpAddress::V4(0xC0000202u), 4000}};

TEST(SynCookie, BringsBackTheMssForAMinuteOrTwo) {
  const Time made = Time{} + minutes(1000) + seconds(59);
  for (const auto& [mss, told] : {std::pair{1460, 1460},
                                  {1459, 1440},
                                  {1300, 1300},
                                  {1299, 536},
                                  {536, 536},
                                  {100, 536},
                                  {9000, 1460}}) {
    const std::uint32_t cookie =
        stack::MakeSynCookie(kKey, kTuple, 7, made, static_cast<std::uint16_t>(mss));
    for (const Duration age : {seconds(0), seconds(60), seconds(2) + seconds(58)}) {
      const auto back = stack::CheckSynCookie(kKey, kTuple, 7,
                                              made + std::min<Duration>(age, seconds(60)), cookie);
      ASSERT_TRUE(back);
      EXPECT_EQ(*back, told);
    }
    EXPECT_FALSE(stack::CheckSynCookie(kKey, kTuple, 7, made + seconds(61), cookie));
    EXPECT_FALSE(stack::CheckSynCookie(kKey, kTuple, 7, made + minutes(2), cookie));
    EXPECT_FALSE(stack::CheckSynCookie(kKey, kTuple, 7, made + minutes(3), cookie));
  }
}

TEST(SynCookie, IsGoodForOneTupleNumberAndKey) {
  const Time now = Time{} + minutes(1000);
  const std::uint32_t cookie = stack::MakeSynCookie(kKey, kTuple, 7, now, 1460);
  Tuple other = kTuple;
  ++other.remote.port;
  EXPECT_FALSE(stack::CheckSynCookie(kKey, other, 7, now, cookie));
  other = kTuple;
  other.remote.address.bytes[15] ^= 1;
  EXPECT_FALSE(stack::CheckSynCookie(kKey, other, 7, now, cookie));
  EXPECT_FALSE(stack::CheckSynCookie(kKey, kTuple, 8, now, cookie));
  EXPECT_FALSE(stack::CheckSynCookie(SipKey{9}, kTuple, 7, now, cookie));
  for (int bit = 0; bit < 32; ++bit) {
    EXPECT_FALSE(stack::CheckSynCookie(kKey, kTuple, 7, now, cookie ^ (1u << bit))) << bit;
  }
}

TEST(SynCookie, OptionsTravelInTheTimestamp) {
  for (std::uint32_t now : {0u, 63u, 64u, 1'000'000u, 0xffffffffu}) {
    for (int scale = -1; scale <= 14; ++scale) {
      tcp::HalfOpen half;
      half.window_scaling = scale >= 0;
      half.send_scale = static_cast<std::uint8_t>(scale < 0 ? 0 : scale);
      half.sack = scale % 2 == 0;
      const tcp::Stamp packed = stack::PackOptions(now, half);
      EXPECT_LT(now - packed, 128u);  // never in the future
      const wire::TcpOptions back = stack::UnpackOptions(packed);
      EXPECT_EQ(back.has_window_scale, half.window_scaling);
      EXPECT_EQ(back.window_scale, half.send_scale);
      EXPECT_EQ(back.sack_permitted, half.sack);
    }
  }
}

class Cookies : public testing::TestWithParam<bool> {
 protected:
  void Listen(const char* mode, int backlog = 8) {
    peer.Set("net.ipv4.tcp_syncookies", mode);
    listener = peer.Listen(backlog);
  }
  // A SYN and the answer to it.
  wire::Segment Syn() {
    peer.Segment(kSyn, peer.irs, 0);
    auto sent = peer.Take();
    EXPECT_EQ(sent.size(), 1u);
    if (sent.empty()) return {};
    EXPECT_EQ(sent[0].segment.flags, kSyn | kAck);
    EXPECT_EQ(sent[0].segment.ack, peer.irs + 1);
    peer.iss = sent[0].segment.seq;
    return sent[0].segment;
  }
  std::string LastRule() const { return peer.rules.fired.back().name(); }

  RawPeer peer{GetParam()};
  SocketId listener;
};
INSTANTIATE_TEST_SUITE_P(Families, Cookies, testing::Bool(),
                         [](const auto& p) { return p.param ? "Ipv6" : "Ipv4"; });

TEST_P(Cookies, NothingIsKeptAndTheConnectionIsWhole) {
  Listen("2");
  const wire::Segment answer = Syn();
  EXPECT_EQ(LastRule(), "listen-syn-cookie");
  EXPECT_EQ(peer.stack->Counters().half_open, 0u);
  EXPECT_EQ(peer.stack->NextDeadline(), kNever);
  EXPECT_TRUE(answer.options.sack_permitted);
  EXPECT_TRUE(answer.options.has_window_scale);
  EXPECT_EQ(answer.options.ts_echo, peer.Clock());
  peer.Pass(seconds(1));
  peer.TakeRules();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.data = "hello"});
  const auto rules = peer.TakeRules();
  ASSERT_EQ(rules.size(), 3u);
  EXPECT_EQ(rules[0].name(), "listen-cookie-ack");
  EXPECT_EQ(rules[1].name(), "syn-rcvd-ack");
  EXPECT_EQ(rules[2].name(), "data");
  const auto id = peer.stack->Accept(peer.now, listener);
  ASSERT_TRUE(id);
  EXPECT_EQ(peer.ReadAll(*id), "hello");
  const ConnectionInfo info = *peer.stack->GetInfo(peer.now, *id);
  EXPECT_TRUE(info.timestamps && info.sack && info.window_scaling);
  EXPECT_EQ(info.receive_window_scale, answer.options.window_scale);
  EXPECT_EQ(info.send_mss, (GetParam() ? 1440u : 1460u) - 12u);
  EXPECT_EQ(peer.stack->Counters().syn_cookies_sent, 1u);
  EXPECT_EQ(peer.stack->Counters().syn_cookies_received, 1u);
  // Data flows back, with timestamps that go on from the cookie's.
  peer.Take();
  ASSERT_TRUE(peer.stack->Send(peer.now, *id, Bytes("world")));
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].payload, "world");
  EXPECT_EQ(sent[0].segment.seq, peer.iss + 1);
  const std::uint32_t later = sent[0].segment.options.ts_value - answer.options.ts_value;
  EXPECT_GE(later, 1000u);
  EXPECT_LT(later, 1128u);
  peer.stack->CheckInvariants();
}

// The echo is up to 127 ms too old: taken for a round trip it would be nonsense.
TEST_P(Cookies, NoRoundTripIsReadFromACookie) {
  Listen("2");
  Syn();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  const auto id = peer.stack->Accept(peer.now, listener);
  ASSERT_TRUE(id);
  EXPECT_EQ(peer.stack->GetInfo(peer.now, *id)->srtt, Duration{});
  EXPECT_EQ(peer.stack->GetInfo(peer.now, *id)->rto, seconds(1));
  // The first data gives one.
  ASSERT_TRUE(peer.stack->Send(peer.now, *id, Bytes("x")));
  peer.Flush();
  peer.Pass(milliseconds(20));
  peer.Segment(kAck, peer.irs + 1, peer.iss + 2);
  EXPECT_EQ(peer.stack->GetInfo(peer.now, *id)->srtt, milliseconds(20));
}

TEST_P(Cookies, WithoutTimestampsOnlyTheMssSurvives) {
  peer.timestamps = false;
  peer.mss = 1350;
  Listen("2");
  const wire::Segment answer = Syn();
  EXPECT_TRUE(answer.options.has_mss);
  EXPECT_FALSE(answer.options.has_timestamp || answer.options.sack_permitted ||
               answer.options.has_window_scale);
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  const auto id = peer.stack->Accept(peer.now, listener);
  ASSERT_TRUE(id);
  const ConnectionInfo info = *peer.stack->GetInfo(peer.now, *id);
  EXPECT_FALSE(info.timestamps || info.sack || info.window_scaling);
  EXPECT_EQ(info.send_mss, GetParam() ? 1220u : 1300u);
}

TEST_P(Cookies, OnlyWhenTheQueueOverflows) {
  peer.Set("net.ipv4.tcp_max_syn_backlog", "3");
  Listen("1");
  for (std::uint16_t port = 1; port <= 5; ++port) {
    peer.port = port;
    Syn();
    EXPECT_EQ(LastRule(), port <= 3 ? "listen-syn" : "listen-syn-cookie");
  }
  EXPECT_EQ(peer.stack->Counters().half_open, 3u);
  EXPECT_EQ(peer.stack->Counters().syn_cookies_sent, 2u);
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  EXPECT_TRUE(peer.stack->Accept(peer.now, listener));
}

TEST_P(Cookies, AForgedAckIsRefused) {
  Listen("2");
  Syn();
  for (const std::uint32_t wrong : {1u, 0x20000000u, 0x80000000u}) {
    peer.Segment(kAck, peer.irs + 1, peer.iss + 1 + wrong);
    const auto sent = peer.Take();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].segment.flags, kRst);
    EXPECT_EQ(sent[0].segment.seq, peer.iss + 1 + wrong);
    EXPECT_EQ(LastRule(), "listen-bad-cookie");
  }
  EXPECT_EQ(peer.stack->Counters().syn_cookies_failed, 3u);
  EXPECT_FALSE(peer.stack->Accept(peer.now, listener));
  EXPECT_EQ(peer.stack->Counters().sockets, 1u);
}

// Who has sent no cookie lately need not look at one: the ACK is as stray as any.
TEST_P(Cookies, AreOnlyLookedAtWhileTheLastIsFresh) {
  Listen("2");
  Syn();
  peer.Set("net.ipv4.tcp_syncookies", "0");
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  EXPECT_EQ(LastRule(), "listen-ack");
  peer.Set("net.ipv4.tcp_syncookies", "2");
  peer.Pass(seconds(121));
  peer.Take();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  EXPECT_EQ(LastRule(), "listen-ack");
  EXPECT_EQ(peer.Take().size(), 1u);
  EXPECT_EQ(peer.stack->Counters().syn_cookies_failed, 0u);
}

TEST_P(Cookies, AFullAcceptQueueDropsThemSilently) {
  Listen("2", 0);
  Syn();
  const std::uint32_t first = peer.iss;
  peer.port = 5000;
  Syn();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  peer.port = 4000;
  peer.Segment(kAck, peer.irs + 1, first + 1);
  EXPECT_TRUE(peer.Take().empty());
  EXPECT_EQ(LastRule(), "listen-accept-queue-full");
  ASSERT_TRUE(peer.stack->Accept(peer.now, listener));
  peer.Segment(kAck, peer.irs + 1, first + 1, {.data = "late"});
  const auto id = peer.stack->Accept(peer.now, listener);
  ASSERT_TRUE(id);
  EXPECT_EQ(peer.ReadAll(*id), "late");
}

TEST_P(Cookies, AgreementsThatNoLongerHoldAreRefused) {
  Listen("2");
  Syn();
  peer.Set("net.ipv4.tcp_window_scaling", "0");
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  EXPECT_EQ(LastRule(), "listen-bad-cookie");
}

TEST_P(Cookies, NoMemoryForTheConnection) {
  Listen("2");
  Syn();
  peer.Set("estab.mem_limit", "1");
  while (peer.stack->Open(peer.v6)) {
  }
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  EXPECT_EQ(LastRule(), "listen-no-memory");
  peer.Set("estab.mem_limit", "0");
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  EXPECT_TRUE(peer.stack->Accept(peer.now, listener));
}

// The flood: spoofed SYNs as fast as they can come, an honest client among every thousand.
TEST_P(Cookies, HonestClientsConnectWhileSpoofedSynsFlood) {
  peer.Set("net.ipv4.tcp_max_syn_backlog", "64");
  Listen("1");
  const auto spoof = [&](std::uint32_t i) {
    IpAddress from = peer.theirs();
    from.bytes[14] = static_cast<std::uint8_t>(GetParam() ? i >> 8 : 2);
    from.bytes[15] = static_cast<std::uint8_t>(3 + i % 250);
    wire::Segment syn = peer.Make(kSyn, i * 77, 0, {});
    syn.source_port = static_cast<std::uint16_t>(1024 + i / 250);
    peer.Inject(Pack(from, peer.ours(), syn, {}));
    peer.sink.sent.clear();
    peer.Take();
  };
  std::uint32_t i = 0;
  for (; i < 2000; ++i) spoof(i);
  std::uint64_t memory = 0;
  for (int client = 0; client < 20; ++client) {
    for (std::uint32_t end = i + 1000; i < end; ++i) spoof(i);
    peer.port = static_cast<std::uint16_t>(100 + client);
    Syn();
    for (std::uint32_t end = i + 100; i < end; ++i) spoof(i);
    peer.Pass(milliseconds(10));
    peer.Take();
    peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.data = "honest"});
    const auto id = peer.stack->Accept(peer.now, listener);
    ASSERT_TRUE(id);
    EXPECT_EQ(peer.ReadAll(*id), "honest");
    ASSERT_TRUE(peer.stack->Abort(peer.now, *id));
    EXPECT_LE(peer.stack->Counters().half_open, 64u);
    if (client == 0) memory = peer.stack->Counters().memory;
  }
  EXPECT_LE(peer.stack->Counters().memory, memory);
}

}  // namespace
}  // namespace estab::test
