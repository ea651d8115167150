// Data that leaves at a rate (SO_MAX_PACING_RATE), and the rate at which it arrives, against a peer
// made by hand: round trips of 100 ms, segments of 1000 bytes.
#include "recovering.h"

namespace estab::test {
namespace {

class Pacing : public Recovering {
 protected:
  void Limit(std::uint64_t rate) {
    SocketOptions options = *peer.stack->GetOptions(id);
    options.max_pacing_rate = rate;
    options.paced = true;
    ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  }
  // Ten segments, which pacing lets pass, and their ACK: 20 may follow now.
  void Begin(std::uint64_t rate) {
    Open();
    Limit(rate);
    Write(10);
    EXPECT_EQ(Sent().size(), 10u);
    peer.Pass(milliseconds(100));
    Ack(10);
  }
  ConnectionInfo Info() { return *peer.stack->GetInfo(peer.now, id); }
  // When the next data goes, in ms from now, and how many segments.
  std::pair<double, std::size_t> Next() {
    const double now = MsOf(peer.now);
    double at = 0;
    const std::size_t count = Within(seconds(10), &at).size();
    return {at - now, count};
  }
};
using Burst = std::pair<double, std::size_t>;

TEST_F(Pacing, BurstsOfTwoSegmentsAtTheRate) {
  Begin(100'000);
  Write(8);
  // The link was idle for 90 ms, which makes up for half of the first burst.
  EXPECT_EQ(Sent(), (Numbers{10, 11}));
  EXPECT_EQ(Next(), Burst(10, 2));
  EXPECT_EQ(Next(), Burst(20, 2));
  EXPECT_EQ(Next(), Burst(20, 2));
  EXPECT_EQ(Info().pacing_rate, 100'000u);
  EXPECT_EQ(Info().max_pacing_rate, 100'000u);
}

TEST_F(Pacing, AMillisecondsWorthGoesAtOnce) {
  Begin(8'192'000);
  Limit(8'192'000);  // again: nothing changes
  Write(20);
  // 8000 bytes take 0.98 ms, and the window leaves 400,000 bytes a second: 200 % of it.
  EXPECT_EQ(Info().pacing_rate, 400'000u);
  EXPECT_EQ(Sent().size(), 2u);
  peer.Set("net.ipv4.tcp_pacing_ss_ratio", "1000");
  peer.Set("net.ipv4.tcp_pacing_ca_ratio", "1000");
  EXPECT_EQ(Info().pacing_rate, 2'000'000u);
  peer.Set("net.ipv4.tcp_pacing_ss_ratio", "0");
  EXPECT_EQ(Info().pacing_rate, 0u);
}

TEST_F(Pacing, TheShareOfTheWindowIsSmallerAfterSlowStart) {
  Begin(100'000'000);
  Write(20);
  EXPECT_EQ(Info().pacing_rate, 400'000u);
  Sent();
  for (int i = 0; i < 2; ++i) Next();
  peer.Pass(milliseconds(100));
  Ack(10, {{11, 16}});  // 10 is lost
  EXPECT_LT(Threshold(), 20u);
  const ConnectionInfo info = Info();
  const double trip = std::chrono::duration<double>(info.srtt).count();
  EXPECT_NEAR(static_cast<double>(info.pacing_rate), 20'000 * 1.2 / trip, 10);
}

TEST_F(Pacing, UnlessItIsAskedForEverythingGoesAtOnce) {
  Open();
  Write(10);
  Sent();
  peer.Pass(milliseconds(100));
  Ack(10);
  Write(20);
  EXPECT_EQ(Sent().size(), 20u);
}

TEST_F(Pacing, OnceLimitedAlwaysPaced) {
  Begin(100'000);
  Limit(UINT64_MAX);
  Write(20);
  EXPECT_EQ(Info().max_pacing_rate, UINT64_MAX);
  EXPECT_EQ(Sent().size(), 2u);
}

TEST_F(Pacing, ARateOfNothingIsNoLimit) {
  Begin(0);
  Write(20);
  EXPECT_EQ(Sent().size(), 20u);
}

TEST_F(Pacing, AcksAndTheFinDoNotWait) {
  Begin(1000);
  peer.Pass(milliseconds(700));  // the tenth segment took a second
  Write(1);
  EXPECT_EQ(Sent(), Numbers{});
  peer.Segment(kAck | kPsh, peer.irs + 1, Seq(10), {.data = "x"});
  peer.Segment(kAck | kPsh, peer.irs + 2, Seq(10), {.data = "y"});
  const auto acks = peer.Take();
  ASSERT_FALSE(acks.empty());
  EXPECT_EQ(acks[0].payload, "");
  EXPECT_EQ(Next(), Burst(200, 1));
  peer.Pass(milliseconds(1));  // what is left of the burst is over
  ASSERT_TRUE(peer.stack->Shutdown(peer.now, id, How::kWrite));
  const auto fin = peer.Take();
  ASSERT_EQ(fin.size(), 1u);
  EXPECT_TRUE(fin[0].segment.Has(kFin));
}

TEST_F(Pacing, APauseWithNothingInFlightForgetsNoTime) {
  Begin(1000);
  EXPECT_EQ(peer.stack->GetInfo(peer.now, id)->timer, TimerKind::kPacing);
  peer.Pass(milliseconds(100));
  Write(1);
  EXPECT_EQ(Next(), Burst(800, 1));
}

TEST_F(Pacing, TheFirstRepeatAfterATimeOutDoesNotWait) {
  peer.Set("net.ipv4.tcp_early_retrans", "0");
  Begin(1000);
  peer.Pass(milliseconds(900));
  Write(4);
  EXPECT_EQ(Sent(), (Numbers{10, 11}));  // until 2000 ms from now, or a little less
  double at = 0;
  const double now = MsOf(peer.now);
  EXPECT_EQ(Within(seconds(1), &at), Numbers{10});
  EXPECT_LT(at - now, 500);  // long before the rest of the pace
}

TEST_F(Pacing, AProbeOfTheTailDoesNotWait) {
  Begin(1000);
  peer.Pass(milliseconds(900));
  Write(4);
  EXPECT_EQ(Sent(), (Numbers{10, 11}));
  double at = 0;
  const double now = MsOf(peer.now);
  EXPECT_EQ(Within(milliseconds(250), &at), Numbers{12});  // new data
  EXPECT_EQ(at - now, 202);                                // two round trips and two ticks
}

TEST_F(Pacing, RepeatsWaitLikeNewData) {
  Begin(100'000);
  Write(8);
  for (int i = 0; i < 4; ++i) Next();
  peer.Pass(milliseconds(30));
  EXPECT_EQ(Ack(10, {{14, 18}}), (Numbers{10, 11}));
  EXPECT_EQ(Next(), Burst(10, 2));
}

TEST_F(Pacing, TimesAreExactAndTheSameAgain) {
  Begin(30'000);
  Write(4);
  Sent();
  const Time next = peer.stack->NextDeadline();
  EXPECT_EQ((next - peer.now).count(), 33'333'334);  // two of 33.3 ms, half of it saved
}

TEST_F(Pacing, TheDeliveryRateIsMeasured) {
  Open();
  EXPECT_EQ(Info().segments_delivered, 1u);  // the SYN
  EXPECT_EQ(Info().delivery_rate, 0u);
  Write(10);
  Sent();
  peer.Pass(milliseconds(100));
  Ack(10);
  EXPECT_EQ(Info().delivery_rate, 100'000u);
  EXPECT_TRUE(Info().delivery_rate_app_limited);  // there was no more
  EXPECT_EQ(Info().segments_delivered, 11u);
  Write(30);
  EXPECT_EQ(Sent().size(), 20u);
  peer.Pass(milliseconds(100));
  EXPECT_EQ(Ack(30).size(), 10u);
  EXPECT_EQ(Info().delivery_rate, 200'000u);
  EXPECT_TRUE(Info().delivery_rate_app_limited);
  peer.Pass(milliseconds(100));
  Ack(40);
  EXPECT_EQ(Info().delivery_rate, 100'000u);  // lower, but now it says something of the path
  EXPECT_FALSE(Info().delivery_rate_app_limited);
  EXPECT_EQ(Info().segments_delivered, 41u);
}

TEST_F(Pacing, MemoryComesBackWhenTheTimeHasPassed) {
  Begin(1000);
  peer.Pass(seconds(2));
  const auto idle = peer.stack->Counters().memory_in_use;
  Write(1);
  Sent();
  peer.Pass(milliseconds(100));
  Ack(11);
  peer.Pass(seconds(2));
  EXPECT_EQ(peer.stack->Counters().memory_in_use, idle);
}

}  // namespace
}  // namespace estab::test
