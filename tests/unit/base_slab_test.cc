#include "base/slab.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <vector>

#include "base/prng.h"
#include "test_allocator.h"

namespace estab {
namespace {

struct alignas(128) Item {
  explicit Item(int& live, std::uint64_t v) : live_items(&live), value(v) { ++live; }
  ~Item() { --*live_items; }
  Item(const Item&) = delete;
  int* live_items;
  std::uint64_t value;
};

TEST(Slab, StaleHandlesAreToldApart) {
  test::TestAllocator allocator;
  Memory memory(allocator);
  int live = 0;
  Slab<Item, 4, LiveGenerations> slab(memory);
  EXPECT_FALSE(slab.Holds(0, 0));
  const std::uint32_t slot = slab.Create(live, 1u);
  const std::uint32_t generation = slab.generation(slot);
  EXPECT_TRUE(slab.Holds(slot, generation));
  EXPECT_FALSE(slab.Holds(slot, generation + 1));
  EXPECT_FALSE(slab.Holds(kNoSlot, 0));
  EXPECT_FALSE(slab.Holds(slab.capacity(), 0));
  slab.Destroy(slot);
  EXPECT_FALSE(slab.Holds(slot, generation));
  EXPECT_FALSE(slab.Holds(slot, generation + 1));  // free, whatever the generation
  EXPECT_EQ(slab.Create(live, 2u), slot);          // last in, first out
  EXPECT_FALSE(slab.Holds(slot, generation));
  EXPECT_TRUE(slab.Holds(slot, generation + 1));
}

TEST(Slab, DestroysWhatIsLeft) {
  test::TestAllocator allocator;
  Memory memory(allocator);
  int live = 0;
  {
    Slab<Item, 4> slab(memory);
    for (std::uint64_t i = 0; i < 100; ++i) ASSERT_EQ(slab.Create(live, i), i);
    slab.Destroy(50);
    EXPECT_EQ(live, 99);
    EXPECT_EQ(slab.live(), 99u);
  }
  EXPECT_EQ(live, 0);
  EXPECT_EQ(memory.used(), 0u);
  EXPECT_EQ(allocator.outstanding(), 0u);
}

// Later blocks are taken many together; every one of their slots serves, and all is given back.
TEST(Slab, LargeOnesTakeMemoryInLargePages) {
  struct Page {
    std::uint64_t number = 0;
    std::array<std::byte, 8000> rest;
  };
  constexpr std::uint32_t kPages = 5000;  // 40 MB
  test::TestAllocator allocator;
  Memory memory(allocator);
  {
    Slab<Page, 2> slab(memory);
    for (std::uint32_t i = 0; i < kPages; ++i) {
      ASSERT_EQ(slab.Create(), i);
      slab[i].number = i;
      ASSERT_LE(memory.used(), i * 8010u + i * 8010u / 8 + 100'000u) << i;
    }
    for (std::uint32_t i = 0; i < kPages; ++i) ASSERT_EQ(slab[i].number, i);
    EXPECT_LT(allocator.calls(), 1200u);  // one for each two would be 2500
    for (std::uint32_t i = 0; i < kPages; i += 3) slab.Destroy(i);
    for (std::uint32_t i = 0; i < kPages; i += 3) ASSERT_NE(slab.Create(), kNoSlot);
    EXPECT_EQ(slab.live(), kPages);
  }
  EXPECT_EQ(memory.used(), 0u);
  EXPECT_EQ(allocator.outstanding(), 0u);
}

TEST(Slab, AgreesWithAModel) {
  struct Expected {
    bool live = false;
    std::uint32_t generation = 0;
    std::uint64_t value = 0;
    const Item* address = nullptr;
  };
  test::TestAllocator allocator;
  Memory memory(allocator);
  int live = 0;
  Slab<Item, 8, LiveGenerations> slab(memory);
  std::vector<Expected> model;
  Prng prng(3);
  for (int step = 0; step < 20000; ++step) {
    // Phases of growth and decline.
    if (prng.Chance((step / 2000) % 2 == 0 ? 3 : 1, 4)) {
      const std::uint64_t value = prng.Next();
      const std::uint32_t slot = slab.Create(live, value);
      ASSERT_NE(slot, kNoSlot);
      if (slot >= model.size()) model.resize(slot + 1);
      ASSERT_FALSE(model[slot].live);
      ASSERT_EQ(model[slot].generation, slab.generation(slot));
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(&slab[slot]) % alignof(Item), 0u);
      model[slot] = {true, model[slot].generation, value, &slab[slot]};
    } else if (!model.empty()) {
      const auto slot = static_cast<std::uint32_t>(prng.Below(model.size()));
      if (!model[slot].live) continue;
      slab.Destroy(slot);
      model[slot].live = false;
      ++model[slot].generation;
    }
  }
  std::uint32_t count = 0;
  for (std::uint32_t slot = 0; slot < model.size(); ++slot) {
    ASSERT_EQ(slab.Holds(slot, model[slot].generation), model[slot].live);
    if (!model[slot].live) continue;
    ASSERT_EQ(&slab[slot], model[slot].address);
    ASSERT_EQ(slab[slot].value, model[slot].value);
    ++count;
  }
  EXPECT_EQ(slab.live(), count);
  EXPECT_EQ(live, static_cast<int>(count));
  std::uint32_t next = 0;
  slab.ForEach([&](std::uint32_t slot, Item&) {
    while (!model[next].live) ++next;
    ASSERT_EQ(slot, next++);
    slab.Destroy(slot);
  });
  EXPECT_EQ(live, 0);
}

}  // namespace
}  // namespace estab
