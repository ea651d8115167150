#include "base/hash_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "base/prng.h"
#include "test_allocator.h"

namespace estab {
namespace {

using Model = std::unordered_multimap<std::uint32_t, std::uint32_t>;

// Everything under one hash, sorted.
std::vector<std::uint32_t> AllOf(const HashIndex& index, std::uint32_t hash) {
  std::vector<std::uint32_t> values;
  index.Find(hash, [&](std::uint32_t value) {
    values.push_back(value);
    return false;
  });
  std::sort(values.begin(), values.end());
  return values;
}
std::vector<std::uint32_t> AllOf(const Model& model, std::uint32_t hash) {
  std::vector<std::uint32_t> values;
  const auto range = model.equal_range(hash);
  for (auto it = range.first; it != range.second; ++it) values.push_back(it->second);
  std::sort(values.begin(), values.end());
  return values;
}

// Random calls against the model; `hash` draws hashes, `target` is the size it is steered to.
template <class DrawHash>
void RunAgainstModel(std::uint64_t seed, std::size_t target, int steps, DrawHash draw_hash) {
  SCOPED_TRACE(testing::Message() << "seed " << seed << " target " << target);
  test::TestAllocator allocator;
  Memory memory(allocator);
  HashIndex index(memory);
  Model model;
  Prng prng(seed);
  for (int step = 0; step < steps; ++step) {
    const std::uint32_t hash = draw_hash(prng);
    const auto value = static_cast<std::uint32_t>(prng.Below(50));
    const std::uint64_t dice = prng.Below(10);
    if (dice < (model.size() < target ? 7u : 3u)) {
      ASSERT_TRUE(index.Insert(hash, value));
      model.emplace(hash, value);
    } else if (dice < 9) {
      // Mostly of an entry that is there, else of any.
      auto it = prng.Chance(3, 4) ? model.find(hash) : model.begin();
      const bool known = it != model.end();
      ASSERT_EQ(index.Erase(known ? it->first : hash, known ? it->second : value), known);
      if (known) model.erase(it);
    } else {
      const auto it = model.find(hash);
      const bool known = it != model.end();
      ASSERT_EQ(index.Replace(hash, known ? it->second : value, value + 1000), known);
      if (known) it->second = value + 1000;
    }
    ASSERT_EQ(index.size(), model.size());
    ASSERT_EQ(AllOf(index, hash), AllOf(model, hash)) << "step " << step;
  }
  for (const auto& [hash, value] : model) ASSERT_EQ(AllOf(index, hash), AllOf(model, hash));
  while (!model.empty()) {
    ASSERT_TRUE(index.Erase(model.begin()->first, model.begin()->second));
    model.erase(model.begin());
  }
  EXPECT_EQ(index.size(), 0u);
}

TEST(HashIndex, CollidingHashes) {
  // Few hashes, and few places even for different ones: long runs, and runs that wrap around.
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    RunAgainstModel(seed, 60, 2000, [](Prng& prng) {
      return static_cast<std::uint32_t>(prng.Below(4) << 20 | (508 + prng.Below(8)) % 512);
    });
  }
}

TEST(HashIndex, GrowsWhileInUse) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    RunAgainstModel(seed, 20000, 40000, [](Prng& prng) {
      return static_cast<std::uint32_t>(prng.Below(16384) * 77777);
    });
  }
}

TEST(HashIndex, FindAsksForEquality) {
  test::TestAllocator allocator;
  Memory memory(allocator);
  HashIndex index(memory);
  const auto any = [](std::uint32_t) { return true; };
  EXPECT_EQ(index.Find(5, any), HashIndex::kNone);
  EXPECT_FALSE(index.Erase(5, 1));
  EXPECT_FALSE(index.Replace(5, 1, 2));
  index.Prefetch(5);
  ASSERT_TRUE(index.Insert(5, 1));
  ASSERT_TRUE(index.Insert(5, 2));
  ASSERT_TRUE(index.Insert(5 + 512, 3));  // the same place, another hash
  EXPECT_EQ(index.Find(5, [](std::uint32_t v) { return v == 2; }), 2u);
  EXPECT_EQ(index.Find(5, [](std::uint32_t v) { return v == 3; }), HashIndex::kNone);
  EXPECT_EQ(index.Find(5 + 512, any), 3u);
}

// No second table beside the first: at no moment do entries take more than 16 bytes each.
TEST(HashIndex, TakesLittleMemoryAtAnySize) {
  test::TestAllocator allocator;
  Memory memory(allocator);
  HashIndex index(memory);
  Prng prng(1);
  for (std::uint32_t i = 1; i <= 300'000; ++i) {
    ASSERT_TRUE(index.Insert(static_cast<std::uint32_t>(prng.Next()), i));
    if (i >= 20'000) {
      ASSERT_LE(memory.used(), std::uint64_t{16} * i) << i;
    }
  }
}

// Growing must not pay for everything in one call: what is asked for at once is a segment, or the
// list of them.
TEST(HashIndex, GrowsASegmentAtATime) {
  test::TestAllocator allocator;
  Memory memory(allocator);
  HashIndex index(memory);
  Prng prng(2);
  std::uint32_t moves = 0;
  std::uint32_t idle = 0;  // calls since memory was last asked for
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    const std::uint64_t calls = allocator.calls();
    ASSERT_TRUE(index.Insert(static_cast<std::uint32_t>(prng.Next()), i));
    const std::uint64_t now = allocator.calls();
    ASSERT_LE(now - calls, 3u) << i;
    if (now == calls) {
      ++idle;
    } else {
      moves += idle >= 8 ? 1 : 0;
      idle = 0;
    }
  }
  EXPECT_GT(moves, 50u);
}

TEST(HashIndex, ManyUnderOneHashAreRefusedInTheEnd) {
  test::TestAllocator allocator;
  Memory memory(allocator);
  HashIndex index(memory);
  std::uint32_t n = 0;
  while (n < 2000 && index.Insert(77, n)) ++n;
  EXPECT_GE(n, 400u);
  EXPECT_LT(n, 512u);
  EXPECT_LT(memory.used(), 100'000u);
  EXPECT_TRUE(index.Insert(78, 1));
  EXPECT_TRUE(index.Erase(77, 3));
}

TEST(HashIndex, FullWhenMemoryIsRefused) {
  test::TestAllocator allocator;
  Memory memory(allocator);
  memory.set_limit(8 * 1024);  // one segment and a half
  HashIndex index(memory);
  std::uint32_t n = 0;
  while (index.Insert(n, n)) ++n;
  EXPECT_EQ(n, 480u);
  EXPECT_TRUE(index.Replace(7, 7, 70));  // needs none
  EXPECT_TRUE(index.Erase(7, 70));
  EXPECT_TRUE(index.Insert(7, 7));
  EXPECT_FALSE(index.Insert(999, 99));
  memory.set_limit(UINT64_MAX);
  EXPECT_TRUE(index.Insert(999, 99));  // as soon as there is memory again
  for (std::uint32_t i = 0; i < n; ++i) {
    EXPECT_EQ(index.Find(i, [](std::uint32_t) { return true; }), i);
  }
}

}  // namespace
}  // namespace estab
