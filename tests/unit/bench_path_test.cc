// A few cells, measured for real: small ones, so that it takes no time.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "bench/parallel.h"
#include "bench/path_run.h"
#include "bench/traffic.h"

namespace estab::bench {
namespace {

using namespace std::chrono_literals;

PathOptions Short() {
  PathOptions options;
  options.most_packets = 5'000;
  return options;
}

TEST(PathRun, ALinkWithoutLossIsFull) {
  const CellResult result = MeasureCell({"reno", 0, 1ms, 10'000'000, 100}, Short());
  EXPECT_EQ(result.failure, "");
  EXPECT_NEAR(result.of_theory(), 1, 0.01);
  EXPECT_EQ(result.lost, 0u);
  EXPECT_GT(result.queue_full, 0u);
}

TEST(PathRun, LossCostsWhatTheorySays) {
  const CellResult result = MeasureCell({"reno", 10'000, 100ms, 10'000'000, 100}, Short());
  EXPECT_EQ(result.failure, "");
  EXPECT_NEAR(static_cast<double>(result.lost), 50, 25);
  EXPECT_GT(result.of_theory(), 0.5);
  EXPECT_LT(result.of_theory(), 2);
}

TEST(PathRun, TheSameSeedGivesTheSameFiguresAnotherSeedOthers) {
  const Cell cell{"reno", 10'000, 10ms, 10'000'000, 100};
  PathOptions options = Short();
  const double first = MeasureCell(cell, options).goodput;
  EXPECT_EQ(MeasureCell(cell, options).goodput, first);
  options.seed = 2;
  EXPECT_NE(MeasureCell(cell, options).goodput, first);
}

TEST(PathRun, TheReceiveWindowLimitsOnlyWhenItIsMeantTo) {
  const Cell cell{"reno", 0, 100ms, 10'000'000, 100};
  PathOptions options = Short();
  EXPECT_GT(MeasureCell(cell, options).window, 2 * cell.bdp());
  // A window of 20 segments fills a fifth of the path.
  options.settings = {{"net.ipv4.tcp_rmem", "4096 28960 28960"}};
  EXPECT_NEAR(MeasureCell(cell, options).of_theory(), 0.235, 0.04);
}

TEST(PathRun, SamplesTellOfTheFlowAndWhetherItIsMeasured) {
  std::vector<FlowSample> samples;
  const Cell cell{"reno", 0, 10ms, 10'000'000, 100};
  static_cast<void>(
      MeasureCell(cell, Short(), [&](const FlowSample& sample) { samples.push_back(sample); }));
  ASSERT_GT(samples.size(), 100u);
  EXPECT_FALSE(samples.front().measured);
  EXPECT_TRUE(samples.back().measured);
  EXPECT_GE(samples.back().srtt, 10ms);
  EXPECT_LE(samples.back().srtt, cell.most_rtt() + 10ms);
  EXPECT_TRUE(std::ranges::is_sorted(samples, {}, &FlowSample::delivered));
}

// Where slow start ended: with the first threshold, and the most that was in the window until then.
struct SlowStartEnd {
  std::uint32_t threshold = 0;
  std::uint32_t peak = 0;
};
SlowStartEnd SlowStartOf(const char* hystart) {
  const Cell cell{"cubic", 0, 100ms, 10'000'000, 1500};
  PathOptions options = Short();
  options.settings = {{"estab.tcp_hystart", hystart}};
  SlowStartEnd end;
  const auto look = [&](const FlowSample& sample) {
    if (end.threshold != 0) return;
    end.peak = std::max(end.peak, sample.cwnd);
    if (sample.ssthresh < INT32_MAX) end.threshold = sample.ssthresh;
  };
  EXPECT_EQ(MeasureCell(cell, options, look).failure, "");
  return end;
}

TEST(PathRun, HyStartLeavesSlowStartBeforeTheQueueIsFull) {
  const Cell cell{"cubic", 0, 100ms, 10'000'000, 1500};
  const std::uint64_t room = cell.bdp() + cell.buffer();
  EXPECT_GT(SlowStartOf("0").peak, room);
  for (const char* hystart : {"1", "2"}) {
    const SlowStartEnd end = SlowStartOf(hystart);
    EXPECT_LT(end.peak, room) << hystart;
    EXPECT_GT(end.threshold, cell.bdp() / 4) << hystart;
  }
}

TEST(PathRun, WhatTheStackRefusesIsAFailure) {
  PathOptions options = Short();
  options.settings = {{"net.ipv4.no_such_thing", "1"}};
  EXPECT_NE(MeasureCell({}, options).failure, "");
  EXPECT_TRUE(KnowsCongestionControl("reno"));
  EXPECT_FALSE(KnowsCongestionControl("no-such-thing"));
}

TEST(PathRun, EveryCellHasItsOwnLuckAndCongestionControlsShareIt) {
  Cell cell;
  Cell other = cell;
  other.cc = "cubic";
  EXPECT_EQ(CellSeed(cell, 1), CellSeed(other, 1));
  other.rate_bps *= 2;
  EXPECT_NE(CellSeed(cell, 1), CellSeed(other, 1));
  EXPECT_NE(CellSeed(cell, 1), CellSeed(cell, 2));
}

TEST(Traffic, MovesWhatItIsToldTo) {
  sim::WorldConfig config;
  config.path[0].delay = config.path[1].delay = 5ms;
  config.path[0].loss_ppm = 20'000;
  sim::World world(config);
  Traffic traffic(world, {{Time(0ms), 100'000}, {Time(50ms), 1}, {Time(10ms), 0}});
  world.Run(Time(60s));
  EXPECT_EQ(traffic.failure(), "");
  EXPECT_EQ(traffic.flow(0).delivered, 100'000u);
  EXPECT_EQ(traffic.flow(1).delivered, 1u);
  EXPECT_EQ(traffic.delivered(), 100'001u);
  // Opened at 50 ms; one round trip for the SYN, half a one for the byte.
  EXPECT_EQ(traffic.flow(1).completed, Time(65ms));
}

TEST(InParallel, DoesEverythingOnceAndReportsInOrder) {
  for (const unsigned jobs : {1u, 2u, 5u}) {
    std::vector<std::atomic<int>> worked(100);
    std::vector<std::size_t> done;
    InParallel(
        jobs, worked.size(), [&](std::size_t i) { ++worked[i]; },
        [&](std::size_t i) {
          EXPECT_EQ(worked[i], 1);
          done.push_back(i);
        });
    EXPECT_EQ(done.size(), worked.size());
    EXPECT_TRUE(std::ranges::is_sorted(done));
  }
}

}  // namespace
}  // namespace estab::bench
