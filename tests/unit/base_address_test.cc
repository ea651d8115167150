#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "base/prng.h"
#include "estab/address.h"

namespace estab {
namespace {

std::string Text(const IpAddress& address) {
  std::array<char, kAddressTextSize> out;
  return std::string(FormatAddress(address, out));
}

// What the C library makes of a text, in our form.
std::optional<IpAddress> SystemParse(const std::string& text) {
  in_addr v4;
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return IpAddress::V4(ntohl(v4.s_addr));
  IpAddress v6;
  if (inet_pton(AF_INET6, text.c_str(), v6.bytes.data()) == 1) return v6;
  return std::nullopt;
}

// Addresses with many zeros and ones, so that every place of "::" occurs.
IpAddress RandomAddress(Prng& prng) {
  if (prng.Chance(1, 4)) return IpAddress::V4(static_cast<std::uint32_t>(prng.Next()));
  IpAddress address;
  for (std::size_t i = 0; i < 16; i += 2) {
    const std::uint64_t group = prng.Chance(1, 2) ? 0 : prng.Next() >> prng.Below(16);
    address.bytes[i] = static_cast<std::uint8_t>(group >> 8);
    address.bytes[i + 1] = static_cast<std::uint8_t>(group);
  }
  return address;
}

TEST(Address, RoundTripAgreesWithTheSystem) {
  Prng prng(1);
  for (int i = 0; i < 50000; ++i) {
    const IpAddress address = RandomAddress(prng);
    const std::string text = Text(address);
    ASSERT_EQ(IpAddress::Parse(text), address) << text;
    ASSERT_EQ(SystemParse(text), address) << text;
    char system[INET6_ADDRSTRLEN];
    if (address.is_v4()) {
      ASSERT_STREQ(inet_ntop(AF_INET, address.bytes.data() + 12, system, sizeof(system)),
                   text.c_str());
      continue;
    }
    inet_ntop(AF_INET6, address.bytes.data(), system, sizeof(system));
    // glibc writes the deprecated ::a.b.c.d for what RFC 5952 writes in groups.
    if (std::strchr(system, '.') == nullptr) {
      ASSERT_EQ(text, system);
    }
  }
}

TEST(Address, AcceptsWhatTheSystemAccepts) {
  Prng prng(2);
  constexpr char kAlphabet[] = "0123456789abcdefABCDEFg::::....%/ [+-x";
  int accepted = 0;
  for (int i = 0; i < 200000; ++i) {
    std::string text = Text(RandomAddress(prng));
    if (prng.Chance(1, 8)) text.insert(0, "::ffff:");
    for (std::uint64_t edits = prng.Below(4); edits > 0 && !text.empty(); --edits) {
      const std::size_t at = prng.Below(text.size());
      const char c = kAlphabet[prng.Below(sizeof(kAlphabet) - 1)];
      switch (prng.Below(3)) {
        case 0:
          text[at] = c;
          break;
        case 1:
          text.insert(at, 1, c);
          break;
        default:
          text.erase(at, 1);
          break;
      }
    }
    const std::optional<IpAddress> expected = SystemParse(text);
    accepted += expected ? 1 : 0;
    ASSERT_EQ(IpAddress::Parse(text), expected) << '"' << text << '"';
  }
  EXPECT_GT(accepted, 40000);
  EXPECT_LT(accepted, 160000);
}

TEST(Address, CanonicalText) {
  const struct {
    const char* in;
    const char* out;
  } kCases[] = {
      {"192.0.2.1", "192.0.2.1"},
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"::ffff:192.0.2.1", "192.0.2.1"},
      {"::", "::"},
      {"0:0:0:0:0:0:0:1", "::1"},
      {"2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},     // §4.2.3: the first of equal runs
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},  // §4.2.2: not for one group
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},           // the longest run
      {"2001:0db8::0001:0000", "2001:db8::1:0"},
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
  };
  for (const auto& c : kCases) {
    const std::optional<IpAddress> address = IpAddress::Parse(c.in);
    ASSERT_TRUE(address) << c.in;
    EXPECT_EQ(Text(*address), c.out);
  }
}

TEST(Address, RejectsWhatIsMalformed) {
  for (const char* text : {"",
                           " ",
                           "1",
                           "1.2.3",
                           "1.2.3.4.5",
                           "1.2.3.4 ",
                           " 1.2.3.4",
                           "01.2.3.4",
                           "1.2.3.04",
                           "256.1.1.1",
                           "1.2.3.1000",
                           "1..2.3",
                           ".1.2.3",
                           "1.2.3.",
                           "-1.2.3.4",
                           "+1.2.3.4",
                           "0x1.2.3.4",
                           "1.2.3.a",
                           ":",
                           ":::",
                           "1::2::3",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1:2:3:4:5:6:7:8::",
                           "::1:2:3:4:5:6:7:8",
                           "1:2:3:4::5:6:7:8",
                           "12345::",
                           "g::",
                           "1:",
                           ":1",
                           "::1%eth0",
                           "[::1]",
                           "::1/64",
                           "1:2:3:4:5:6:7:1.2.3.4",
                           "::1.2.3",
                           "::1.2.3.4:5",
                           "1.2.3.4::",
                           "::01.2.3.4"}) {
    EXPECT_FALSE(IpAddress::Parse(text)) << '"' << text << '"';
  }
  EXPECT_FALSE(IpAddress::Parse(std::string_view("1.2.3.4\0", 8)));
}

TEST(Address, Kinds) {
  EXPECT_TRUE(IpAddress::Parse("224.0.0.1")->is_multicast());
  EXPECT_FALSE(IpAddress::Parse("223.255.255.255")->is_multicast());
  EXPECT_TRUE(IpAddress::Parse("ff02::1")->is_multicast());
  EXPECT_TRUE(IpAddress::Parse("255.255.255.255")->is_limited_broadcast());
  EXPECT_TRUE(IpAddress::Parse("0.0.0.0")->is_any());
  EXPECT_TRUE(IpAddress::Parse("::")->is_any());
  EXPECT_EQ(IpAddress::Parse("192.0.2.1")->v4(), 0xC0000201u);
}

TEST(Endpoint, Text) {
  std::array<char, kEndpointTextSize> out;
  EXPECT_EQ(FormatEndpoint({IpAddress::V4(0xC0000201), 80}, out), "192.0.2.1:80");
  EXPECT_EQ(FormatEndpoint({*IpAddress::Parse("2001:db8::1"), 65535}, out), "[2001:db8::1]:65535");
  EXPECT_EQ(FormatEndpoint({IpAddress::AnyV6(), 0}, out), "[::]:0");
}

TEST(Prefix, ParsesAndContains) {
  const std::optional<Prefix> v4 = Prefix::Parse("192.0.2.1/25");
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->length, 25);
  EXPECT_EQ(v4->address, IpAddress::V4(0xC0000201));  // host bits are kept
  EXPECT_TRUE(v4->Contains(IpAddress::V4(0xC000027F)));
  EXPECT_FALSE(v4->Contains(IpAddress::V4(0xC0000280)));
  EXPECT_FALSE(v4->Contains(*IpAddress::Parse("2001:db8::1")));
  EXPECT_EQ(Prefix::Parse("192.0.2.1")->length, 32);
  EXPECT_EQ(Prefix::Parse("2001:db8::1")->length, 128);
  const std::optional<Prefix> all = Prefix::Parse("::/0");
  ASSERT_TRUE(all);
  EXPECT_TRUE(all->Contains(*IpAddress::Parse("2001:db8::1")));
  EXPECT_FALSE(all->Contains(IpAddress::V4(1)));
  const std::optional<Prefix> v6 = Prefix::Parse("2001:db8::/33");
  ASSERT_TRUE(v6);
  EXPECT_TRUE(v6->Contains(*IpAddress::Parse("2001:db8:7fff::")));
  EXPECT_FALSE(v6->Contains(*IpAddress::Parse("2001:db8:8000::")));
  for (const char* text :
       {"", "/", "/24", "192.0.2.1/", "192.0.2.1/33", "192.0.2.1/024", "192.0.2.1/-1",
        "192.0.2.1/24 ", "192.0.2.1/24/24", "::/129", "::/1a", "192.0.2.0/4294967304"}) {
    EXPECT_FALSE(Prefix::Parse(text)) << '"' << text << '"';
  }
}

}  // namespace
}  // namespace estab
