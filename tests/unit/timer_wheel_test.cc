#include "stack/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/prng.h"

namespace estab::stack {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::int64_t kTick = 1'000'000;
constexpr Time At(std::int64_t ns) { return Time(nanoseconds(ns)); }
constexpr Time AtMs(std::int64_t ms) { return Time(milliseconds(ms)); }

// The wheel beside an ordered map that should fire the same nodes at the same times.
class WheelModel {
 public:
  explicit WheelModel(std::uint64_t seed) : prng_(seed), nodes_(200), places_(200) {
    std::fill(places_.begin(), places_.end(), model_.end());
  }

  void Step() {
    const std::size_t i = prng_.Below(nodes_.size());
    const std::uint64_t dice = prng_.Below(10);
    if (dice < 6) {
      Arm(i);
    } else if (dice < 8) {
      wheel_.Cancel(nodes_[i]);
      Forget(i);
    } else {
      Advance();
    }
    Compare();
  }
  std::int64_t now() const { return now_; }

 private:
  using Model = std::multimap<std::int64_t, std::size_t>;  // tick -> node; equal ticks in order

  // From nanoseconds to centuries, often on or next to a boundary of the wheel.
  std::int64_t Distance() {
    const std::uint64_t bits = prng_.Below(56);
    auto ns = static_cast<std::int64_t>(prng_.Below((std::uint64_t{1} << bits) + 1));
    if (prng_.Chance(1, 4)) ns = (std::int64_t{1} << 6 * prng_.Below(6)) * kTick;
    if (prng_.Chance(1, 4)) ns = static_cast<std::int64_t>(prng_.Below(4)) * kTick;
    return ns;
  }
  void Arm(std::size_t i) {
    std::int64_t deadline = now_ + Distance();
    if (prng_.Chance(1, 8)) deadline = std::max<std::int64_t>(now_ - Distance(), 0);
    wheel_.Arm(nodes_[i], At(deadline));
    std::int64_t tick = (deadline + kTick - 1) / kTick;
    if (deadline <= seen_) tick = std::min(tick, seen_ / kTick);
    Forget(i);
    places_[i] = model_.emplace(std::max(tick, base_), i);
    ASSERT_TRUE(nodes_[i].armed());
    ASSERT_EQ(TimerWheel::DeadlineOf(nodes_[i]), AtMs(places_[i]->first));
    if (deadline <= seen_) {
      ASSERT_LE(wheel_.Earliest(), At(seen_));  // due at once
    }
  }
  void Forget(std::size_t i) {
    if (places_[i] != model_.end()) model_.erase(places_[i]);
    places_[i] = model_.end();
  }
  void Advance() {
    if (prng_.Chance(1, 3) && !model_.empty()) {
      now_ = std::max(now_, model_.begin()->first * kTick - (prng_.Chance(1, 2) ? 1 : 0));
    } else if (prng_.Chance(9, 10)) {
      now_ += Distance() >> 10;
    } else {
      now_ += Distance();
    }
    // Not always all that are due: a budget may be spent.
    std::uint64_t budget = prng_.Chance(1, 4) ? prng_.Below(4) : UINT64_MAX;
    for (; budget > 0; --budget) {
      seen_ = now_;
      TimerNode* node = wheel_.PopDue(At(now_));
      if (node == nullptr) {
        base_ = now_ / kTick;
        ASSERT_TRUE(model_.empty() || model_.begin()->first * kTick > now_);
        return;
      }
      const auto i = static_cast<std::size_t>(node - nodes_.data());
      ASSERT_FALSE(model_.empty());
      ASSERT_EQ(model_.begin()->second, i);
      ASSERT_LE(model_.begin()->first * kTick, now_);
      ASSERT_FALSE(node->armed());
      base_ = model_.begin()->first;
      Forget(i);
      if (prng_.Chance(1, 3)) Arm(i);  // as a retransmission timer does
    }
  }
  void Compare() {
    ASSERT_EQ(wheel_.size(), model_.size());
    const Time expected = model_.empty() ? kNever : AtMs(model_.begin()->first);
    ASSERT_EQ(wheel_.Earliest(), expected);
  }

  Prng prng_;
  TimerWheel wheel_;
  std::vector<TimerNode> nodes_;
  Model model_;
  std::vector<Model::iterator> places_;
  std::int64_t now_ = 0;
  std::int64_t seen_ = 0;  // the latest `now` the wheel was told
  std::int64_t base_ = 0;  // the tick that past deadlines are due at
};

TEST(TimerWheel, AgreesWithAnOrderedMap) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    WheelModel model(seed);
    for (int step = 0; step < 4000; ++step) {
      model.Step();
      if (HasFailure()) return;
      if (model.now() > std::int64_t{1} << 61) break;
    }
  }
}

TEST(TimerWheel, RoundsUpToTheTick) {
  TimerWheel wheel;
  TimerNode node;
  EXPECT_EQ(wheel.Earliest(), kNever);
  wheel.Arm(node, At(5 * kTick + 1));
  EXPECT_EQ(wheel.Earliest(), AtMs(6));
  EXPECT_EQ(wheel.PopDue(At(6 * kTick - 1)), nullptr);
  EXPECT_EQ(wheel.PopDue(AtMs(6)), &node);
  EXPECT_EQ(wheel.Earliest(), kNever);
}

TEST(TimerWheel, PastDeadlineIsDueAtOnce) {
  TimerWheel wheel;
  TimerNode node;
  EXPECT_EQ(wheel.PopDue(At(1'700'000)), nullptr);
  wheel.Arm(node, At(1'600'000));  // in the same tick, yet past
  EXPECT_LE(wheel.Earliest(), At(1'700'000));
  EXPECT_EQ(wheel.PopDue(At(1'700'000)), &node);
  wheel.Arm(node, At(0));
  EXPECT_EQ(wheel.PopDue(At(1'700'000)), &node);
}

TEST(TimerWheel, EqualTicksFireInOrderThroughCascades) {
  TimerWheel wheel;
  std::vector<TimerNode> nodes(6);
  const Time deadline = AtMs(64 * 64 * 3 + 64 * 5 + 7);
  wheel.Arm(nodes[0], deadline);
  wheel.Arm(nodes[1], deadline);
  EXPECT_EQ(wheel.PopDue(AtMs(64 * 64 * 3)), nullptr);  // one level down
  wheel.Arm(nodes[2], deadline);
  wheel.Arm(nodes[3], deadline);
  EXPECT_EQ(wheel.PopDue(AtMs(64 * 64 * 3 + 64 * 5)), nullptr);  // and another
  wheel.Arm(nodes[4], deadline);
  wheel.Arm(nodes[0], deadline);  // moved to the end
  for (const std::size_t i : {1u, 2u, 3u, 4u, 0u}) EXPECT_EQ(wheel.PopDue(deadline), &nodes[i]);
  EXPECT_EQ(wheel.PopDue(deadline), nullptr);
}

TEST(TimerWheel, LooksNoFurtherThanNow) {
  TimerWheel wheel;
  TimerNode far, near;
  wheel.Arm(far, AtMs(100'000));
  EXPECT_EQ(wheel.PopDue(AtMs(65'000)), nullptr);
  wheel.Arm(near, AtMs(65'001));
  EXPECT_EQ(wheel.Earliest(), AtMs(65'001));
  EXPECT_EQ(wheel.PopDue(AtMs(65'001)), &near);
}

TEST(TimerWheel, ChampionIsReplaced) {
  TimerWheel wheel;
  std::vector<TimerNode> nodes(3);
  wheel.Arm(nodes[0], AtMs(5000));
  wheel.Arm(nodes[1], AtMs(5001));
  wheel.Arm(nodes[2], AtMs(5002));
  EXPECT_EQ(wheel.Earliest(), AtMs(5000));
  wheel.Arm(nodes[0], AtMs(6000));  // moved later
  EXPECT_EQ(wheel.Earliest(), AtMs(5001));
  wheel.Cancel(nodes[1]);
  EXPECT_EQ(wheel.Earliest(), AtMs(5002));
  wheel.Arm(nodes[1], AtMs(4000));  // earlier than the one known
  EXPECT_EQ(wheel.Earliest(), AtMs(4000));
  EXPECT_EQ(wheel.size(), 3u);
}

TEST(TimerWheel, EndOfTime) {
  TimerWheel wheel;
  TimerNode node;
  wheel.Arm(node, kNever - nanoseconds(1));
  EXPECT_LT(wheel.Earliest(), kNever);
  EXPECT_GT(wheel.Earliest(), kNever - milliseconds(2));
  EXPECT_EQ(wheel.PopDue(kNever - milliseconds(3)), nullptr);
  EXPECT_EQ(wheel.PopDue(kNever - nanoseconds(1)), &node);
}

TEST(TimerWheelDeathTest, NeverIsNotADeadline) {
  TimerWheel wheel;
  TimerNode node;
  EXPECT_DEATH(wheel.Arm(node, kNever), "check failed");
}

}  // namespace
}  // namespace estab::stack
