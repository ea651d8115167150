// What comes late on a path that reorders, and what must not be taken for a loss. Segments of 1000
// bytes, named by their number, from 0; a round trip of 100 ms.
#include "recovering.h"

namespace estab::test {
namespace {

class Reordering : public Recovering {
 protected:
  bool Seen() { return peer.stack->GetInfo(peer.now, id)->reordering_seen; }
};

// The peer has delayed its ACK of segment 0, and tells it together with what lies behind the hole.
TEST_F(Reordering, OneAckForASegmentAndForOneBehindAHoleIsNone) {
  peer.timestamps = false;
  Open();
  Write(3);
  Sent();
  peer.Pass(milliseconds(100));
  EXPECT_EQ(Ack(1, {{2, 3}}), Numbers{});
  EXPECT_FALSE(Seen());
  EXPECT_EQ(Within(milliseconds(60)), Numbers{1});
}

TEST_F(Reordering, WhatWasSackedBeforeTellsIt) {
  peer.timestamps = false;
  Open();
  Write(3);
  Sent();
  peer.Pass(milliseconds(100));
  EXPECT_EQ(Ack(0, {{2, 3}}), Numbers{});
  EXPECT_FALSE(Seen());
  EXPECT_EQ(Ack(1, {{2, 3}}), Numbers{});
  EXPECT_TRUE(Seen());
}

TEST_F(Reordering, AnUndoByTimestampsWidensTheWindowForReordering) {
  Open();
  Write(20);
  Sent();
  const std::uint32_t original = peer.last_ts;
  peer.Pass(milliseconds(100));
  EXPECT_EQ(Ack(0, {{1, 4}}), (Numbers{0, 10}));
  peer.last_ts = original;
  EXPECT_EQ(Ack(4), (Numbers{11, 12, 13, 14}));
  EXPECT_TRUE(Seen());
  // Three more are overtaken: now there is a quarter of a round trip for what comes late.
  EXPECT_EQ(Ack(4, {{6, 9}}), (Numbers{15, 16, 17, 18, 19}));
  EXPECT_EQ(Ack(9), Numbers{});
  EXPECT_EQ(Threshold(), UINT32_MAX / kMss);
}

TEST_F(Reordering, OriginalsThatComeAfterATimeOutAreNotLostAnew) {
  peer.timestamps = false;
  peer.Set("net.ipv4.tcp_early_retrans", "0");
  Open();
  Write(20);
  Sent();
  EXPECT_EQ(Within(seconds(1)), Numbers{0});
  peer.Pass(milliseconds(150));  // longer than a round trip: the repeat may have done it
  EXPECT_EQ(Ack(1), (Numbers{10, 11}));
  EXPECT_EQ(Ack(2), Numbers{12});  // but this is an original
  EXPECT_EQ(Ack(3), (Numbers{13, 14}));
  EXPECT_EQ(Threshold(), UINT32_MAX / kMss);
}

TEST_F(Reordering, ASackIsProgressOnlyWhereFarReorderingIsUsual) {
  peer.timestamps = false;
  Open();
  Write(10);
  Sent();
  peer.Pass(milliseconds(100));
  Ack(0, {{2, 3}});
  Ack(0, {{1, 3}});
  EXPECT_TRUE(Seen());
  EXPECT_EQ(Window(), 10u);
}

// --- Without SACK --------------------------------------------------------------------------------

class PlainPeer : public Recovering {
 protected:
  PlainPeer() {
    peer.timestamps = false;
    peer.Set("net.ipv4.tcp_sack", "0");
  }
};

TEST_F(PlainPeer, DuplicatesOfTheAckThatEndsARecoveryDoNotBeginAnother) {
  Open();
  Write(10);
  Sent();
  peer.Pass(milliseconds(100));
  Ack(0);
  Ack(0);
  EXPECT_EQ(Ack(0), Numbers{0});
  peer.Pass(milliseconds(100));
  Ack(10);
  Write(4);
  EXPECT_EQ(Sent().size(), 4u);
  for (int n = 0; n < 3; ++n) EXPECT_EQ(Ack(10), Numbers{}) << n;
  EXPECT_EQ(Threshold(), 5u);
  // What lies beyond it ends the recovery.
  Ack(14);
  EXPECT_EQ(peer.stack->GetInfo(peer.now, id)->recovery_state, 0);
}

// No more can be beyond the hole than was sent.
TEST_F(PlainPeer, DuplicatesWithoutEndCountAsManyAsWereSent) {
  Open();
  Write(10);
  EXPECT_EQ(Sent().size(), 10u);
  peer.Pass(milliseconds(100));
  std::size_t repeated = 0;
  for (int n = 0; n < 200; ++n) repeated += Ack(0).size();
  EXPECT_EQ(repeated, 1u);
  EXPECT_EQ(peer.stack->GetInfo(peer.now, id)->sacked, 9u);
  EXPECT_LE(Window(), 6u);
}

TEST_F(PlainPeer, DuplicatesAfterATimeOutLetNothingGo) {
  peer.Set("net.ipv4.tcp_frto", "0");
  Open();
  Write(10);
  Sent();
  EXPECT_EQ(Within(seconds(1)), Numbers{0});
  for (int n = 0; n < 4; ++n) EXPECT_EQ(Ack(0), Numbers{}) << n;
  EXPECT_EQ(Ack(1), (Numbers{1, 2}));
}

// --- A peer that throws away what it has SACKed
// -----------------------------------------------------

TEST_F(Recovering, AnAckThatStopsAtWhatIsSackedHastensTheTimeOut) {
  peer.timestamps = false;
  Open();
  Write(10);
  Sent();
  peer.Pass(milliseconds(100));
  EXPECT_EQ(Ack(0, {{1, 4}}), Numbers{0});
  peer.Pass(milliseconds(100));
  EXPECT_EQ(Ack(1), Numbers{});
  double at = 0;
  const double acked = MsOf(peer.now);
  EXPECT_EQ(Within(seconds(1), &at), Numbers{1});
  EXPECT_DOUBLE_EQ(at, acked + 50);  // half a round trip
}

TEST_F(Recovering, AndIfItWasNotThrownAwayNothingHappens) {
  peer.timestamps = false;
  Open();
  Write(10);
  Sent();
  peer.Pass(milliseconds(100));
  Ack(0, {{1, 10}});
  peer.Pass(milliseconds(100));
  Ack(1);
  peer.Pass(milliseconds(20));
  EXPECT_EQ(Ack(10), Numbers{});
  EXPECT_EQ(Within(milliseconds(100)), Numbers{});
}

// --- Odds and ends
// ---------------------------------------------------------------------------------

// The ISN follows the clock: half an hour or so later it is what is wanted.
TEST_F(Recovering, ASegmentAcrossTheWrapIsRepeatedWhole) {
  RawPeer before;
  static_cast<void>(before.Connect());
  const std::uint32_t wanted = 0u - 1501;
  const std::chrono::microseconds tick(4);
  peer.Pass(tick * static_cast<std::int64_t>(wanted - before.iss));
  peer.timestamps = false;
  Open();
  ASSERT_EQ(peer.iss, wanted);
  Write(10);
  Sent();
  peer.Pass(milliseconds(100));
  peer.Segment(kAck, peer.irs + 1, Seq(1), {.sack = {{Seq(2), Seq(6)}}});
  const auto sent = peer.Take();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0].segment.seq, Seq(1));
  EXPECT_EQ(sent[0].payload.size(), kMss);
}

TEST_F(Recovering, OneDsackMayTellOfTwoRepeats) {
  peer.timestamps = false;
  Open();
  Write(10);
  Sent();
  peer.Pass(milliseconds(100));
  EXPECT_EQ(Ack(0, {{2, 5}}), Numbers{0});
  EXPECT_EQ(Ack(0, {{2, 7}}), Numbers{1});
  Ack(10);
  EXPECT_EQ(Threshold(), 5u);
  Ack(10, {{0, 2}});
  EXPECT_GT(Threshold(), 1000u);
}

TEST_F(Recovering, ADsackOfSomethingElseSaysNothingOfTheProbe) {
  peer.timestamps = false;
  Open();
  Write(10);
  Sent();
  peer.Pass(milliseconds(100));
  Ack(9);
  Write(4);
  Sent();
  Ack(11);
  EXPECT_EQ(Within(milliseconds(350)), Numbers{13});
  peer.Pass(milliseconds(110));
  Ack(14, {{3, 4}});
  Write(1);
  Sent();
  peer.Pass(milliseconds(100));
  Ack(15);
  EXPECT_LT(Threshold(), 1000u);
}

// The link is busy when the probe falls due, and before it is free the ACK comes.
TEST_F(Recovering, AProbeThatHasNotLeftIsForgottenWithTheAck) {
  peer.timestamps = false;
  Open();
  Write(3);
  Sent();
  peer.sink.room = 0;
  peer.Until(peer.now + milliseconds(210));
  peer.sink.room = SIZE_MAX;
  EXPECT_EQ(Ack(2), Numbers{});
}

TEST_F(Recovering, AProbeIsNoPieceOfASegment) {
  peer.timestamps = false;
  Open();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.window = 3500});
  Write(10);
  EXPECT_EQ(Sent(), (Numbers{0, 1, 2}));
  EXPECT_EQ(Within(milliseconds(210)), Numbers{2});
}

TEST_F(Recovering, AnEchoOfHalfAnHourAgoIsNoRoundTrip) {
  Open();
  Write(2);
  Sent();
  peer.Pass(milliseconds(1300));
  peer.last_ts -= 2'000'000'000;
  Ack(2);
  EXPECT_LT(peer.stack->GetInfo(peer.now, id)->srtt, milliseconds(300));
}

TEST_F(Recovering, AProbeThatAnswersCountsNotAsARepeatToBeUndone) {
  peer.timestamps = false;
  Open();
  Write(10);
  Sent();
  peer.Pass(milliseconds(100));
  Ack(5);
  EXPECT_EQ(Within(milliseconds(300)), Numbers{9});
  EXPECT_EQ(peer.stack->GetInfo(peer.now, id)->repeats_out, 0u);
  EXPECT_EQ(peer.stack->GetInfo(peer.now, id)->lost, 0u);
}

}  // namespace
}  // namespace estab::test
