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
    ASSERT_LE(index.size(), index.capacity() / 2);
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
      return static_cast<std::uint32_t>(prng.Below(4) << 20 | (60 + prng.Below(8)) % 64);
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
  ASSERT_TRUE(index.Insert(5 + 64, 3));  // the same place, another hash
  EXPECT_EQ(index.Find(5, [](std::uint32_t v) { return v == 2; }), 2u);
  EXPECT_EQ(index.Find(5, [](std::uint32_t v) { return v == 3; }), HashIndex::kNone);
  EXPECT_EQ(index.Find(5 + 64, any), 3u);
}

// Growing must not pay for everything in one call: the old table must still be there a while after
// the call that turns to the new one, and be gone before the next one is asked for.
TEST(HashIndex, MovesAFewAtATime) {
  test::TestAllocator allocator;
  Memory memory(allocator);
  HashIndex index(memory);
  std::uint32_t capacity = 0;
  std::uint64_t old_until = 0;  // the size up to which the old table cannot be gone
  std::uint64_t both = 0;       // bytes of both tables
  for (std::uint32_t i = 0; i < 100000; ++i) {
    ASSERT_TRUE(index.Insert(i * 2654435761u, i));
    if (index.capacity() != capacity) {
      old_until = i + capacity / 20;
      both = 8u * (capacity + std::uint64_t{index.capacity()});
      capacity = index.capacity();
    }
    if (i <= old_until) {
      ASSERT_EQ(memory.used(), both) << i;
    }
    ASSERT_LE(allocator.outstanding(), 2u);
  }
  EXPECT_EQ(capacity, 262144u);
}

TEST(HashIndex, FullWhenMemoryIsRefused) {
  test::TestAllocator allocator;
  Memory memory(allocator);
  memory.set_limit(64 * 8);
  HashIndex index(memory);
  std::uint32_t n = 0;
  while (index.Insert(n, n)) ++n;
  EXPECT_EQ(n, 32u);
  EXPECT_TRUE(index.Replace(7, 7, 70));  // needs none
  EXPECT_TRUE(index.Erase(7, 70));
  EXPECT_TRUE(index.Insert(7, 7));
  EXPECT_FALSE(index.Insert(99, 99));
  memory.set_limit(UINT64_MAX);
  EXPECT_TRUE(index.Insert(99, 99));  // as soon as there is memory again
  for (std::uint32_t i = 0; i < n; ++i) {
    EXPECT_EQ(index.Find(i, [](std::uint32_t) { return true; }), i);
  }
}

}  // namespace
}  // namespace estab
