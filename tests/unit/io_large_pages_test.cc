#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

#include "estab/large_pages.h"
#include "estab/stack.h"

namespace estab {
namespace {

std::uintptr_t Misplaced(const void* memory, std::size_t alignment) {
  return reinterpret_cast<std::uintptr_t>(memory) % alignment;
}

TEST(LargePages, MuchLiesOnWholePagesOfThem) {
  constexpr std::size_t kLargePage = std::size_t{2} << 20;
  for (const std::size_t bytes : {std::size_t{1} << 20, kLargePage, 2 * kLargePage + 1}) {
    void* memory = LargePageAllocator().Allocate(bytes, 64);
    ASSERT_NE(memory, nullptr);
    EXPECT_EQ(Misplaced(memory, kLargePage), 0u);
    std::memset(memory, 0x5a, bytes);
    LargePageAllocator().Free(memory, bytes);
  }
}

TEST(LargePages, LittleComesFromTheHeap) {
  void* memory = LargePageAllocator().Allocate(100, 4096);
  ASSERT_NE(memory, nullptr);
  EXPECT_EQ(Misplaced(memory, 4096), 0u);
  std::memset(memory, 0x5a, 100);
  LargePageAllocator().Free(memory, 100);
}

TEST(LargePages, WhatCannotBeHadIsRefused) {
  EXPECT_EQ(LargePageAllocator().Allocate(SIZE_MAX, 64), nullptr);
  EXPECT_EQ(LargePageAllocator().Allocate(SIZE_MAX - (std::size_t{3} << 20), 64), nullptr);
}

// Enough sockets that their slab takes pages of its own.
TEST(LargePages, CarryAStack) {
  StackConfig config;
  config.allocator = &LargePageAllocator();
  auto stack = Stack::Create(config);
  ASSERT_TRUE(stack);
  for (int i = 0; i < 60'000; ++i) ASSERT_TRUE(stack->Open(false));
  EXPECT_EQ(stack->Counters().sockets, 60'000u);
}

}  // namespace
}  // namespace estab
