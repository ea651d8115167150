#include "base/bytes.h"

#include <gtest/gtest.h>

#include <type_traits>

#include "base/intrusive_list.h"
#include "base/seq.h"

namespace estab {
namespace {

TEST(Bytes, NetworkOrderAtAnyAlignment) {
  std::byte bytes[16] = {};
  Store16(bytes + 1, 0x0102);
  Store32(bytes + 3, 0xf3040506u);
  Store64(bytes + 7, 0xf708090a0b0c0d0eu);
  const unsigned expected[] = {0, 1, 2, 0xf3, 4, 5, 6, 0xf7, 8, 9, 10, 11, 12, 13, 14, 0};
  for (std::size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(std::to_integer<unsigned>(bytes[i]), expected[i]) << i;
  }
  EXPECT_EQ(Load16(bytes + 1), 0x0102);
  EXPECT_EQ(Load32(bytes + 3), 0xf3040506u);
  EXPECT_EQ(Load64(bytes + 7), 0xf708090a0b0c0d0eu);
}

TEST(Seq, ComparesModulo) {
  const SndSeq a(0xfffffff0u);
  const SndSeq b = a + 0x20;
  EXPECT_EQ(b.raw(), 0x10u);
  EXPECT_TRUE(a < b && b > a && a <= b && b >= a && a != b);
  EXPECT_EQ(b - a, 0x20);
  EXPECT_EQ(a - b, -0x20);
  EXPECT_EQ(b - 0x20u, a);
  EXPECT_EQ(Later(a, b), b);
  EXPECT_EQ(Earlier(a, b), a);
}

template <class A, class B>
concept Comparable = requires(A a, B b) { a < b; };
static_assert(Comparable<SndSeq, SndSeq> && !Comparable<SndSeq, RcvSeq>);

struct Tag;
struct ListItem : ListNode<Tag> {};

TEST(IntrusiveList, KeepsOrderAndForgetsRemoved) {
  ListItem a, b, c;
  IntrusiveList<ListItem, Tag> list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.PopFront(), nullptr);
  list.PushBack(a);
  list.PushBack(b);
  list.PushBack(c);
  list.Remove(b);
  list.Remove(b);  // not on it: nothing happens
  EXPECT_FALSE(b.linked());
  list.PushBack(b);
  EXPECT_EQ(list.PopFront(), &a);
  int seen = 0;
  list.ForEach([&](ListItem& item) {
    EXPECT_EQ(&item, seen++ == 0 ? &c : &b);
    list.Remove(item);
  });
  EXPECT_EQ(seen, 2);
  EXPECT_TRUE(list.empty());
}

}  // namespace
}  // namespace estab
