#include "wire/ip.h"

#include <algorithm>
#include <string>

#include "gtest/gtest.h"
#include "unit/wire_samples.h"

namespace estab::wire {
namespace {

using Bytes = std::vector<std::byte>;

const IpAddress kA = IpAddress::V4(0xc0000202);
const IpAddress kB = IpAddress::V4(0xc0000201);

IpAddress V6(std::uint8_t last) {
  IpAddress a;
  a.bytes = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last};
  return a;
}

DecodeError ErrorOf(std::string_view name) {
  const Bytes bytes = SampleBytes(name);
  const auto packet = DecodeIp(bytes);
  EXPECT_FALSE(packet.has_value()) << name;
  return packet.has_value() ? DecodeError{} : packet.error();
}

TEST(WireIp, DecodesIpv4) {
  const Bytes bytes = SampleBytes("linux4-port-unreachable");
  const auto packet = DecodeIp(bytes);
  ASSERT_TRUE(packet.has_value());
  EXPECT_EQ(packet->source, kB);
  EXPECT_EQ(packet->destination, kA);
  EXPECT_TRUE(packet->Is(Protocol::kIcmp));
  EXPECT_EQ(packet->ttl, 64);
  EXPECT_EQ(packet->tos, 0xc0);
  EXPECT_FALSE(packet->fragment);
  EXPECT_EQ(packet->header.data(), bytes.data());
  EXPECT_EQ(packet->header.size(), 20u);
  EXPECT_EQ(packet->payload.data(), bytes.data() + 20);
  EXPECT_EQ(packet->payload.size(), bytes.size() - 20);
  EXPECT_EQ(packet->whole().size(), bytes.size());
}

TEST(WireIp, DecodesIpv6) {
  const Bytes bytes = SampleBytes("tcp6-syn");
  const auto packet = DecodeIp(bytes);
  ASSERT_TRUE(packet.has_value());
  EXPECT_EQ(packet->source, V6(2));
  EXPECT_EQ(packet->destination, V6(1));
  EXPECT_TRUE(packet->Is(Protocol::kTcp));
  EXPECT_EQ(packet->ttl, 64);
  EXPECT_EQ(packet->tos, 0x2e);
  EXPECT_EQ(packet->header.size(), 40u);
  EXPECT_EQ(packet->payload.size(), 24u);
}

TEST(WireIp, SkipsIpv4Options) {
  const Bytes bytes = SampleBytes("tcp4-ip-options");
  const auto packet = DecodeIp(bytes);
  ASSERT_TRUE(packet.has_value());
  EXPECT_EQ(packet->header.size(), 32u);
  EXPECT_EQ(packet->payload.size(), 25u);
}

TEST(WireIp, LeavesLinkPaddingOut) {
  const Bytes bytes = SampleBytes("tcp4-link-padding");
  ASSERT_EQ(bytes.size(), 46u);
  EXPECT_EQ(DecodeIp(bytes)->payload.size(), 20u);
  Bytes padded = SampleBytes("tcp6-syn");
  padded.resize(padded.size() + 3);
  EXPECT_EQ(DecodeIp(padded)->payload.size(), 24u);
}

TEST(WireIp, MarksFragments) {
  for (const char* name :
       {"ip4-first-fragment", "ip4-later-fragment", "tcp6-first-fragment", "tcp6-later-fragment"}) {
    const Bytes bytes = SampleBytes(name);
    const auto packet = DecodeIp(bytes);
    ASSERT_TRUE(packet.has_value()) << name;
    EXPECT_TRUE(packet->fragment) << name;
  }
  // What a later fragment begins with is data, even if its next header is a known one.
  const Bytes later = SampleBytes("tcp6-later-fragment");
  EXPECT_EQ(DecodeIp(later)->protocol, 60);
  EXPECT_EQ(DecodeIp(later)->payload.size(), 24u);
}

TEST(WireIp, SkipsExtensionHeaders) {
  struct Case {
    const char* name;
    std::size_t header;
  };
  for (const Case& c : {Case{"tcp6-hop-by-hop", 48}, Case{"tcp6-extension-chain", 40 + 24 + 24 + 8},
                        Case{"tcp6-atomic-fragment", 48}}) {
    const Bytes bytes = SampleBytes(c.name);
    const auto packet = DecodeIp(bytes);
    ASSERT_TRUE(packet.has_value()) << c.name;
    EXPECT_TRUE(packet->Is(Protocol::kTcp)) << c.name;
    EXPECT_FALSE(packet->fragment) << c.name;
    EXPECT_EQ(packet->header.size(), c.header) << c.name;
    EXPECT_EQ(packet->payload.size(), 24u) << c.name;
  }
}

TEST(WireIp, LeavesOtherNextHeadersAsTheyAre) {
  EXPECT_EQ(DecodeIp(SampleBytes("ip6-esp"))->protocol, 50);
  EXPECT_EQ(DecodeIp(SampleBytes("ip6-no-next-header"))->protocol, 59);
  EXPECT_EQ(DecodeIp(SampleBytes("ip4-protocol-132"))->protocol, 132);
}

TEST(WireIp, RefusesWhatIsWrong) {
  EXPECT_EQ(ErrorOf("ip4-version-5"), DecodeError::kBadVersion);
  EXPECT_EQ(ErrorOf("ip4-header-length-4"), DecodeError::kBadHeaderLength);
  EXPECT_EQ(ErrorOf("ip4-header-length-beyond"), DecodeError::kBadHeaderLength);
  EXPECT_EQ(ErrorOf("ip4-total-beyond-end"), DecodeError::kBadTotalLength);
  EXPECT_EQ(ErrorOf("ip4-total-below-header"), DecodeError::kBadTotalLength);
  EXPECT_EQ(ErrorOf("ip4-bad-checksum"), DecodeError::kBadChecksum);
  EXPECT_EQ(ErrorOf("ip6-segments-left"), DecodeError::kBadExtension);
  EXPECT_EQ(ErrorOf("ip6-option-to-discard"), DecodeError::kBadExtension);
  EXPECT_EQ(ErrorOf("ip6-option-beyond-end"), DecodeError::kBadExtension);
  EXPECT_EQ(ErrorOf("ip6-late-hop-by-hop"), DecodeError::kBadExtension);
  EXPECT_EQ(ErrorOf("ip6-extension-beyond-end"), DecodeError::kBadExtension);
  EXPECT_EQ(ErrorOf("ip6-extension-7-bytes"), DecodeError::kBadExtension);
  EXPECT_EQ(ErrorOf("ip6-payload-beyond-end"), DecodeError::kBadTotalLength);
  EXPECT_EQ(ErrorOf("ip6-mapped-source"), DecodeError::kBadAddress);
  EXPECT_EQ(DecodeIp({}).error(), DecodeError::kTooShort);
}

// Every proper prefix of every good packet is refused, and read no further than it goes (ASan).
TEST(WireIp, RefusesEveryPrefix) {
  for (const Sample& sample : Samples()) {
    const Bytes whole = FromHex(sample.hex);
    const auto good = DecodeIp(whole);
    if (!good) continue;
    for (std::size_t size = 0; size < good->whole().size(); ++size) {
      const Bytes prefix(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      const auto packet = DecodeIp(prefix);
      ASSERT_FALSE(packet.has_value()) << sample.name << " cut to " << size;
      const bool fixed_part = size < (good->destination.is_v4() ? 20u : 40u);
      EXPECT_EQ(packet.error() == DecodeError::kTooShort, fixed_part)
          << sample.name << " cut to " << size;
    }
  }
}

// A single flipped bit in an IPv4 header never leaves a good one (though it may make it IPv6).
TEST(WireIp, ChecksumCatchesEveryFlippedBit) {
  const Bytes good = SampleBytes("tcp4-ip-options");
  for (std::size_t bit = 0; bit < std::size_t{8} * 32; ++bit) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    const auto packet = DecodeIp(bad);
    EXPECT_FALSE(packet && packet->source.is_v4()) << "bit " << bit;
  }
}

TEST(WireIp, EncodesIpv4AsLinuxDoes) {
  const Bytes linux_packet = SampleBytes("linux4-syn-ts1-sack1-ws1");
  const auto packet = DecodeIp(linux_packet);
  ASSERT_TRUE(packet.has_value());
  const auto identification = static_cast<std::uint16_t>(
      std::to_integer<unsigned>(linux_packet[4]) << 8 | std::to_integer<unsigned>(linux_packet[5]));
  const IpHeader header{.source = packet->source,
                        .destination = packet->destination,
                        .protocol = 6,
                        .ttl = 64,
                        .tos = 0,
                        .identification = identification,
                        .dont_fragment = true};
  Bytes out(20, std::byte{0xee});
  EXPECT_EQ(EncodeIp(out, header, packet->payload.size()), 20u);
  EXPECT_TRUE(std::ranges::equal(out, packet->header));
}

TEST(WireIp, EncodesIpv6) {
  const IpHeader header{.source = V6(2),
                        .destination = V6(1),
                        .protocol = 6,
                        .ttl = 63,
                        .tos = 0x2e,
                        .identification = 7,
                        .dont_fragment = false};
  Bytes out(40, std::byte{0xee});
  EXPECT_EQ(EncodeIp(out, header, 0x1234), 40u);
  EXPECT_EQ(out,
            FromHex("62e000001234063f20010db800000000000000000000000220010db8000000000000000000"
                    "000001"));
}

TEST(WireIp, EncodesTheLargestLengths) {
  Bytes out(40);
  IpHeader header{.source = kA, .destination = kB, .protocol = 6};
  EncodeIp(out, header, 65515);
  EXPECT_EQ(out[2], std::byte{0xff});
  EXPECT_EQ(out[3], std::byte{0xff});
  header.source = V6(1);
  header.destination = V6(2);
  EncodeIp(out, header, 65535);
  EXPECT_EQ(out[4], std::byte{0xff});
  EXPECT_EQ(out[5], std::byte{0xff});
}

TEST(WireIp, EveryErrorHasItsWords) {
  EXPECT_STREQ(Describe(DecodeError::kTooShort), "too short");
  EXPECT_STREQ(Describe(DecodeError::kBadAddress), "bad address");
}

}  // namespace
}  // namespace estab::wire
