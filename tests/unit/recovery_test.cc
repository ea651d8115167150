// Loss recovery against a peer made by hand. The round trip is 100 ms, a segment has 1000 bytes;
// segments are named by their number, from 0.
#include "recovering.h"

namespace estab::test {
namespace {

// --- RACK ----------------------------------------------------------------------------------------

TEST_F(Recovering, ThreeSackedSegmentsCloseTheReorderingWindow) {
  Open();
  Write(10);
  EXPECT_EQ(Sent().size(), 10u);
  peer.Pass(milliseconds(100));
  EXPECT_EQ(Ack(0, {{1, 2}}), Numbers{});
  EXPECT_EQ(Ack(0, {{1, 3}}), Numbers{});
  EXPECT_EQ(Ack(0, {{1, 4}}), Numbers{0});
  EXPECT_EQ(Ack(10), Numbers{});
  EXPECT_EQ(Threshold(), 5u);
  EXPECT_EQ(Window(), 6u);  // the ACK that ends the recovery counts towards growing
}

TEST_F(Recovering, WhatIsOvertakenHasAQuarterOfTheRoundTrip) {
  Open();
  Write(3);
  const double sent_at = MsOf(peer.now);
  Sent();
  peer.Pass(milliseconds(100));
  EXPECT_EQ(Ack(0, {{1, 2}}), Numbers{});
  double at = 0;
  EXPECT_EQ(Within(milliseconds(60), &at), Numbers{0});
  EXPECT_DOUBLE_EQ(at, sent_at + 125);
}

TEST_F(Recovering, AFineDeadlineIsExactToTheNanosecond) {
  peer.mss = kMss + 12;
  id = peer.Connect();
  peer.Pass(std::chrono::microseconds(1234));
  peer.Segment(kSyn | kAck, peer.irs, peer.iss + 1);
  peer.Take();
  const Time sent_at = peer.now;
  Write(3);
  Sent();
  peer.Pass(std::chrono::microseconds(1234));
  EXPECT_EQ(Ack(0, {{1, 2}}), Numbers{});
  EXPECT_EQ(peer.stack->NextDeadline() - sent_at, std::chrono::nanoseconds(1'234'000 * 5 / 4));
}

TEST_F(Recovering, ALateSegmentIsNotRepeated) {
  Open();
  Write(3);
  Sent();
  peer.Pass(milliseconds(100));
  EXPECT_EQ(Ack(0, {{1, 2}}), Numbers{});
  peer.Pass(milliseconds(10));
  EXPECT_EQ(Ack(2), Numbers{});
  EXPECT_EQ(Within(milliseconds(80)), Numbers{});
  EXPECT_EQ(Window(), 10u);
  EXPECT_GT(Threshold(), 1000u);
}

TEST_F(Recovering, ALostRepeatIsFoundByWhatWasSentAfterIt) {
  Open();
  Write(20);
  EXPECT_EQ(Sent().size(), 10u);
  peer.Pass(milliseconds(100));
  EXPECT_EQ(Ack(0, {{1, 2}}), Numbers{10});  // limited transmit (RFC 3042)
  EXPECT_EQ(Ack(0, {{1, 3}}), Numbers{11});
  EXPECT_EQ(Ack(0, {{1, 4}}), Numbers{0});
  peer.Pass(milliseconds(50));
  for (int n = 5; n < 10; ++n) Ack(0, {{1, n}});
  peer.Pass(milliseconds(60));
  // 10 and 11 were sent before the repeat and say nothing of it; what was sent after it does.
  Ack(0, {{1, 12}});
  EXPECT_EQ(Ack(0, {{1, 13}}).at(0), 0);
}

// --- Proportional rate reduction -----------------------------------------------------------------

TEST_F(Recovering, WhatLeavesIsInProportionToWhatArrives) {
  Open();
  Write(10);
  Sent();
  peer.Pass(milliseconds(100));
  Ack(0, {{2, 3}});
  Ack(0, {{2, 4}});
  // Two are lost, three have arrived: five in flight, which is ssthresh. The first repeat goes in
  // any case; the second waits until one more has left the network.
  EXPECT_EQ(Ack(0, {{2, 5}}), Numbers{0});
  EXPECT_EQ(Ack(0, {{2, 6}}), Numbers{});
  EXPECT_EQ(Ack(0, {{2, 7}}), Numbers{1});
}

TEST_F(Recovering, OneOfTwoWhileTheWindowComesDown) {
  Open();
  Write(40);
  Sent();
  peer.Pass(milliseconds(100));
  Ack(10);  // slow start: 20 in flight
  peer.Pass(milliseconds(100));
  Ack(10, {{11, 12}});
  Ack(10, {{11, 13}});
  EXPECT_EQ(Ack(10, {{11, 14}}), Numbers{10});
  std::size_t sent = 0;
  for (int n = 15; n <= 30; ++n) sent += Ack(10, {{11, n}}).size();
  EXPECT_GE(sent, 7u);  // sixteen arrived
  EXPECT_LE(sent, 9u);
}

// --- The tail loss probe -------------------------------------------------------------------------

TEST_F(Recovering, TheLastSegmentAgainAfterTwoRoundTrips) {
  Open();
  Write(3);
  const double sent_at = MsOf(peer.now);
  Sent();
  double at = 0;
  EXPECT_EQ(Within(seconds(1), &at), Numbers{2});
  EXPECT_DOUBLE_EQ(at, sent_at + 202);  // and two ticks
  peer.Pass(milliseconds(100));
  // It has arrived: what was sent before it is lost, and goes at once, for nothing is on the way.
  EXPECT_EQ(Ack(0, {{2, 3}}), (Numbers{0, 1}));
}

TEST_F(Recovering, ProbesWithNewDataWhereThereIsSome) {
  Open();
  Write(12);
  EXPECT_EQ(Sent().size(), 10u);
  EXPECT_EQ(Within(seconds(1)), Numbers{10});
}

TEST_F(Recovering, OneSegmentAloneIsLeftToTheTimer) {
  Open();
  Write(1);
  const double sent_at = MsOf(peer.now);
  Sent();
  double at = 0;
  EXPECT_EQ(Within(seconds(1), &at), Numbers{0});
  EXPECT_DOUBLE_EQ(at, sent_at + 300);  // SRTT + 200 ms
}

TEST_F(Recovering, LinuxProbesForASegmentAloneToo) {
  peer.Set("estab.profile", "linux");
  peer.Set("net.ipv4.tcp_congestion_control", "reno");
  Open();
  Write(1);
  const double sent_at = MsOf(peer.now);
  Sent();
  double at = 0;
  EXPECT_EQ(Within(seconds(1), &at), Numbers{0});
  EXPECT_DOUBLE_EQ(at, sent_at + 300);
  EXPECT_EQ(Within(seconds(1), &at), Numbers{0});
  EXPECT_DOUBLE_EQ(at, sent_at + 600);  // the first repeat that counts: not doubled yet
}

TEST_F(Recovering, AProbeThatRepairsALossCostsHalfTheWindow) {
  peer.Set("estab.tcp_rto_min", "1000");
  Open();
  Write(4);
  Sent();
  peer.Pass(milliseconds(100));
  EXPECT_EQ(Ack(3), Numbers{});
  EXPECT_EQ(Within(milliseconds(350)), Numbers{3});
  peer.Pass(milliseconds(100));
  Ack(4);
  Write(1);
  Sent();
  peer.Pass(milliseconds(100));
  Ack(5);  // beyond the probe, and no D-SACK came: it was needed
  EXPECT_EQ(Threshold(), 5u);
  EXPECT_EQ(Window(), 5u);
}

TEST_F(Recovering, AProbeThatWasNotNeededCostsNothing) {
  peer.Set("estab.tcp_rto_min", "1000");
  Open();
  Write(4);
  Sent();
  peer.Pass(milliseconds(100));
  Ack(3);
  EXPECT_EQ(Within(milliseconds(350)), Numbers{3});
  const std::uint32_t before = Window();
  Ack(4);
  peer.Pass(milliseconds(100));
  Ack(4, {{3, 4}});  // both copies
  Write(1);
  Sent();
  peer.Pass(milliseconds(100));
  Ack(5);
  EXPECT_GE(Window(), before);
  EXPECT_GT(Threshold(), 1000u);
}

TEST_F(Recovering, WithoutEarlyRetransThereIsNoProbe) {
  peer.Set("net.ipv4.tcp_early_retrans", "0");
  Open();
  Write(3);
  const double sent_at = MsOf(peer.now);
  Sent();
  double at = 0;
  EXPECT_EQ(Within(seconds(1), &at), Numbers{0});
  EXPECT_DOUBLE_EQ(at, sent_at + 300);
}

// --- The retransmission time-out -----------------------------------------------------------------

TEST_F(Recovering, AfterATimeOutSlowStartRepeatsWhatIsLost) {
  peer.timestamps = false;
  peer.Set("net.ipv4.tcp_early_retrans", "0");
  peer.Set("net.ipv4.tcp_frto", "0");
  Open();
  Write(10);
  Sent();
  EXPECT_EQ(Within(seconds(1)), Numbers{0});
  EXPECT_EQ(Window(), 1u);
  EXPECT_EQ(Threshold(), 5u);
  peer.Pass(milliseconds(100));
  EXPECT_EQ(Ack(1), (Numbers{1, 2}));
  peer.Pass(milliseconds(100));
  EXPECT_EQ(Ack(2), (Numbers{3, 4}));
  EXPECT_EQ(Ack(3), (Numbers{5, 6}));
}

TEST_F(Recovering, WhatIsSackedIsNotRepeatedAfterATimeOut) {
  peer.timestamps = false;
  peer.Set("net.ipv4.tcp_early_retrans", "0");
  Open();
  Write(4);
  Sent();
  peer.Pass(milliseconds(100));
  EXPECT_EQ(Ack(0, {{3, 4}}), Numbers{});
  Within(milliseconds(30));  // by RACK: 0, then 1 and 2 as the window allows
  EXPECT_EQ(Within(seconds(2)), Numbers{0});
  peer.Pass(milliseconds(100));
  EXPECT_EQ(Ack(1, {{3, 4}}), (Numbers{1, 2}));
  peer.Pass(milliseconds(100));
  EXPECT_EQ(Ack(4), Numbers{});
  EXPECT_TRUE(*peer.stack->Drained(id));
}

TEST_F(Recovering, APeerThatForgetsItsSacksGetsEverythingAgain) {
  peer.timestamps = false;
  Open();
  Write(4);
  Sent();
  peer.Pass(milliseconds(100));
  Ack(0, {{1, 4}});
  peer.Pass(milliseconds(100));
  Ack(1, {});  // but not what it SACKed
  const Numbers again = Within(seconds(2));
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again[0], 1);
  peer.Pass(milliseconds(100));
  EXPECT_EQ(Ack(2), (Numbers{2, 3}));
}

// The window cuts the repeat of segment 2 in two; when it is repeated once more, it begins anew.
TEST_F(Recovering, ASegmentRepeatedInPartsBeginsAnewTheNextTime) {
  peer.timestamps = false;
  peer.Set("net.ipv4.tcp_early_retrans", "0");
  peer.Set("net.ipv4.tcp_frto", "0");
  Open();
  Write(3);
  Sent();
  EXPECT_EQ(Within(seconds(1)), Numbers{0});
  peer.Segment(kAck, peer.irs + 1, Seq(1), {.window = 1500});
  auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[1].segment.seq, Seq(2));
  EXPECT_EQ(sent[1].payload.size(), 500u);
  peer.Segment(kAck, peer.irs + 1, Seq(1));
  sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.seq, Seq(2) + 500);
  EXPECT_EQ(Within(seconds(2)), Numbers{1});
  peer.Segment(kAck, peer.irs + 1, Seq(2));
  sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.seq, Seq(2));
  EXPECT_EQ(sent[0].payload.size(), kMss);
}

// --- Undoing -------------------------------------------------------------------------------------

TEST_F(Recovering, FrtoFindsASpuriousTimeOut) {
  peer.timestamps = false;
  peer.Set("net.ipv4.tcp_early_retrans", "0");
  Open();
  Write(14);
  EXPECT_EQ(Sent().size(), 10u);
  EXPECT_EQ(Within(seconds(1)), Numbers{0});
  // The first original arrives late: new data goes out before anything is repeated ...
  EXPECT_EQ(Ack(1), (Numbers{10, 11}));
  // ... and the second original shows that nothing was lost.
  const Numbers sent = Ack(2);
  EXPECT_EQ(sent, Numbers{12});
  EXPECT_GE(Window(), 10u);
  EXPECT_GT(Threshold(), 1000u);
}

TEST_F(Recovering, FrtoRepeatsWhenTheLossWasReal) {
  peer.timestamps = false;
  peer.Set("net.ipv4.tcp_early_retrans", "0");
  Open();
  Write(14);
  Sent();
  EXPECT_EQ(Within(seconds(1)), Numbers{0});
  EXPECT_EQ(Ack(1), (Numbers{10, 11}));
  EXPECT_EQ(Ack(1, {{10, 11}}), Numbers{1});
  EXPECT_EQ(Threshold(), 5u);
}

TEST_F(Recovering, ATimestampFromBeforeTheRepeatUndoesATimeOut) {
  peer.Set("net.ipv4.tcp_early_retrans", "0");
  Open();
  Write(10);
  Sent();
  const std::uint32_t original = peer.last_ts;
  EXPECT_EQ(Within(seconds(1)), Numbers{0});
  EXPECT_EQ(Window(), 1u);
  peer.last_ts = original;
  Ack(2);
  EXPECT_GE(Window(), 10u);
  EXPECT_GT(Threshold(), 1000u);
  EXPECT_EQ(Within(milliseconds(50)), Numbers{});  // nothing counts as lost any more
}

TEST_F(Recovering, DsacksForEveryRepeatUndoAFastRecovery) {
  peer.timestamps = false;
  Open();
  Write(10);
  Sent();
  peer.Pass(milliseconds(100));
  Ack(0, {{1, 2}});
  Ack(0, {{1, 3}});
  EXPECT_EQ(Ack(0, {{1, 4}}), Numbers{0});
  Ack(10);
  EXPECT_EQ(Window(), 6u);
  Ack(10, {{0, 1}});  // both copies came
  EXPECT_EQ(Window(), 10u);
  EXPECT_GT(Threshold(), 1000u);
}

TEST_F(Recovering, APathThatReordersIsGivenMoreTime) {
  Open();
  Write(10);
  Sent();
  peer.Pass(milliseconds(100));
  // Segment 0 comes after 1, 2 and 3: with so much reordering three SACKed segments prove nothing.
  Ack(0, {{1, 3}});
  EXPECT_EQ(Ack(3), Numbers{});
  Ack(3, {{4, 6}});
  EXPECT_EQ(Ack(3, {{4, 8}}), Numbers{});
  EXPECT_EQ(Within(milliseconds(30)), Numbers{3});
}

// --- Closing does not end it ---------------------------------------------------------------------

class RecoveringIn : public Recovering, public testing::WithParamInterface<State> {
 protected:
  // Three segments and perhaps a FIN are in flight.
  void Enter(State state) {
    Open();
    Write(3);
    Sent();
    const bool peer_first = state == State::kCloseWait || state == State::kLastAck;
    if (peer_first) peer.Segment(kFin | kAck, peer.irs + 1, Seq(0));
    if (state != State::kEstablished && state != State::kCloseWait) {
      ASSERT_TRUE(peer.stack->Shutdown(peer.now, id, How::kWrite));
    }
    if (state == State::kClosing) peer.Segment(kFin | kAck, peer.irs + 1, Seq(0));
    fin = peer_first || state == State::kClosing;
    ASSERT_EQ(peer.StateOf(id), state);
    peer.Take();
    peer.TakeRules();
  }
  bool Has(const char* rule) {
    for (const Fired& f : peer.TakeRules()) {
      if (f.name() == rule) return true;
    }
    return false;
  }
  bool fin = false;  // the peer's, and it is taken
};
INSTANTIATE_TEST_SUITE_P(States, RecoveringIn,
                         testing::Values(State::kEstablished, State::kFinWait1, State::kCloseWait,
                                         State::kClosing, State::kLastAck),
                         [](const auto& p) { return std::string(StateName(p.param)); });

TEST_P(RecoveringIn, TheTailIsProbed) {
  Enter(GetParam());
  peer.Pass(milliseconds(203));
  EXPECT_TRUE(Has("tail-probe"));
}

TEST_P(RecoveringIn, WhatIsOvertakenIsRepeatedInTime) {
  Enter(GetParam());
  peer.Pass(milliseconds(100));
  peer.Segment(kAck, peer.irs + 1 + (fin ? 1 : 0), Seq(0), {.sack = {{Seq(1), Seq(2)}}});
  EXPECT_EQ(Within(milliseconds(26)), Numbers{0});
  EXPECT_TRUE(Has("reorder-timeout"));
}

}  // namespace
}  // namespace estab::test
