// BBR on a path: 10 Mbit/s, 40 ms, what it learns and what it does with it.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "bench/path_run.h"
#include "bench/traffic.h"

namespace estab::bench {
namespace {

using namespace std::chrono_literals;

class BbrPath : public testing::Test {
 protected:
  void Make(Cell cell, std::uint64_t bytes = UINT64_MAX) {
    PathOptions options;
    options.seed = seed;
    world.emplace(CellWorld(cell, options));
    traffic.emplace(*world, std::vector{FlowPlan{.bytes = bytes}});
  }
  ConnectionInfo Info() { return *traffic->SenderInfo(0); }
  // Looks every 2 ms until `end`.
  template <class Look>
  void Watch(Duration end, Look&& look) {
    while (world->now() < Time(end)) {
      world->Run(world->now() + 2ms);
      if (traffic->SenderInfo(0)) look(Info());
    }
  }

  static inline const Cell kCell{"bbr", 0, 40ms, 10'000'000, 400};
  std::uint64_t seed = 1;
  std::optional<sim::World> world;
  std::optional<Traffic> traffic;
};

TEST_F(BbrPath, LearnsThePathAndLeavesTheQueueShort) {
  Make(kCell);
  Watch(5s, [](const ConnectionInfo&) {});
  // 1448 of 1500 bytes are payload; and so much is what the path takes.
  EXPECT_NEAR(static_cast<double>(Info().bbr.bandwidth), 10e6 / 8 * 1448 / 1500, 25'000);
  EXPECT_NEAR(static_cast<double>(Info().bbr.min_rtt.count()), 40.6e6, 1e6);
  const std::uint64_t before = traffic->delivered();
  Duration longest{};
  Watch(8s, [&](const ConnectionInfo& info) { longest = std::max(longest, info.srtt); });
  EXPECT_LT(longest, 60ms);
  const double goodput = static_cast<double>(traffic->delivered() - before) * 8 / 3;
  EXPECT_GT(goodput, 0.97 * kCell.link_goodput());
  EXPECT_EQ(world->path(sim::Side::kA).counters().queue_full, 0u);
}

TEST_F(BbrPath, StartupDrainAndTheCycle) {
  Make(kCell);
  std::vector<std::uint32_t> gains;
  Watch(9s, [&](const ConnectionInfo& info) {
    const std::uint32_t gain = info.bbr.pacing_gain;
    if (gain != 0 && (gains.empty() || gains.back() != gain)) gains.push_back(gain);
  });
  ASSERT_GT(gains.size(), 20u);
  EXPECT_EQ(gains[0], 739u);
  EXPECT_EQ(gains[1], 88u);
  for (std::size_t i = 3; i < gains.size(); ++i) {
    EXPECT_EQ(gains[i], gains[i - 1] == 320 ? 192u : gains[i - 1] == 192 ? 256u : 320u) << i;
  }
}

TEST_F(BbrPath, EveryTenSecondsTheRoundTripIsProbed) {
  Make(kCell);
  std::vector<Time> small;
  Watch(34s, [&](const ConnectionInfo& info) {
    if (info.congestion_window == 4 * 1448) small.push_back(world->now());
  });
  ASSERT_FALSE(small.empty());
  int probes = 1;
  Time began = small[0];
  for (std::size_t i = 1; i < small.size(); ++i) {
    if (small[i] - small[i - 1] < 1s) {
      EXPECT_LT(small[i] - began, 400ms);
      continue;
    }
    ++probes;
    EXPECT_NEAR(std::chrono::duration<double>(small[i] - began).count(), 10.2, 0.3);
    began = small[i];
  }
  EXPECT_EQ(probes, 3);
  EXPECT_GT(Info().congestion_window, 50'000u);
}

TEST_F(BbrPath, ChanceDoesNotSlowItDown) {
  PathOptions options;
  options.most_packets = 20'000;
  const CellResult bbr = MeasureCell({"bbr", 10'000, 40ms, 10'000'000, 100}, options);
  const CellResult reno = MeasureCell({"reno", 10'000, 40ms, 10'000'000, 100}, options);
  EXPECT_GT(bbr.of_theory(), 0.9);
  EXPECT_LT(reno.goodput, bbr.goodput / 2);
}

TEST_F(BbrPath, AShortTransferEnds) {
  Make(kCell, 1'000'000);
  Watch(4s, [](const ConnectionInfo&) {});
  EXPECT_TRUE(traffic->AllCompleted());
  world->RunUntilIdle(Time(200s));
  EXPECT_EQ(world->a().stack().Counters().memory_in_use, 0u);
}

TEST_F(BbrPath, PhasesDifferFromWorldToWorldAndNeverDrainFirst) {
  std::set<std::uint32_t> firsts;
  for (seed = 1; seed <= 12; ++seed) {
    Make(kCell);
    std::uint32_t first = 0;
    Duration held{};
    bool drained = false;
    Watch(2s, [&](const ConnectionInfo& info) {
      const std::uint32_t gain = info.bbr.pacing_gain;
      if (gain == 88) drained = true;
      if (!drained || gain == 88) return;
      if (first == 0) first = gain;
      if (first == 256 && gain == 256 && firsts.empty()) held += 2ms;
    });
    EXPECT_NE(first, 192u);
    firsts.insert(first);
  }
  EXPECT_GT(firsts.size(), 1u);
}

TEST_F(BbrPath, SwitchedInAllDirectionsUnderWay) {
  Make(kCell, 4'000'000);
  const Congestion order[] = {Congestion::kReno, Congestion::kBbr,   Congestion::kCubic,
                              Congestion::kBbr,  Congestion::kCubic, Congestion::kReno};
  for (std::size_t i = 0; i < std::size(order); ++i) {
    Watch(300ms * static_cast<int>(i + 1), [](const ConnectionInfo&) {});
    Stack& stack = world->a().stack();
    const SocketId sender = *traffic->flow(0).sender;
    SocketOptions options = *stack.GetOptions(sender);
    options.congestion = order[i];
    ASSERT_TRUE(stack.SetOptions(world->now(), sender, options));
    EXPECT_EQ(Info().congestion, order[i]);
    EXPECT_EQ(Info().bbr.cwnd_gain != 0, order[i] == Congestion::kBbr);
  }
  Watch(6s, [](const ConnectionInfo&) {});
  EXPECT_TRUE(traffic->AllCompleted());
  world->RunUntilIdle(Time(200s));
  EXPECT_EQ(world->a().stack().Counters().memory_in_use, 0u);
}

}  // namespace
}  // namespace estab::bench
