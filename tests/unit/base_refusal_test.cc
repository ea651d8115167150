// Memory refused at every single place: nothing breaks, nothing is lost, nothing is kept.
#include <gtest/gtest.h>

#include <vector>

#include "base/chunk.h"
#include "base/hash_index.h"
#include "base/slab.h"
#include "test_allocator.h"

namespace estab {
namespace {

struct SmallItem {
  std::uint64_t value;
};

// Makes records, indexes them and queues bytes; whatever is refused is left out. Returns how much
// was refused.
int UseEverything(Memory& memory) {
  int refused = 0;
  Slab<SmallItem, 8> slab(memory);
  HashIndex index(memory);
  std::vector<std::uint32_t> slots;
  for (std::uint32_t i = 0; i < 200; ++i) {
    const std::uint32_t slot = slab.Create(i);
    if (slot == kNoSlot) {
      ++refused;
      continue;
    }
    if (!index.Insert(i * 31, slot)) {
      slab.Destroy(slot);
      ++refused;
      continue;
    }
    slots.push_back(i);
  }
  EXPECT_EQ(slab.live(), slots.size());
  EXPECT_EQ(index.size(), slots.size());
  for (const std::uint32_t i : slots) {
    const std::uint32_t slot =
        index.Find(i * 31, [&](std::uint32_t s) { return slab[s].value == i; });
    EXPECT_NE(slot, HashIndex::kNone);
  }

  ChunkPool pool(memory);
  ByteQueue queue;
  std::size_t expected = 0;
  const std::vector<std::byte> bytes(100000);
  for (std::size_t size : {1000u, 5000u, 100000u, 3000u, 70000u}) {
    const std::size_t done = queue.Append(pool, std::span(bytes).first(size));
    EXPECT_LE(done, size);
    if (done < size) ++refused;
    expected += done;
  }
  EXPECT_EQ(queue.size(), expected);
  queue.Clear(pool);
  EXPECT_EQ(pool.live(), 0u);
  return refused;
}

TEST(Refusal, OfTheNthAllocation) {
  std::uint64_t total;
  {
    test::TestAllocator allocator;
    Memory memory(allocator);
    EXPECT_EQ(UseEverything(memory), 0);
    total = allocator.calls();
  }
  ASSERT_GT(total, 30u);
  for (std::uint64_t n = 0; n < total; ++n) {
    SCOPED_TRACE(testing::Message() << "call " << n);
    test::TestAllocator allocator;
    allocator.FailAt(n);
    Memory memory(allocator);
    UseEverything(memory);
    EXPECT_EQ(memory.refusals(), 1u);
    EXPECT_EQ(memory.used(), 0u);
    EXPECT_EQ(allocator.outstanding(), 0u);
  }
}

TEST(Refusal, AtEveryLimit) {
  for (std::uint64_t limit = 0; limit < 300000; limit += 997) {
    SCOPED_TRACE(testing::Message() << "limit " << limit);
    test::TestAllocator allocator;
    Memory memory(allocator);
    memory.set_limit(limit);
    UseEverything(memory);
    EXPECT_EQ(memory.used(), 0u);
    EXPECT_EQ(allocator.outstanding(), 0u);
  }
}

}  // namespace
}  // namespace estab
