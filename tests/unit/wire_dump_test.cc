#include "wire/dump.h"

#include <array>
#include <string>

#include "gtest/gtest.h"
#include "unit/wire_samples.h"

namespace estab::wire {
namespace {

using Bytes = std::vector<std::byte>;

std::string Dump(const Bytes& bytes) {
  std::array<char, kDumpSize> text{};
  return std::string(DumpPacket(bytes, text));
}
std::string Dump(std::string_view name) { return Dump(SampleBytes(name)); }

TEST(WireDump, Tcp) {
  EXPECT_EQ(Dump("tcp4-bare-ack"),
            "192.0.2.2:40000 > 192.0.2.1:80 . seq 100 ack 7 win 65535 len 0");
  EXPECT_EQ(Dump("tcp4-no-flags"), "192.0.2.2:40000 > 192.0.2.1:80 none seq 100 win 65535 len 0");
  EXPECT_EQ(Dump("tcp4-every-bit"),
            "192.0.2.2:40000 > 192.0.2.1:80 FSRP.UEWe seq 100 ack 7 win 65535 urg 3 reserved 7 "
            "len 6");
  EXPECT_EQ(Dump("tcp4-bad-checksum"),
            "192.0.2.2:40000 > 192.0.2.1:80 . seq 100 ack 7 win 65535 len 0 bad-checksum");
  EXPECT_EQ(Dump("tcp6-syn"),
            "[2001:db8::2]:40000 > [2001:db8::1]:80 S seq 100 win 65535 len 0 <mss 1440>");
}

// The options as they lie there: behind "len".
std::string Options(std::string_view name) {
  const std::string text = Dump(name);
  return text.substr(text.find(" len "));
}

TEST(WireDump, Options) {
  EXPECT_NE(Options("linux4-synack-all").find(" len 0 <mss 1460,sackOK,TS "), std::string::npos);
  EXPECT_NE(Options("linux4-synack-all").find(" 1,nop,wscale 10>"), std::string::npos);
  EXPECT_EQ(Options("linux4-sack-nots-1"), " len 0 <nop,nop,sack {401:411}{201:211}>");
  EXPECT_EQ(Options("tcp4-fast-open-request"), " len 0 <mss 1460,fastopen,nop,nop>");
  EXPECT_EQ(Options("tcp4-fast-open-odd-cookie"), " len 0 <mss 1460,fastopen 0102030405,nop>");
  EXPECT_EQ(Options("tcp4-end-of-options"), " len 0 <mss 1460,eol>");
  EXPECT_EQ(Options("tcp4-option-length-0"), " len 0 <mss 1460,bad-option>");
  EXPECT_EQ(Options("tcp4-option-cut-after-kind"), " len 0 <mss 1460,nop,nop,nop,bad-option>");
  EXPECT_EQ(Options("tcp4-unknown-options"),
            " len 0 <option-253 deadbeef,mss 1460,option-254 f989,option-19>");
}

TEST(WireDump, OtherProtocols) {
  EXPECT_EQ(Dump("udp4-odd"), "192.0.2.2:1000 > 192.0.2.1:2000 udp len 3");
  EXPECT_EQ(Dump("icmp4-echo"), "192.0.2.2 > 192.0.2.1 icmp echo request id 7 seq 1 len 8");
  EXPECT_EQ(Dump("linux6-echo-reply"),
            "2001:db8::1 > 2001:db8::2 icmp6 echo reply id 7 seq 1 len 9");
  EXPECT_EQ(Dump("linux4-port-unreachable"),
            "192.0.2.1 > 192.0.2.2 icmp port unreachable (udp 192.0.2.2:1000 > 192.0.2.1:2000)");
  EXPECT_EQ(Dump("icmp6-packet-too-big"),
            "2001:db8::2 > 2001:db8::1 icmp6 packet too big mtu 1300 (tcp [2001:db8::1]:80 > "
            "[2001:db8::2]:40000 seq 16909060)");
  EXPECT_EQ(Dump("icmp4-redirect"), "192.0.2.2 > 192.0.2.1 icmp type 5 code 1 len 28");
  EXPECT_EQ(Dump("ip4-later-fragment"), "192.0.2.2 > 192.0.2.1 fragment proto 6 len 16");
  EXPECT_EQ(Dump("ip4-protocol-132"), "192.0.2.2 > 192.0.2.1 proto 132 len 4");
}

TEST(WireDump, Malformed) {
  EXPECT_EQ(Dump(Bytes{}), "malformed: too short");
  EXPECT_EQ(Dump("ip4-version-5"), "malformed: bad version");
  EXPECT_EQ(Dump("ip4-bad-checksum"), "malformed: bad header checksum");
  EXPECT_EQ(Dump("ip6-segments-left"), "malformed: bad extension header");
  EXPECT_EQ(Dump("tcp4-offset-beyond"), "malformed: tcp bad header length");
  EXPECT_EQ(Dump("udp4-short"), "malformed: udp too short");
  EXPECT_EQ(Dump("icmp4-short"), "malformed: icmp too short");
}

// A small space gets the beginning, and nothing is written behind it.
TEST(WireDump, CutsWhatDoesNotFit) {
  const Bytes bytes = SampleBytes("linux4-synack-all");
  const std::string whole = Dump(bytes);
  for (std::size_t size = 0; size <= whole.size() + 1; ++size) {
    std::vector<char> space(size);
    EXPECT_EQ(DumpPacket(bytes, space), whole.substr(0, size));
  }
}

// The longest lines of TCP there are: kDumpSize has room for them.
TEST(WireDump, TheLongestLineFits) {
  Bytes packet = FromHex("6000000000000640");
  packet.resize(40 + 60, std::byte{0xff});
  packet[4] = std::byte{0};
  packet[5] = std::byte{60};
  for (std::size_t i = 8; i < 40; ++i) packet[i] = std::byte{0xfd};
  for (std::size_t i = 60; i < 100; i += 2) packet[i + 1] = std::byte{2};  // option-255, empty
  const std::string text = Dump(packet);
  EXPECT_LT(text.size(), kDumpSize);
  EXPECT_TRUE(text.ends_with("option-255> bad-checksum")) << text;
}

// Whatever the packet, cut anywhere: a line of printable text, and no read past the end (ASan).
TEST(WireDump, EveryPrefixIsPrintable) {
  for (const Sample& sample : Samples()) {
    const Bytes whole = FromHex(sample.hex);
    for (std::size_t size = 0; size <= whole.size(); ++size) {
      const Bytes prefix(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      const std::string text = Dump(prefix);
      EXPECT_FALSE(text.empty());
      for (const char c : text) ASSERT_TRUE(c >= ' ' && c <= '~') << sample.name << " " << size;
    }
  }
}

}  // namespace
}  // namespace estab::wire
