// What becomes of a congestion window that is not in use, and RFC 7765's time-out, against a peer
// made by hand.
#include "recovering.h"

namespace estab::test {
namespace {

class Using : public Recovering {
 protected:
  // Two round trips with the window full: 40 segments now, of which nothing is in flight.
  void GrowTo40() {
    Open();
    Write(10);
    Sent();
    peer.Pass(milliseconds(100));
    Ack(10);
    Write(20);
    Sent();
    peer.Pass(milliseconds(100));
    Ack(30);
    ASSERT_EQ(Window(), 40u);
  }
  // One segment each round trip.
  void Trickle(int count) {
    for (int i = 0; i < count; ++i) {
      Write(1);
      Sent();
      peer.Pass(milliseconds(100));
      Ack(++acked);
    }
  }
  int acked = 30;
};

TEST_F(Using, AWindowThatIsNotInUseDoesNotGrow) {
  Open();
  Write(5);
  Sent();
  peer.Pass(milliseconds(100));
  Ack(5);
  EXPECT_EQ(Window(), 10u);
  Write(6);  // more than half of it
  Sent();
  peer.Pass(milliseconds(100));
  Ack(11);
  EXPECT_EQ(Window(), 16u);
}

// The time-out is 300 ms: each brings it half the way to the initial window of 10.
TEST_F(Using, AWindowThatIsNotInUseComesDown) {
  GrowTo40();
  Trickle(1);
  EXPECT_EQ(Window(), 40u);
  Trickle(2);
  EXPECT_EQ(Window(), 25u);
  Trickle(1);
  EXPECT_EQ(Window(), 25u);
  Trickle(1);
  EXPECT_EQ(Window(), 17u);
}

TEST_F(Using, UnlessWindowsOutlastPauses) {
  peer.Set("net.ipv4.tcp_slow_start_after_idle", "0");
  GrowTo40();
  Trickle(9);
  EXPECT_EQ(Window(), 40u);
  peer.Pass(seconds(10));
  Trickle(1);
  EXPECT_EQ(Window(), 40u);
}

TEST_F(Using, APauseHalvesTheWindowForEachTimeOut) {
  GrowTo40();
  peer.Pass(milliseconds(350));  // 450 ms since something was sent
  Write(1);
  EXPECT_EQ(Window(), 20u);
}

TEST_F(Using, DownToTheInitialWindow) {
  GrowTo40();
  peer.Pass(seconds(10));
  Write(1);
  EXPECT_EQ(Window(), 10u);
}

// RFC 7765: the second segment, sent 60 ms before the ACK of the first.
TEST_F(Using, WithLittleInFlightTheTimeOutMayCountFromTheSending) {
  for (const bool restart : {false, true}) {
    SCOPED_TRACE(restart);
    RawPeer fresh;
    fresh.mss = peer.mss;
    std::swap(peer, fresh);
    peer.Set("estab.tcp_rto_restart", restart ? "1" : "0");
    peer.Set("net.ipv4.tcp_early_retrans", "0");
    Open();
    Write(1);
    Sent();
    peer.Pass(milliseconds(40));
    Write(1);
    const double sent_at = MsOf(peer.now);
    Sent();
    peer.Pass(milliseconds(60));
    Ack(1);
    double at = 0;
    EXPECT_EQ(Within(seconds(1), &at), Numbers{1});
    EXPECT_DOUBLE_EQ(at, sent_at + (restart ? 300 : 360));
  }
}

TEST_F(Using, AndWithFourSegmentsItDoesNot) {
  peer.Set("estab.tcp_rto_restart", "1");
  peer.Set("net.ipv4.tcp_early_retrans", "0");
  Open();
  Write(1);
  Sent();
  peer.Pass(milliseconds(40));
  Write(4);
  const double sent_at = MsOf(peer.now);
  Sent();
  peer.Pass(milliseconds(60));
  Ack(1);
  double at = 0;
  EXPECT_EQ(Within(seconds(1), &at), Numbers{1});
  EXPECT_DOUBLE_EQ(at, sent_at + 360);
}

}  // namespace
}  // namespace estab::test
