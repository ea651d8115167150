// CUBIC by hand-computed numbers (RFC 9438), segments of 1000 bytes.
#include "tcp/congestion/cubic.h"

#include <gtest/gtest.h>

#include "tcp/recovery.h"
#include "unit/bare_tcb.h"

namespace estab::tcp {
namespace {

using std::chrono::milliseconds;
constexpr std::uint32_t kCubicMss = 1000;

class Cubic : public testing::Test, public BareTcb {
 protected:
  Cubic() {
    tcb.send_mss = kCubicMss;
    tcb.congestion = Congestion::kCubic;
    tcb.rtt.min = 100'000;
    EXPECT_NE(buffers.AttachSend(tcb), nullptr);
    kCubic.begin(cx, tcb);
  }
  ~Cubic() override { buffers.Detach(tcb); }
  // A loss, repaired at once.
  void Lose() { tcb.cwnd = tcb.ssthresh = kCubic.reduced(cx, tcb); }
  // So many round trips with the window in use.
  void Rounds(int count, Duration round_trip) {
    for (int i = 0; i < count; ++i) {
      cx.now += round_trip;
      const std::uint32_t segments = tcb.cwnd / kCubicMss;
      for (std::uint32_t s = 0; s < segments; ++s) Acked(kCubicMss);
    }
  }
  void Acked(std::uint32_t bytes, bool limited = true) {
    AckNews news;
    news.delivered = bytes;
    news.advanced = true;
    kCubic.acked(cx, tcb, news, limited);
  }
  double Segments() const { return static_cast<double>(tcb.cwnd) / kCubicMss; }
};

TEST(CubicCurveOf, CubeRootsAreExact) {
  for (const std::uint64_t root : {0ull, 1ull, 2ull, 10ull, 999ull, 1'000'000ull, 2'000'000ull}) {
    const std::uint64_t cube = root * root * root;
    EXPECT_EQ(CubeRoot(cube), root);
    EXPECT_EQ(CubeRoot(cube + (root > 1 ? 1 : 0)), root);
    if (root == 0) continue;
    EXPECT_EQ(CubeRoot(cube - 1), root - 1);
  }
}

// W_max = 1000, cwnd_epoch = 700: K = (300 / 0.4)^(1/3) = 9.0856 s.
TEST(CubicCurveOf, WindowOverTime) {
  const CubicCurve curve = MakeCubicCurve(1'000'000, 700'000, kCubicMss);
  EXPECT_EQ(curve.k_ms, 9085u);
  EXPECT_EQ(curve.origin, 1'000'000u);
  EXPECT_NEAR(CubicWindow(curve, 0, kCubicMss), 700'000, 100);
  EXPECT_EQ(CubicWindow(curve, 4085, kCubicMss), 950'000u);      // 1000 - 0.4 * 5^3
  EXPECT_EQ(CubicWindow(curve, 9085, kCubicMss), 1'000'000u);    // K: W_max again
  EXPECT_EQ(CubicWindow(curve, 14'085, kCubicMss), 1'050'000u);  // 1000 + 0.4 * 5^3
  EXPECT_EQ(CubicWindow(curve, 19'085, kCubicMss), 1'400'000u);  // 1000 + 0.4 * 10^3
  EXPECT_EQ(CubicWindow(curve, UINT32_MAX, kCubicMss), kLargestWindow);
}

TEST(CubicCurveOf, AWindowAboveTheLastLossIsConvexAtOnce) {
  const CubicCurve curve = MakeCubicCurve(500'000, 700'000, kCubicMss);
  EXPECT_EQ(curve.k_ms, 0u);
  EXPECT_EQ(CubicWindow(curve, 0, kCubicMss), 700'000u);
  EXPECT_EQ(CubicWindow(curve, 5000, kCubicMss), 750'000u);
}

TEST_F(Cubic, ALossLeavesSevenTenths) {
  tcb.cwnd = 100 * kCubicMss;
  EXPECT_EQ(kCubic.reduced(cx, tcb), 70 * kCubicMss);
  tcb.cwnd = 2 * kCubicMss;
  EXPECT_EQ(kCubic.reduced(cx, tcb), 2 * kCubicMss);
}

// 400 segments lost: 280, K = (120 / 0.4)^(1/3) = 6.69 s. The window follows a round trip behind.
TEST_F(Cubic, TheWindowFollowsTheCurve) {
  tcb.cwnd = 400 * kCubicMss;
  Lose();
  EXPECT_EQ(Segments(), 280);
  Rounds(30, milliseconds(100));
  EXPECT_NEAR(Segments(), 400 - 0.4 * 3.69 * 3.69 * 3.69, 3);
  Rounds(37, milliseconds(100));
  EXPECT_NEAR(Segments(), 400, 2);
  Rounds(50, milliseconds(100));
  EXPECT_NEAR(Segments(), 400 + 0.4 * 5 * 5 * 5, 5);
}

// 9/17 of a segment each round trip, where the curve is slower: 10 ms after 34 of them it has risen
// by 1.3 segments, and W_est by 18.
TEST_F(Cubic, IsNeverSlowerThanReno) {
  tcb.rtt.min = 10'000;
  tcb.cwnd = 10 * kCubicMss;
  Lose();
  EXPECT_EQ(Segments(), 7);
  Rounds(34, milliseconds(10));
  EXPECT_GE(Segments(), 23);
  EXPECT_LE(Segments(), 25);
}

// Fast convergence: a loss before W_max is reached again lowers it to (1 + 0.7) / 2 of the window.
TEST_F(Cubic, AWindowThatShrinksMakesRoom) {
  tcb.cwnd = 100 * kCubicMss;
  Lose();
  tcb.cwnd = 90 * kCubicMss;
  Lose();
  EXPECT_EQ(Segments(), 63);
  // W_max = 76.5: K = (13.5 / 0.4)^(1/3) = 3.23 s; flat there, and not at 90.
  Rounds(32, milliseconds(100));
  EXPECT_NEAR(Segments(), 76.5, 4.5);
  EXPECT_EQ(tcb.congestion_state[0], 76'500u);
}

TEST_F(Cubic, GrowsByHalfAWindowAtTheMost) {
  tcb.cwnd = 100 * kCubicMss;
  Lose();
  Rounds(1, milliseconds(100));
  cx.now += std::chrono::seconds(60);  // the curve is far away now
  const double before = Segments();
  Rounds(1, milliseconds(100));
  EXPECT_GT(Segments(), before * 1.3);
  EXPECT_LE(Segments(), before * 1.51);
}

TEST_F(Cubic, APauseIsNoneOfTheCurves) {
  tcb.cwnd = 100 * kCubicMss;
  Lose();
  Rounds(40, milliseconds(100));
  const double before = Segments();
  cx.now += std::chrono::seconds(60);
  kCubic.resumed(cx, tcb, 60'000);
  Rounds(1, milliseconds(100));
  EXPECT_NEAR(Segments(), before, 1);
}

TEST_F(Cubic, WhatIsNotInUseDoesNotGrow) {
  tcb.cwnd = 100 * kCubicMss;
  Lose();
  cx.now += std::chrono::seconds(20);
  for (int i = 0; i < 500; ++i) Acked(kCubicMss, false);
  EXPECT_EQ(Segments(), 70);
}

TEST_F(Cubic, UndoingBringsTheCurveBack) {
  tcb.cwnd = 400 * kCubicMss;
  Lose();
  Rounds(20, milliseconds(100));
  const auto state = tcb.congestion_state;
  const std::uint32_t cwnd = tcb.cwnd;
  Lose();
  EXPECT_NE(tcb.congestion_state, state);
  tcb.cwnd = kCubic.undone(cx, tcb, cwnd);
  EXPECT_EQ(tcb.congestion_state, state);
  tcb.ssthresh = 280 * kCubicMss;
  Rounds(47, milliseconds(100));
  EXPECT_NEAR(Segments(), 400, 3);
}

// §4.8: after a time-out K = 0, from where slow start ends.
TEST_F(Cubic, ATimeoutForgetsTheMaximum) {
  tcb.cwnd = 100 * kCubicMss;
  tcb.ssthresh = kCubic.reduced(cx, tcb);
  kCubic.timed_out(cx, tcb);
  tcb.cwnd = kCubicMss;
  EXPECT_EQ(tcb.ssthresh, 70 * kCubicMss);
  Acked(69 * kCubicMss);  // slow start
  EXPECT_EQ(Segments(), 70);
  Acked(kCubicMss);
  EXPECT_EQ(tcb.congestion_state[0], 0u);
  Rounds(14, milliseconds(100));
  EXPECT_GT(Segments(), 70 * 1.9);  // by a twentieth each round trip at least: 1.05^14 = 1.98
}

TEST_F(Cubic, ACurveOutlastsItsScratch) {
  tcb.cwnd = 400 * kCubicMss;
  Lose();
  Rounds(20, milliseconds(100));
  buffers.Detach(tcb);
  ASSERT_NE(buffers.AttachSend(tcb), nullptr);
  Rounds(47, milliseconds(100));
  EXPECT_NEAR(Segments(), 400, 2);
}

TEST_F(Cubic, SwitchingForgets) {
  tcb.cwnd = 400 * kCubicMss;
  Lose();
  SwitchControl(cx, tcb, Congestion::kReno);
  EXPECT_EQ(tcb.congestion, Congestion::kReno);
  EXPECT_EQ(tcb.cwnd, 280 * kCubicMss);
  EXPECT_EQ(tcb.congestion_state[0], 0u);
}

}  // namespace
}  // namespace estab::tcp
