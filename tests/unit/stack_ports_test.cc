// Which local ports nobody uses.
#include "stack/ports.h"

#include <gtest/gtest.h>

#include "base/memory.h"
#include "estab/allocator.h"

namespace estab::test {
namespace {

using stack::Binding;
using stack::PortTable;

class UnusedPort : public ::testing::Test {
 protected:
  // The range is [100, 110).
  std::uint16_t From(std::uint32_t start) const { return ports_.NextUnused(start, 100, 10); }
  std::uint32_t Bind(std::uint16_t port) {
    Binding binding;
    binding.local = {IpAddress::AnyV4(), port};
    return ports_.Bind(binding);
  }

  Memory memory_{HeapAllocator()};
  PortTable ports_{memory_};
};

TEST_F(UnusedPort, IsTheOneAskedForOrTheNext) {
  EXPECT_EQ(From(100), 100);
  EXPECT_EQ(From(109), 109);
  ASSERT_TRUE(ports_.Hold(103, {}));
  ASSERT_NE(Bind(104), kNoSlot);
  EXPECT_EQ(From(103), 105);
  EXPECT_EQ(From(102), 102);
}

TEST_F(UnusedPort, IsFoundRoundTheEndOfTheRangeAndNowhereElse) {
  for (std::uint16_t port = 105; port < 110; ++port) ASSERT_TRUE(ports_.Hold(port, {}));
  EXPECT_EQ(From(107), 100);
  for (std::uint16_t port = 100; port < 105; ++port) ASSERT_TRUE(ports_.Hold(port, {}));
  EXPECT_EQ(From(100), 0);
  EXPECT_EQ(From(109), 0);
}

TEST_F(UnusedPort, IsOneAgainWhenTheLastHasLeftIt) {
  ASSERT_TRUE(ports_.Hold(100, {}));
  ASSERT_TRUE(ports_.Hold(100, {.address = true}));
  ASSERT_TRUE(ports_.Hold(100, {.port = true}));
  const std::uint32_t first = Bind(100);
  const std::uint32_t second = Bind(100);
  ports_.Release(100, {.port = true});
  ports_.Unbind(first);
  EXPECT_EQ(From(100), 101);
  ports_.Release(100, {});
  ports_.Unbind(second);
  EXPECT_EQ(From(100), 101);
  ports_.Release(100, {.address = true});
  EXPECT_EQ(From(100), 100);
  ASSERT_NE(Bind(100), kNoSlot);
  EXPECT_EQ(From(100), 101);
}

TEST_F(UnusedPort, IsToldOfTheWholeRangeOfPorts) {
  EXPECT_EQ(ports_.NextUnused(65535, 1024, 64512), 65535);
  ASSERT_TRUE(ports_.Hold(65535, {}));
  EXPECT_EQ(ports_.NextUnused(65535, 1024, 64512), 1024);
}

}  // namespace
}  // namespace estab::test
