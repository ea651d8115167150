#include "base/memory.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "base/check.h"
#include "test_allocator.h"

namespace estab {
namespace {

TEST(Memory, HoldsTheLimitToTheByte) {
  test::TestAllocator allocator;
  Memory memory(allocator);
  memory.set_limit(1000);
  void* a = memory.Allocate(600, 8);
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(memory.Allocate(401, 8), nullptr);
  EXPECT_EQ(memory.Allocate(SIZE_MAX, 8), nullptr);
  EXPECT_EQ(memory.refusals(), 2u);
  void* b = memory.Allocate(400, 8);
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(memory.used(), 1000u);
  memory.set_limit(10);  // below what is in use: nothing more, but no harm
  EXPECT_EQ(memory.Allocate(1, 8), nullptr);
  memory.Free(a, 600);
  memory.Free(b, 400);
  EXPECT_EQ(memory.used(), 0u);
  EXPECT_EQ(allocator.outstanding(), 0u);
}

TEST(Memory, RefusedByTheAllocatorIsNotCounted) {
  test::TestAllocator allocator;
  allocator.FailAt(0);
  Memory memory(allocator);
  EXPECT_EQ(memory.Allocate(100, 8), nullptr);
  EXPECT_EQ(memory.used(), 0u);
  EXPECT_EQ(memory.refusals(), 1u);
}

TEST(Memory, HeapAligns) {
  for (std::size_t alignment = 1; alignment <= 4096; alignment *= 2) {
    void* memory = HeapAllocator().Allocate(100, alignment);
    ASSERT_NE(memory, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % alignment, 0u);
    HeapAllocator().Free(memory, 100);
  }
  EXPECT_EQ(HeapAllocator().Allocate(SIZE_MAX - 1, 4096), nullptr);
}

TEST(CheckDeathTest, SaysWhatAndWhere) {
  EXPECT_DEATH(ESTAB_CHECK(1 + 1 == 3), "1 \\+ 1 == 3 at .*base_memory_test.cc:[0-9]+");
}

}  // namespace
}  // namespace estab
