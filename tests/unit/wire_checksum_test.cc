#include "wire/checksum.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/prng.h"
#include "gtest/gtest.h"
#include "unit/wire_samples.h"

namespace estab::wire {
namespace {

using View = std::span<const std::byte>;

// RFC 1071 §1, word by word.
std::uint16_t NaiveSum(View bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = std::to_integer<std::uint32_t>(bytes[i]);
    sum += i % 2 == 0 ? byte << 8 : byte;
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(sum);
}

std::uint16_t SumOf(View bytes) {
  Checksum checksum;
  checksum.Add(bytes);
  return checksum.Sum();
}

TEST(WireChecksum, ExampleOfRfc1071) {
  const auto bytes = FromHex("0001f203f4f5f6f7");
  EXPECT_EQ(SumOf(bytes), 0xddf2);
  Checksum checksum;
  checksum.Add(bytes);
  EXPECT_EQ(checksum.Finish(), 0x220d);
  EXPECT_FALSE(checksum.Valid());
  checksum.Add(FromHex("220d"));
  EXPECT_TRUE(checksum.Valid());
}

TEST(WireChecksum, NothingSumsToZero) {
  EXPECT_EQ(SumOf({}), 0);
  EXPECT_EQ(Checksum().Finish(), 0xffff);
}

// Carries out of every position: all bits set, in every length around the unrolled loop.
TEST(WireChecksum, AllOnes) {
  const std::vector<std::byte> ones(70001, std::byte{0xff});
  for (const std::size_t size : {2u, 4u, 32u, 64u, 70000u}) {
    EXPECT_EQ(SumOf(View(ones).first(size)), 0xffff) << size;
  }
  EXPECT_EQ(SumOf(View(ones).first(33)), NaiveSum(View(ones).first(33)));
  EXPECT_EQ(SumOf(ones), NaiveSum(ones));
}

TEST(WireChecksum, EqualsTheNaiveSumAtEveryLengthAndAlignment) {
  Prng random(1);
  std::vector<std::byte> bytes(200);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random.Next());
  for (std::size_t start = 0; start < 9; ++start) {
    for (std::size_t size = 0; size + start <= bytes.size(); ++size) {
      const View part = View(bytes).subspan(start, size);
      ASSERT_EQ(SumOf(part), NaiveSum(part)) << "start " << start << " size " << size;
    }
  }
}

// However a run of bytes is cut, odd pieces and empty ones included, its sum is the same.
TEST(WireChecksum, PiecesChain) {
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    Prng random(seed);
    std::vector<std::byte> bytes(random.Below(300));
    for (std::byte& b : bytes) b = static_cast<std::byte>(random.Next());
    Checksum checksum;
    View rest = bytes;
    while (!rest.empty()) {
      const std::size_t take = random.Below(std::min<std::size_t>(rest.size(), 40) + 1);
      // A block of its own, so that reading past a piece is seen.
      const std::vector<std::byte> piece(rest.begin(),
                                         rest.begin() + static_cast<std::ptrdiff_t>(take));
      checksum.Add(piece);
      rest = rest.subspan(take);
    }
    ASSERT_EQ(checksum.Sum(), NaiveSum(bytes)) << "seed " << seed;
  }
}

TEST(WireChecksum, PseudoHeaders) {
  const auto source = IpAddress::V4(0xc0000202);
  const auto destination = IpAddress::V4(0xc0a8ff01);
  Checksum v4;
  v4.AddPseudoHeader(source, destination, 17, 0x1234);
  EXPECT_EQ(v4.Sum(), NaiveSum(FromHex("c0000202c0a8ff0100111234")));

  IpAddress source6;
  IpAddress destination6;
  for (std::uint8_t i = 0; i < 16; ++i) {
    source6.bytes[i] = static_cast<std::uint8_t>(0x20 + i);
    destination6.bytes[i] = static_cast<std::uint8_t>(0xf0 - 3 * i);
  }
  Checksum v6;
  v6.AddPseudoHeader(source6, destination6, 58, 0x00023456);
  EXPECT_EQ(v6.Sum(), NaiveSum(FromHex("202122232425262728292a2b2c2d2e2f"
                                       "f0edeae7e4e1dedbd8d5d2cfccc9c6c3"
                                       "000234560000003a")));
}

}  // namespace
}  // namespace estab::wire
