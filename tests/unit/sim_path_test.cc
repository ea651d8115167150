#include "sim/path.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "sim/delay_line.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

TEST(Path, APerfectPathDelaysOnly) {
  Path path({.delay = 10ms}, 1);
  for (int i = 0; i < 1000; ++i) {
    const Fate fate = path.Offer(Time(i * 1ms), 1500);
    ASSERT_EQ(fate.copies, 1);
    ASSERT_EQ(fate.at[0], Time(i * 1ms + 10ms));
    ASSERT_FALSE(fate.corrupt);
  }
}

TEST(Path, RateSpacesPacketsAndTheQueueIsBounded) {
  // 12 Mbit/s: 1500 bytes take 1 ms. Room for ten of them.
  Path path({.delay = 5ms, .rate_bps = 12'000'000, .queue_bytes = 15'000}, 1);
  for (int i = 1; i <= 10; ++i) {
    const Fate fate = path.Offer(Time(0ms), 1500);
    ASSERT_EQ(fate.copies, 1) << i;
    EXPECT_EQ(fate.at[0], Time(i * 1ms + 5ms));
  }
  EXPECT_EQ(path.Offer(Time(0ms), 1500).loss, Loss::kQueueFull);
  EXPECT_EQ(path.Offer(Time(1ms) - 1ns, 1500).loss, Loss::kQueueFull);
  EXPECT_EQ(path.Offer(Time(1ms), 1500).at[0], Time(16ms));
  EXPECT_EQ(path.counters().queue_full, 2u);
  // After a rest the path is empty again.
  EXPECT_EQ(path.Offer(Time(1s), 1500).at[0], Time(1s + 6ms));
}

TEST(Path, WhatFindsALongQueueIsMarkedIfItMayBe) {
  Path path({.rate_bps = 12'000'000, .mark_bytes = 3000}, 1);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(path.Offer(Time(0ms), 1500, true).marked) << i;
  EXPECT_FALSE(path.Offer(Time(0ms), 1500).marked);  // Not-ECT
  EXPECT_TRUE(path.Offer(Time(0ms), 1500, true).marked);
  EXPECT_EQ(path.counters().marked, 1u);
  EXPECT_FALSE(path.Offer(Time(1s), 1500, true).marked);
}

TEST(Path, ChancesAreAboutWhatWasAskedForAndTheSameEveryTime) {
  const PathConfig config = {.loss_ppm = 10'000,
                             .duplicate_ppm = 20'000,
                             .corrupt_ppm = 50'000,
                             .reorder_ppm = 100'000,
                             .reorder_delay = 3ms};
  constexpr int kPackets = 100'000;
  const auto run = [&](std::uint64_t seed) {
    Path path(config, seed);
    std::vector<int> counts(4);
    for (int i = 0; i < kPackets; ++i) {
      const Fate fate = path.Offer(Time(i * 1ms), 100);
      counts[0] += fate.loss == Loss::kRandom;
      counts[1] += fate.copies == 2;
      counts[2] += fate.corrupt;
      counts[3] += fate.reordered;
    }
    return counts;
  };
  const std::vector<int> counts = run(7);
  EXPECT_NEAR(counts[0], 1000, 150);
  EXPECT_NEAR(counts[1], 2000, 200);
  EXPECT_NEAR(counts[2], 5000, 300);
  EXPECT_NEAR(counts[3], 10000, 450);
  EXPECT_EQ(run(7), counts);
  EXPECT_NE(run(8), counts);
}

TEST(Path, JitterKeepsOrderReorderingDoesNot) {
  Path jitter({.delay = 1ms, .jitter = 10ms}, 3);
  Path reorder({.delay = 1ms, .reorder_ppm = 100'000, .reorder_delay = 5ms}, 3);
  Time last{};
  Time last_reordered{};
  int overtaken = 0;
  bool varied = false;
  for (int i = 0; i < 1000; ++i) {
    const Time now(i * 1ms);
    const Time at = jitter.Offer(now, 100).at[0];
    ASSERT_GE(at, last);
    ASSERT_GE(at, now + 1ms);
    varied |= at > now + 1ms;
    last = at;
    const Time other = reorder.Offer(now, 100).at[0];
    overtaken += other < last_reordered;
    last_reordered = std::max(last_reordered, other);
  }
  EXPECT_TRUE(varied);
  EXPECT_GT(overtaken, 50);
}

TEST(Path, DisplacementIsSpreadEvenlyAndCountersCount) {
  Path path({.delay = 1ms, .loss_ppm = 10'000, .reorder_ppm = kAlways, .reorder_spread = 10ms}, 3);
  int late = 0;
  std::uint64_t lost = 0;
  for (int i = 0; i < 10'000; ++i) {
    const Fate fate = path.Offer(Time(i * 1ms), 100);
    if (fate.copies == 0) {
      ++lost;
      continue;
    }
    const Duration displaced = fate.at[0] - Time(i * 1ms) - 1ms;
    ASSERT_GE(displaced, 0ms);
    ASSERT_LE(displaced, 10ms);
    late += displaced > 5ms;
  }
  EXPECT_NEAR(late, 4950, 250);
  EXPECT_EQ(path.counters().offered, 10'000u);
  EXPECT_EQ(path.counters().lost, lost);
  EXPECT_EQ(path.counters().bytes_sent, 1'000'000u);
}

TEST(Path, CorruptionFlipsExactlyOneBit) {
  Path path({}, 5);
  for (int i = 0; i < 100; ++i) {
    std::vector<std::byte> packet(40);
    path.Corrupt(packet);
    int bits = 0;
    for (const std::byte b : packet) bits += std::popcount(static_cast<unsigned>(b));
    ASSERT_EQ(bits, 1);
  }
}

TEST(Path, AlwaysIsAlwaysAndNeverIsNever) {
  Path dead({.loss_ppm = kAlways}, 1);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(dead.Offer(Time(0ms), 1).copies, 0);
}

TEST(DelayLine, KeepsPacketsUntilTheyArriveInOrderOfArrival) {
  DelayLine line({.delay = 10ms, .duplicate_ppm = kAlways}, 1);
  EXPECT_EQ(line.next(), kNever);
  const std::vector<std::byte> first(3, std::byte{1});
  const std::vector<std::byte> second(5, std::byte{2});
  line.Send(Time(0ms), first);
  line.Send(Time(1ms), second);
  EXPECT_EQ(line.next(), Time(10ms));
  std::vector<std::size_t> sizes;
  const auto take = [&](std::span<const std::byte> packet) { sizes.push_back(packet.size()); };
  line.Deliver(Time(10ms) - 1ns, take);
  EXPECT_TRUE(sizes.empty());
  line.Deliver(Time(10ms), take);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{3, 3}));
  line.Deliver(Time(20ms), take);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{3, 3, 5, 5}));
  EXPECT_EQ(line.next(), kNever);
}

TEST(DelayLine, CorruptsACopyNotTheOriginal) {
  DelayLine line({.corrupt_ppm = kAlways}, 1);
  const std::vector<std::byte> packet(100);
  line.Send(Time(0ms), packet);
  bool same = true;
  line.Deliver(Time(0ms), [&](std::span<const std::byte> arrived) {
    same = std::ranges::equal(arrived, packet);
  });
  EXPECT_FALSE(same);
}

}  // namespace
}  // namespace estab::sim
