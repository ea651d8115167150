// The inner loops against the plain definition, on every path that this machine has.
#include "base/copy_sum.h"

#include <gtest/gtest.h>

#include <cstring>
#include <span>
#include <vector>

#include "base/prng.h"

namespace estab {
namespace {

// RFC 1071 §2 to the letter: words of this machine, what carries out comes in again.
std::uint64_t PlainSum(std::span<const std::byte> bytes) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    std::byte pair[2] = {bytes[i], i + 1 < bytes.size() ? bytes[i + 1] : std::byte{0}};
    std::uint16_t word;
    std::memcpy(&word, pair, 2);
    sum += word;
  }
  return sum;
}

// As the wire would have it: two sums that differ by a multiple of 65535 are the same, but for
// zero.
std::uint64_t Folded(std::uint64_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

std::vector<std::byte> Noise(std::size_t size, std::uint64_t seed) {
  Prng prng(seed);
  std::vector<std::byte> bytes(size);
  for (std::byte& b : bytes) b = static_cast<std::byte>(prng.Next());
  return bytes;
}

void Check(std::span<const std::byte> bytes) {
  EXPECT_EQ(Folded(SumBytes(bytes.data(), bytes.size())), Folded(PlainSum(bytes))) << bytes.size();
  // Nothing beyond the end is written.
  constexpr auto kGuard = std::byte{0xa5};
  std::vector<std::byte> copy(bytes.size() + 64, kGuard);
  const std::uint64_t sum = CopyAndSum(copy.data(), bytes.data(), bytes.size());
  EXPECT_EQ(Folded(sum), Folded(PlainSum(bytes))) << bytes.size();
  EXPECT_EQ(std::memcmp(copy.data(), bytes.data(), bytes.size()), 0);
  std::vector<std::byte> plain(bytes.size() + 64, kGuard);
  CopyBytes(plain.data(), bytes.data(), bytes.size());
  EXPECT_EQ(plain, copy);
  for (std::size_t i = bytes.size(); i < copy.size(); ++i) EXPECT_EQ(copy[i], kGuard);
}

TEST(CopySum, EverySizeAndAlignment) {
  const std::vector<std::byte> noise = Noise(2200, 1);
  for (std::size_t size = 0; size < 600; ++size) {
    for (const std::size_t skip : {0u, 1u, 3u, 31u}) Check(std::span(noise).subspan(skip, size));
  }
  for (const std::size_t size : {1448u, 1460u, 2047u, 2048u, 2049u}) {
    Check(std::span(noise).first(size));
  }
}

TEST(CopySum, LargestSumsDoNotOverflow) {
  for (const std::byte value : {std::byte{0xff}, std::byte{0x7f}, std::byte{0x80}, std::byte{0}}) {
    const std::vector<std::byte> bytes((std::size_t{1} << 20) + 77, value);
    Check(bytes);
  }
}

TEST(CopySum, OnlyZerosSumToZero) {
  const std::vector<std::byte> zeros(1500);
  EXPECT_EQ(SumBytes(zeros.data(), zeros.size()), 0u);
  const std::vector<std::byte> ones(1500, std::byte{0xff});
  EXPECT_NE(SumBytes(ones.data(), ones.size()), 0u);
}

}  // namespace
}  // namespace estab
