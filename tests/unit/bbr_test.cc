// BBR's parts, by hand-made numbers: segments of 1000 bytes.
#include "tcp/congestion/bbr.h"

#include <gtest/gtest.h>

#include "tcp/congestion/bbr_path.h"
#include "tcp/delivery.h"
#include "tcp/pacing.h"
#include "tcp/policy.h"
#include "tcp/recovery.h"
#include "unit/bare_tcb.h"

namespace estab::tcp {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr std::uint32_t kMss = 1000;

TEST(WindowedMaxOf, TheLargestOfTheLastRounds) {
  WindowedMax max;
  max.Add(10, 1, 100);
  max.Add(10, 3, 50);
  EXPECT_EQ(max.value(), 100u);
  for (std::uint32_t round = 4; round <= 11; ++round) max.Add(10, round, 40 + round);
  EXPECT_EQ(max.value(), 100u);
  max.Add(10, 12, 30);  // the 100 is eleven rounds old; the best since is 51, of round 11
  EXPECT_EQ(max.value(), 51u);
  max.Add(10, 13, 200);
  EXPECT_EQ(max.value(), 200u);
}

TEST(WindowedMaxOf, WhatFallsForLongEndsAtWhatIs) {
  WindowedMax max;
  for (std::uint32_t round = 0; round < 40; ++round) {
    max.Add(10, round, 1000 - round * 10);
    // Never below what was just seen, never above what a window ago was.
    EXPECT_GE(max.value(), 1000 - round * 10);
    EXPECT_LE(max.value(), 1000 - (round < 11 ? 0 : round - 10) * 10);
  }
  max.Add(10, 100, 5);
  EXPECT_EQ(max.value(), 5u);
}

class Bbr : public testing::Test, public BareTcb {
 protected:
  Bbr() {
    tcb.send_mss = kMss;
    tcb.state = State::kEstablished;
    tcb.congestion = Congestion::kBbr;
    tcb.rtt.srtt8 = 8 * 100'000;
    tcb.rtt.min = 100'000;
    EXPECT_NE(buffers.AttachSend(tcb), nullptr);
    BeginControl(cx, tcb);
  }
  ~Bbr() override { buffers.Detach(tcb); }
  BbrModel& model() { return *buffers.ModelOf(tcb); }
  LossState& loss() { return *LossOf(cx, tcb); }
  // An ACK of so many bytes, of which the first was sent `trip` ago and that were delivered in it.
  void Ack(std::uint32_t bytes, Duration trip, std::uint32_t lost = 0, bool limited = false) {
    AckNews news;
    news.advanced = true;
    news.acked = news.delivered = bytes;
    news.lost = lost;
    Deliveries& d = loss().deliveries;
    news.sample.marked = news.sample.valid = true;
    news.sample.app_limited = limited;
    news.sample.prior_delivered = d.delivered;
    news.sample.delivered = bytes;
    news.sample.interval = news.sample.rtt = trip;
    d.delivered += bytes;
    d.lost += lost;
    d.delivered_at = cx.now;
    kBbr.control(cx, tcb, news);
  }
  // A round trip at so many bytes a second.
  void Round(std::uint64_t rate, std::uint32_t lost = 0) {
    cx.now += milliseconds(100);
    Ack(static_cast<std::uint32_t>(rate / 10), milliseconds(100), lost);
  }
  void FillThePipe() {
    for (int i = 0; i < 20 && !model().full; ++i) Round(1'000'000);
    for (int i = 0; i < 5; ++i) Round(1'000'000);
    ASSERT_EQ(model().mode, BbrModel::Mode::kProbeBandwidth);
  }

  // Fills a path of 600 ms, waits until its round trip is to be probed, and goes on until no more
  // ACKs of `while_probing` leave it there; tells the window of each round.
  std::vector<std::uint32_t> ProbeLongPath(Duration while_probing) {
    const auto round = [&](Duration trip) {
      cx.now += trip;
      Ack(600'000, trip);
    };
    for (int i = 0; i < 30; ++i) round(milliseconds(600));
    EXPECT_EQ(model().min_rtt, milliseconds(600));
    while (model().mode != BbrModel::Mode::kProbeRoundTrip) round(milliseconds(900));
    std::vector<std::uint32_t> windows;
    while (model().mode == BbrModel::Mode::kProbeRoundTrip && windows.size() < 20) {
      windows.push_back(tcb.cwnd);
      round(while_probing);
    }
    return windows;
  }
};

TEST_F(Bbr, BeginsPacedAtTheInitialWindowsRate) {
  EXPECT_TRUE(tcb.paced);
  EXPECT_EQ(tcb.cwnd, 10 * kMss);
  // 10 segments in 100 ms, times 2.89, less 1 %.
  EXPECT_NEAR(static_cast<double>(PacingRate(cx, tcb)), 100'000 * 2.887 * 0.99, 200);
  options.max_pacing_rate = 50'000;
  EXPECT_EQ(PacingRate(cx, tcb), 50'000u);
}

TEST(BbrNumbers, DoNotWrap) {
  EXPECT_EQ(BbrBytesIn(1'000'000, milliseconds(-1)), 0u);
  EXPECT_EQ(BbrBytesIn(1'000'000, seconds(250)), 250'000'000u);
  EXPECT_EQ(BbrBytesIn(std::uint64_t{1} << 50, seconds(100)), kMostBbrBytes);
  EXPECT_EQ(BbrBytesIn(UINT64_MAX, Duration::max()), kMostBbrBytes);
}

TEST_F(Bbr, TwoAcksAtNearlyTheSameMomentMakeAFiniteRate) {
  cx.now += milliseconds(100);
  Ack(1'000'000'000, Duration(1));
  EXPECT_EQ(PacingRate(cx, tcb), (std::uint64_t{1} << 50) * 739 / 256 * 99 / 100);
}

TEST_F(Bbr, AFirstLowSampleDoesNotSlowItDown) {
  const std::uint64_t rate = PacingRate(cx, tcb);
  Round(50'000);
  EXPECT_EQ(PacingRate(cx, tcb), rate);
  Round(500'000);
  EXPECT_GT(PacingRate(cx, tcb), rate);
}

// ACKs that come in a bunch say nothing of the path: it takes as long as the sending took.
TEST_F(Bbr, ABunchOfAcksIsNoRate) {
  const auto sample = [&](Duration sending, Duration arriving, bool limited) {
    AckNews news;
    news.delivered = 15'000;
    news.sample.marked = true;
    news.sample.app_limited = limited;
    news.sample.prior_delivered = loss().deliveries.delivered;
    news.sample.interval = sending;
    news.sample.prior_at = cx.now - arriving;
    FinishSample(cx, tcb, loss(), news);
    return news.sample.valid;
  };
  EXPECT_TRUE(sample(milliseconds(150), milliseconds(10), false));
  EXPECT_EQ(tcb.delivery_rate * kRateUnit, 100'000u);
  EXPECT_TRUE(sample(milliseconds(10), milliseconds(300), true));
  EXPECT_EQ(tcb.delivery_rate * kRateUnit, 100'000u);  // less, but for want of data
  EXPECT_TRUE(sample(milliseconds(10), milliseconds(300), false));
  EXPECT_EQ(tcb.delivery_rate * kRateUnit, 50'000u);
  EXPECT_FALSE(sample(milliseconds(10), milliseconds(20), false));  // less than a round trip
  EXPECT_EQ(tcb.delivery_rate * kRateUnit, 50'000u);
}

// A peer that has taken back what it SACKed, or only seemed to: it is delivered twice.
TEST_F(Bbr, WhatIsTakenBackMakesNoRate) {
  const auto sample = [&] {
    AckNews news;
    news.delivered = 15'000;
    news.sample.marked = true;
    news.sample.prior_delivered = loss().deliveries.delivered;
    news.sample.interval = milliseconds(150);
    FinishSample(cx, tcb, loss(), news);
    return news.sample.valid;
  };
  Flight& flight = loss().flight;
  const SndSeq begin = tcb.snd.una;
  for (std::uint32_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(flight.Reserve(buffers.rings));
    flight.Add(begin + i * kMss, begin + (i + 1) * kMss, cx.now);
  }
  flight.MarkSacked(flight.first());
  EXPECT_TRUE(sample());
  EnterLossRecovery(cx, tcb);
  EXPECT_EQ(flight.lost_count(), 2u);
  EXPECT_FALSE(sample());
  tcb.recovery = Recovery::kOpen;
  EXPECT_FALSE(sample());  // the ACK that ends the repair
  EXPECT_TRUE(sample());
}

TEST_F(Bbr, ThreeRoundsWithoutGrowthEndStartup) {
  Round(400'000);
  Round(800'000);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(model().mode, BbrModel::Mode::kStartup) << i;
    EXPECT_EQ(model().pacing_gain, 739u);
    Round(900'000);  // less than a quarter more
  }
  EXPECT_TRUE(model().full);
  // Nothing is in flight here, so that there is nothing to drain.
  EXPECT_EQ(model().mode, BbrModel::Mode::kProbeBandwidth);
  EXPECT_EQ(BbrRate(model()), 900'000u);
}

TEST_F(Bbr, WhatTheUserLimitsSaysNothing) {
  Round(800'000);
  for (int i = 0; i < 30; ++i) {
    cx.now += milliseconds(100);
    Ack(10'000, milliseconds(100), 0, true);
  }
  EXPECT_FALSE(model().full);
  EXPECT_EQ(BbrRate(model()), 800'000u);
}

TEST_F(Bbr, TheRateOfTenRoundsAgoIsForgotten) {
  FillThePipe();
  for (int i = 0; i < 10; ++i) Round(600'000);
  EXPECT_EQ(BbrRate(model()), 1'000'000u);
  Round(600'000);
  EXPECT_EQ(BbrRate(model()), 600'000u);
}

TEST_F(Bbr, TheWindowIsTwiceThePathAndSomeBursts) {
  FillThePipe();
  // 100,000 bytes in the path, twice; three bursts of 2 segments; and 2 more while probing.
  const std::uint32_t window = tcb.cwnd;
  EXPECT_GE(window, 206'000u);
  EXPECT_LE(window, 208'000u + 100'000u);  // a bunch may come on top
  EXPECT_EQ(tcb.ssthresh, 106'000u);
}

TEST_F(Bbr, TheCycleOfGainsGoesRound) {
  FillThePipe();
  std::vector<std::uint32_t> gains;
  for (int i = 0; i < 40; ++i) {
    cx.now += milliseconds(1);
    Round(1'000'000, model().pacing_gain > 256 ? 1 : 0);  // a loss ends the phase that probes
    if (gains.empty() || gains.back() != model().pacing_gain) gains.push_back(model().pacing_gain);
  }
  for (std::size_t i = 1; i < gains.size(); ++i) {
    EXPECT_EQ(gains[i], gains[i - 1] == 320 ? 192u : gains[i - 1] == 192 ? 256u : 320u);
  }
  EXPECT_GT(gains.size(), 9u);
}

TEST_F(Bbr, TheRoundTripIsProbedEveryTenSeconds) {
  FillThePipe();
  const std::uint32_t window = tcb.cwnd;
  const auto probing = [&] { return model().mode == BbrModel::Mode::kProbeRoundTrip; };
  // Each round trip is a little longer than the least.
  const auto round = [&] {
    cx.now += milliseconds(110);
    Ack(100'000, milliseconds(110));
  };
  const Time since = model().min_rtt_at;
  while (!probing()) round();
  EXPECT_GT(cx.now - since, seconds(10));
  EXPECT_LT(cx.now - since, seconds(10) + milliseconds(120));
  EXPECT_EQ(model().min_rtt, milliseconds(110));  // a new least: the old one has expired
  EXPECT_EQ(tcb.cwnd, 4 * kMss);
  EXPECT_TRUE(loss().deliveries.app_limited);
  const Time began = cx.now;
  while (probing()) round();
  EXPECT_GT(cx.now - began, milliseconds(200));
  EXPECT_LT(cx.now - began, milliseconds(340));
  EXPECT_GT(tcb.cwnd, window / 10 * 9);  // what was for bunches of ACKs may go
}

class BbrOnALongPath : public Bbr {
 protected:
  BbrOnALongPath() {
    SwitchControl(cx, tcb, Congestion::kReno);
    tcb.rtt.srtt8 = 8 * 600'000;
    tcb.rtt.min = 600'000;
    SwitchControl(cx, tcb, Congestion::kBbr);
  }
};

// A round trip that takes longer than the 200 ms of the probe: four fifths of the path's
// 600,000 bytes go on.
TEST_F(BbrOnALongPath, IsProbedWithMostOfItFull) {
  const std::vector<std::uint32_t> windows = ProbeLongPath(milliseconds(620));
  EXPECT_EQ(windows, std::vector<std::uint32_t>{479'000});
  EXPECT_EQ(model().min_rtt, milliseconds(620));
  EXPECT_EQ(model().clear_rtt, milliseconds(600));  // until it was seen with four segments
}

TEST_F(BbrOnALongPath, OthersQueueIsSeenThroughWithFourSegments) {
  std::vector<std::uint32_t> windows = ProbeLongPath(milliseconds(700));
  EXPECT_EQ(windows, (std::vector<std::uint32_t>{479'000, 4000, 4000}));
  EXPECT_EQ(model().clear_rtt, milliseconds(700));
  // Then it is the path itself that is so long.
  windows = ProbeLongPath(milliseconds(700));
  EXPECT_EQ(windows.front(), 479'000u);
}

TEST_F(BbrOnALongPath, IsProbedWithFourSegmentsOnLinux) {
  settings.policy.bbr_as_linux = true;
  const std::vector<std::uint32_t> windows = ProbeLongPath(milliseconds(620));
  EXPECT_EQ(windows, std::vector<std::uint32_t>{4000});
}

TEST_F(Bbr, FirstRoundOfRecoveryAsMuchLeavesAsArrives) {
  FillThePipe();
  const std::uint32_t window = tcb.cwnd;
  kBbr.reduced(cx, tcb);
  tcb.recovery = Recovery::kFast;
  cx.now += milliseconds(10);
  AckNews news;
  news.delivered = 2000;
  news.lost = 1000;
  loss().deliveries.delivered += 2000;
  kBbr.control(cx, tcb, news);
  EXPECT_EQ(tcb.cwnd, std::max(2000u, 4 * kMss - 4000u));  // nothing else is in flight
  tcb.recovery = Recovery::kOpen;
  kBbr.control(cx, tcb, news);
  EXPECT_GE(tcb.cwnd, window);
}

TEST_F(Bbr, ALostTailIsRepeatedAtOnceButOnLinux) {
  for (const bool as_linux : {false, true}) {
    settings.policy.probes_as_linux = as_linux;
    tcb.recovery = Recovery::kOpen;
    Round(1'000'000);
    loss().tail_lost = true;
    tcb.recovery = Recovery::kFast;
    AckNews news;
    news.delivered = 1000;
    kBbr.control(cx, tcb, news);
    EXPECT_EQ(tcb.cwnd, as_linux ? 1 * kMss : 10 * kMss);
  }
}

TEST_F(Bbr, ATimeOutIsOutlasted) {
  FillThePipe();
  const std::uint32_t window = tcb.cwnd;
  kBbr.reduced(cx, tcb);
  kBbr.timed_out(cx, tcb);
  tcb.cwnd = kMss;
  tcb.recovery = Recovery::kLoss;
  Round(10'000);
  EXPECT_LT(tcb.cwnd, 10 * kMss);
  tcb.recovery = Recovery::kOpen;
  Round(10'000);
  EXPECT_GE(tcb.cwnd, window);
}

TEST_F(Bbr, UndoneItLooksForAFullPipeAgain) {
  FillThePipe();
  model().policer.used = true;
  EXPECT_EQ(kBbr.undone(cx, tcb, 77), tcb.cwnd);
  EXPECT_FALSE(model().policer.used);
  EXPECT_EQ(model().full_bandwidth, 0u);
}

// Losses of a fifth and more, and the same rate in two intervals running: somebody polices.
TEST_F(Bbr, APolicersRateIsKeptTo) {
  FillThePipe();
  for (int i = 0; i < 12 && !model().policer.used; ++i) Round(500'000, 20'000);
  ASSERT_TRUE(model().policer.used);
  EXPECT_NEAR(static_cast<double>(BbrRate(model())), 500'000, 5'000);
  EXPECT_EQ(model().pacing_gain, 256u);
  int rounds = 0;
  for (; model().policer.used && rounds < 100; ++rounds) Round(500'000);
  EXPECT_EQ(rounds, 48);
}

TEST_F(Bbr, LossesOfChanceAreNoPolicer) {
  FillThePipe();
  for (int i = 0; i < 100; ++i) Round(1'000'000, 10'000);  // a tenth
  EXPECT_FALSE(model().policer.used);
  EXPECT_EQ(BbrRate(model()), 1'000'000u);
}

// Fifty of 256 lost, and not one byte less.
TEST_F(Bbr, WhereAPolicerBegins) {
  for (const std::uint32_t lost : {9'999u, 10'000u}) {
    FillThePipe();
    for (int i = 0; i < 16 && !model().policer.used; ++i) Round(512'000, lost);
    EXPECT_EQ(model().policer.used, lost == 10'000);
  }
}

// Two intervals running whose rates differ by an eighth at most.
TEST_F(Bbr, APolicersRateIsTheSameTwice) {
  for (const std::uint64_t second : {455'000u, 445'000u}) {
    kBbr.undone(cx, tcb, 0);
    FillThePipe();
    const auto bandwidth = [&] { return model().policer.bandwidth; };
    for (int i = 0; i < 12 && bandwidth() == 0; ++i) Round(400'000, 100'000);
    ASSERT_EQ(bandwidth(), 400'000u);
    for (int i = 0; i < 12 && bandwidth() == 400'000; ++i) Round(second, 100'000);
    EXPECT_EQ(model().policer.used, second == 445'000);
  }
}

TEST_F(Bbr, BunchesOfAcksMakeRoom) {
  FillThePipe();
  for (int i = 0; i < 3; ++i) {
    cx.now += milliseconds(50);
    Ack(50'000, milliseconds(100));
  }
  cx.now += milliseconds(1);
  Ack(50'000, milliseconds(100));  // 49 ms early
  EXPECT_GE(*std::ranges::max_element(model().bunches.extra), 49'000u);
}

TEST_F(Bbr, SendingGoesOnAtTheRateAfterAPause) {
  FillThePipe();
  loss().deliveries.app_limited = true;
  cx.now += seconds(5);
  kBbr.resumed(cx, tcb, 5000);
  EXPECT_TRUE(model().idle_restart);
  EXPECT_EQ(PacingRate(cx, tcb), 990'000u);
  // The pause is no reason to probe the round trip.
  cx.now += seconds(6);
  Ack(1000, milliseconds(120));
  EXPECT_NE(model().mode, BbrModel::Mode::kProbeRoundTrip);
}

TEST_F(Bbr, WhatItKnowsOutlastsAPause) {
  FillThePipe();
  const std::uint32_t delivered = loss().deliveries.delivered;
  ASSERT_EQ(buffers.models.live(), 1u);
  buffers.DetachEmpty(tcb);
  ASSERT_EQ(LossOf(cx, tcb), nullptr);
  ASSERT_NE(buffers.AttachSend(tcb), nullptr);
  EXPECT_EQ(loss().deliveries.delivered, delivered);
  EXPECT_EQ(BbrRate(model()), 1'000'000u);
  buffers.Detach(tcb);
  EXPECT_EQ(buffers.models.live(), 0u);
}

TEST_F(Bbr, SwitchingInAllDirections) {
  tcb.cwnd = 50 * kMss;
  SwitchControl(cx, tcb, Congestion::kCubic);
  EXPECT_EQ(buffers.models.live(), 0u);
  EXPECT_EQ(tcb.congestion_state[0], 0u);
  EXPECT_TRUE(tcb.paced);  // for good, as on Linux
  SwitchControl(cx, tcb, Congestion::kBbr);
  EXPECT_EQ(buffers.models.live(), 1u);
  EXPECT_EQ(tcb.cwnd, 50 * kMss);
  EXPECT_EQ(model().min_rtt, milliseconds(100));
  SwitchControl(cx, tcb, Congestion::kReno);
  EXPECT_EQ(buffers.models.live(), 0u);
}

TEST_F(Bbr, TheSendBufferHoldsThreeWindows) {
  tcb.cwnd = 100 * kMss;
  EXPECT_EQ(SendLimit(settings, tcb), 300'000u);
  SwitchControl(cx, tcb, Congestion::kCubic);
  EXPECT_EQ(SendLimit(settings, tcb), 200'000u);
}

TEST_F(Bbr, ARecoveryAfterATimeOutConservesToo) {
  FillThePipe();
  kBbr.reduced(cx, tcb);
  kBbr.timed_out(cx, tcb);
  tcb.recovery = Recovery::kLoss;
  Round(10'000);
  EXPECT_FALSE(model().conserving);
  tcb.recovery = Recovery::kFast;  // a repeat was lost
  cx.now += milliseconds(10);
  AckNews news;
  news.delivered = 1000;
  kBbr.control(cx, tcb, news);
  EXPECT_TRUE(model().conserving);
}

TEST_F(Bbr, WithoutMemoryItIsReno) {
  buffers.Detach(tcb);
  Memory none{HeapAllocator()};
  Buffers empty{none};
  none.set_limit(0);
  const Context poor{cx.now, settings, empty, recorder, challenges, Cause{}};
  Tcb other;
  other.options = &options;
  other.congestion = Congestion::kBbr;
  BeginControl(poor, other);
  EXPECT_EQ(other.congestion, Congestion::kReno);
  EXPECT_FALSE(other.paced);
}

}  // namespace
}  // namespace estab::tcp
