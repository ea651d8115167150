#include "base/prng.h"

#include <gtest/gtest.h>

namespace estab {
namespace {

// xoshiro256** seeded by splitmix64(0), as its authors' code prints it.
TEST(Prng, ReferenceOutput) {
  Prng prng(0);
  EXPECT_EQ(prng.Next(), 0x99ec5f36cb75f2b4u);
  EXPECT_EQ(prng.Next(), 0xbf6e1f784956452au);
  EXPECT_EQ(prng.Next(), 0x1a5f849d4933e6e0u);
}

TEST(Prng, BelowHasNoBias) {
  // Of 3 * 2^62 values a plain modulo would make the lowest third twice as likely as the others.
  constexpr std::uint64_t kThird = std::uint64_t{1} << 62;
  Prng prng(7);
  int counts[3] = {};
  for (int i = 0; i < 30000; ++i) {
    const std::uint64_t n = prng.Below(3 * kThird);
    ASSERT_LT(n, 3 * kThird);
    ++counts[n / kThird];
  }
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);
  EXPECT_EQ(prng.Below(1), 0u);
}

TEST(Prng, ChanceIsAShare) {
  Prng prng(9);
  int hits = 0;
  for (int i = 0; i < 10000; ++i) hits += prng.Chance(1, 4) ? 1 : 0;
  EXPECT_NEAR(hits, 2500, 250);
  EXPECT_FALSE(prng.Chance(0, 4));
  EXPECT_TRUE(prng.Chance(4, 4));
}

}  // namespace
}  // namespace estab
