#include "base/siphash.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <cstring>
#include <vector>

#include "base/prng.h"

namespace estab {
namespace {

std::vector<std::byte> Counting(std::size_t n) {
  std::vector<std::byte> bytes(n);
  for (std::size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::byte>(i);
  return bytes;
}

TEST(SipHash, PaperVector24) {
  SipKey key;
  for (std::size_t i = 0; i < 16; ++i) key[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(SipHash24(key, Counting(15)), 0xa129ca6149be45e5u);
  EXPECT_EQ(SipHash24(key, {}), 0x726fdb47dd0e0e31u);
}

TEST(SipHash, AgreesWithLibsodium) {
  Prng prng(1);
  for (std::size_t size = 0; size < 300; ++size) {
    SipKey key;
    for (auto& byte : key) byte = static_cast<std::uint8_t>(prng.Next());
    std::vector<std::byte> message(size);
    for (auto& byte : message) byte = static_cast<std::byte>(prng.Next());
    std::uint8_t out[crypto_shorthash_BYTES];
    crypto_shorthash(out, reinterpret_cast<const unsigned char*>(message.data()), size, key.data());
    std::uint64_t expected = 0;
    for (int i = 7; i >= 0; --i) expected = (expected << 8) | out[i];
    ASSERT_EQ(SipHash24(key, message), expected) << "size " << size;
  }
}

// CPython 3.11 hashes bytes with SipHash-1-3: these are hash(bytes(range(n))) modulo 2^64 with
// PYTHONHASHSEED=0, which is the key of zeros, and with PYTHONHASHSEED=42.
TEST(SipHash, AgreesWithPython13) {
  struct Vector {
    std::size_t size;
    std::uint64_t zero_key;
    std::uint64_t key_42;
  };
  constexpr Vector kVectors[] = {
      {1, 0x68a914128e01e473u, 0xce880c366bcf3489u},
      {7, 0x2f098ab0c751325au, 0xce280fabc397fbdau},
      {8, 0xead411e67ebe2eeau, 0x60866c3c108c6afbu},
      {9, 0x75927f9d95124362u, 0x68814005f7469e03u},
      {15, 0xf30eb725bb91c9eau, 0x94ace24d68c18cf8u},
      {16, 0x8972188433a5c5b7u, 0x339176f3ac59ce05u},
      {31, 0x169739443111d49bu, 0x06f3af51bda71c61u},
      {63, 0x385d3e39e5f37359u, 0x06e24d6f0d014c37u},
  };
  const SipKey key_42 = {0xaf, 0x90, 0xcd, 0x68, 0xd3, 0x4f, 0x50, 0xdc,
                         0xc1, 0xe9, 0x99, 0xfe, 0x9f, 0xbb, 0x20, 0xb9};
  for (const Vector& v : kVectors) {
    EXPECT_EQ(SipHash13(SipKey{}, Counting(v.size)), v.zero_key) << v.size;
    EXPECT_EQ(SipHash13(key_42, Counting(v.size)), v.key_42) << v.size;
  }
}

}  // namespace
}  // namespace estab
