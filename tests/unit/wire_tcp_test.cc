#include "wire/tcp.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/prng.h"
#include "gtest/gtest.h"
#include "unit/wire_samples.h"

namespace estab::wire {
namespace {

using Bytes = std::vector<std::byte>;

// Decodes a sample; its bytes live as long as this does.
struct DecodedTcp {
  explicit DecodedTcp(std::string_view name) : bytes(SampleBytes(name)), ip(*DecodeIp(bytes)) {
    const auto decoded = DecodeTcp(ip.payload);
    EXPECT_TRUE(decoded.has_value()) << name;
    if (decoded) segment = *decoded;
  }
  const TcpOptions& options() const { return segment.options; }

  Bytes bytes;
  IpPacket ip;
  Segment segment;
};

Bytes EncodeOptions(const TcpOptions& options) {
  Segment segment;
  segment.options = options;
  Bytes out(TcpHeaderSize(segment), std::byte{0xee});
  EXPECT_EQ(EncodeTcp(out, segment), out.size());
  return {out.begin() + 20, out.end()};
}

TEST(WireTcp, DecodesTheFixedHeader) {
  const DecodedTcp d("tcp4-every-bit");
  EXPECT_EQ(d.segment.source_port, 40000);
  EXPECT_EQ(d.segment.destination_port, 80);
  EXPECT_EQ(d.segment.seq, 100u);
  EXPECT_EQ(d.segment.ack, 7u);
  EXPECT_EQ(d.segment.flags, 0x1ff);
  EXPECT_EQ(d.segment.reserved, 7);
  EXPECT_EQ(d.segment.window, 65535);
  EXPECT_EQ(d.segment.urgent, 3);
  EXPECT_EQ(d.segment.payload.size(), 6u);
  EXPECT_EQ(d.segment.length(), 8u);
}

TEST(WireTcp, ReservedBitsAreNoFlags) {
  Bytes tcp(20);
  tcp[12] = std::byte{0x5e};  // offset 5, the three reserved bits
  EXPECT_EQ(DecodeTcp(tcp)->flags, 0);
  EXPECT_EQ(DecodeTcp(tcp)->reserved, 7);
  tcp[12] = std::byte{0x51};
  EXPECT_EQ(DecodeTcp(tcp)->flags, kAe);
  EXPECT_EQ(DecodeTcp(tcp)->reserved, 0);
}

TEST(WireTcp, RefusesBadHeaderLengths) {
  for (const auto& [name, error] : {std::pair{"tcp4-offset-4", DecodeError::kBadHeaderLength},
                                    std::pair{"tcp4-offset-beyond", DecodeError::kBadHeaderLength},
                                    std::pair{"tcp4-19-bytes", DecodeError::kTooShort}}) {
    const Bytes bytes = SampleBytes(name);
    const auto segment = DecodeTcp(DecodeIp(bytes)->payload);
    ASSERT_FALSE(segment.has_value()) << name;
    EXPECT_EQ(segment.error(), error) << name;
  }
}

TEST(WireTcp, DecodesTheOptionsOfLinux) {
  const DecodedTcp syn("linux4-synack-all");
  EXPECT_TRUE(syn.options().has_mss);
  EXPECT_EQ(syn.options().mss, 1460);
  EXPECT_TRUE(syn.options().sack_permitted);
  EXPECT_TRUE(syn.options().has_timestamp);
  EXPECT_EQ(syn.options().ts_echo, 1u);
  EXPECT_TRUE(syn.options().has_window_scale);
  EXPECT_EQ(syn.options().window_scale, 10);
  EXPECT_FALSE(syn.options().has_fast_open);

  const DecodedTcp plain("linux4-syn-ts0-sack0-ws0");
  EXPECT_TRUE(plain.options().has_mss);
  EXPECT_FALSE(plain.options().sack_permitted);
  EXPECT_FALSE(plain.options().has_timestamp);
  EXPECT_FALSE(plain.options().has_window_scale);

  const DecodedTcp sack("linux4-sack-nots-3");
  ASSERT_EQ(sack.options().sack_count, 4);
  EXPECT_EQ(sack.options().sack[0].left, 801u);
  EXPECT_EQ(sack.options().sack[0].right, 811u);
  EXPECT_EQ(sack.options().sack[3].left, 201u);
  EXPECT_EQ(sack.options().sack[3].right, 211u);

  const DecodedTcp cookie("linux4-tfo-cookie-ts1");
  EXPECT_TRUE(cookie.options().has_fast_open);
  ASSERT_EQ(cookie.options().fast_open_size, 8);
  EXPECT_EQ(cookie.options().fast_open_cookie[0], 'a');
  EXPECT_EQ(cookie.options().fast_open_cookie[7], 'h');
  EXPECT_EQ(cookie.segment.payload.size(), 5u);
}

TEST(WireTcp, SkipsUnknownOptions) {
  const DecodedTcp d("tcp4-unknown-options");
  EXPECT_TRUE(d.options().has_mss);
  EXPECT_TRUE(d.options().fast_open_experimental);  // the one behind them is known
  EXPECT_EQ(d.options().fast_open_size, 0);
}

// What stops the reading leaves what came before it, and nothing behind it.
TEST(WireTcp, StopsAtBrokenOptions) {
  for (const char* name : {"tcp4-end-of-options", "tcp4-option-length-0", "tcp4-option-length-1",
                           "tcp4-option-beyond-end", "tcp4-option-cut-after-kind"}) {
    const DecodedTcp d(name);
    EXPECT_EQ(d.options().mss, 1460) << name;
    EXPECT_FALSE(d.options().has_window_scale) << name;
    EXPECT_FALSE(d.options().has_timestamp) << name;
  }
}

TEST(WireTcp, SkipsOptionsOfWrongLength) {
  const DecodedTcp d("tcp4-wrong-lengths");
  EXPECT_FALSE(d.options().has_mss);
  EXPECT_FALSE(d.options().sack_permitted);
  EXPECT_FALSE(d.options().has_timestamp);
  EXPECT_EQ(d.options().sack_count, 0);
  EXPECT_TRUE(d.options().has_window_scale);
  EXPECT_EQ(d.options().window_scale, 7);
}

TEST(WireTcp, TheLastOfAKindCounts) {
  EXPECT_EQ(DecodedTcp("tcp4-repeated-options").options().mss, 1460);
}

TEST(WireTcp, FastOpenCookieSizes) {
  const DecodedTcp request("tcp4-fast-open-request");
  EXPECT_TRUE(request.options().has_fast_open);
  EXPECT_EQ(request.options().fast_open_size, 0);
  EXPECT_FALSE(DecodedTcp("tcp4-fast-open-odd-cookie").options().has_fast_open);
  EXPECT_FALSE(DecodedTcp("tcp4-fast-open-long-cookie").options().has_fast_open);
  const DecodedTcp full("tcp4-fast-open-full-cookie");
  EXPECT_TRUE(full.options().has_fast_open);
  EXPECT_EQ(full.options().fast_open_size, 16);
  EXPECT_EQ(full.options().fast_open_cookie[15], 15);
}

// Every TCP packet of Linux, decoded and encoded again, is the same byte for byte.
TEST(WireTcp, EncodesAsLinuxDoes) {
  int seen = 0;
  for (const Sample& sample : kLinuxSamples) {
    const Bytes bytes = FromHex(sample.hex);
    const auto ip = DecodeIp(bytes);
    ASSERT_TRUE(ip.has_value()) << sample.name;
    if (!ip->Is(Protocol::kTcp)) continue;
    ++seen;
    const auto segment = DecodeTcp(ip->payload);
    ASSERT_TRUE(segment.has_value()) << sample.name;
    Bytes header(TcpHeaderSize(*segment), std::byte{0xee});
    ASSERT_EQ(EncodeTcp(header, *segment), header.size());
    ASSERT_EQ(header[16], std::byte{0});
    ASSERT_EQ(header[17], std::byte{0});
    const std::array<Slice, 1> payload{{{segment->payload.data(), segment->payload.size()}}};
    StoreTcpChecksum(header, TcpChecksum(ip->source, ip->destination, header, payload));
    EXPECT_TRUE(std::ranges::equal(header, ip->payload.first(header.size()))) << sample.name;
  }
  EXPECT_EQ(seen, 27);
}

// 16 combinations of what a SYN can carry.
TEST(WireTcp, LayoutOfEverySyn) {
  const std::string mss = "020405b4";
  for (int bits = 0; bits < 16; ++bits) {
    TcpOptions options;
    options.has_mss = true;
    options.mss = 1460;
    options.sack_permitted = (bits & 1) != 0;
    options.has_timestamp = (bits & 2) != 0;
    options.has_window_scale = (bits & 4) != 0;
    options.has_fast_open = (bits & 8) != 0;
    options.ts_value = 0x01020304;
    options.window_scale = 7;
    std::string expected = mss;
    if (options.has_timestamp) {
      expected += options.sack_permitted ? "0402" : "0101";
      expected += "080a0102030400000000";
    } else if (options.sack_permitted) {
      expected += "01010402";
    }
    if (options.has_window_scale) expected += "01030307";
    if (options.has_fast_open) expected += "22020101";
    EXPECT_EQ(EncodeOptions(options), FromHex(expected)) << "bits " << bits;
  }
}

TEST(WireTcp, SackBlocksThatFit) {
  for (int bits = 0; bits < 2; ++bits) {
    for (std::uint8_t count = 0; count <= 4; ++count) {
      TcpOptions options;
      options.has_timestamp = bits != 0;
      options.sack_count = count;
      options.sack = {{{1, 2}, {3, 4}, {5, 6}, {7, 8}}};
      const Bytes bytes = EncodeOptions(options);
      const unsigned blocks = bits != 0 ? std::min<unsigned>(count, 3) : count;
      EXPECT_EQ(bytes.size(), (bits != 0 ? 12u : 0u) + (blocks > 0 ? 4u + 8u * blocks : 0u));
      Bytes tcp(20);
      tcp[12] = static_cast<std::byte>((5 + bytes.size() / 4) << 4);
      tcp.insert(tcp.end(), bytes.begin(), bytes.end());
      const auto segment = DecodeTcp(tcp);
      ASSERT_TRUE(segment.has_value());
      ASSERT_EQ(segment->options.sack_count, blocks);
      for (std::size_t i = 0; i < blocks; ++i) {
        EXPECT_EQ(segment->options.sack[i].left, 2 * i + 1);
        EXPECT_EQ(segment->options.sack[i].right, 2 * i + 2);
      }
    }
  }
}

// Option 254 with the number 0xF989 (RFC 6994), as it was before it had a number of its own.
TEST(WireTcp, ExperimentalFastOpenIsReadAndWritten) {
  const DecodedTcp d("tcp4-experimental-fast-open");
  EXPECT_TRUE(d.options().has_fast_open && d.options().fast_open_experimental);
  ASSERT_EQ(d.options().fast_open_size, 8);
  EXPECT_EQ(d.options().fast_open_cookie[0], 1);
  EXPECT_EQ(d.options().fast_open_cookie[7], 8);
  TcpOptions options;
  options.has_fast_open = options.fast_open_experimental = true;
  options.fast_open_size = 6;
  options.fast_open_cookie = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(EncodeOptions(options), FromHex("fe0af9890102030405060101"));
}

TEST(WireTcp, FastOpenCookiePaddingAndFit) {
  TcpOptions options;
  options.has_fast_open = true;
  for (std::uint8_t size = 4; size <= 16; size = static_cast<std::uint8_t>(size + 2)) {
    options.fast_open_size = size;
    const Bytes bytes = EncodeOptions(options);
    EXPECT_EQ(bytes.size(), (2u + size + 3u) / 4 * 4);
    EXPECT_EQ(bytes[1], static_cast<std::byte>(2 + size));
    for (std::size_t i = 2u + size; i < bytes.size(); ++i) EXPECT_EQ(bytes[i], std::byte{1});
  }
  // The fullest SYN there is fills the header to the last byte.
  options.has_mss = options.sack_permitted = options.has_timestamp = true;
  options.has_window_scale = true;
  options.fast_open_size = 16;
  EXPECT_EQ(EncodeOptions(options).size(), 40u);
  // What does not fit, or is no cookie, is left out.
  options.sack_count = 1;
  EXPECT_EQ(EncodeOptions(options).size(), 32u);
  options.sack_count = 0;
  options.fast_open_size = 5;
  EXPECT_EQ(EncodeOptions(options).size(), 20u);
}

TEST(WireTcp, ChecksumsOfLinuxAreValid) {
  for (const Sample& sample : Samples()) {
    const Bytes bytes = FromHex(sample.hex);
    const auto ip = DecodeIp(bytes);
    if (!ip || !ip->Is(Protocol::kTcp) || ip->fragment) continue;
    const bool bad = sample.name == "tcp4-bad-checksum" || sample.name == "tcp4-19-bytes";
    EXPECT_EQ(TcpChecksumValid(*ip), !bad) << sample.name;
  }
}

TEST(WireTcp, ChecksumOverOddSlices) {
  const Bytes bytes = SampleBytes("tcp4-odd-data");
  const auto ip = DecodeIp(bytes);
  Bytes header(ip->payload.begin(), ip->payload.begin() + 20);
  StoreTcpChecksum(header, 0);
  const std::byte* data = ip->payload.data() + 20;
  const std::array<Slice, 4> slices{{{data, 1}, {data + 1, 0}, {data + 1, 3}, {data + 4, 1}}};
  StoreTcpChecksum(header, TcpChecksum(ip->source, ip->destination, header, slices));
  EXPECT_TRUE(std::ranges::equal(header, ip->payload.first(20)));
}

// A link that fills in checksums sums the segment with the partial one in its field.
TEST(WireTcp, PartialChecksum) {
  const Bytes bytes = SampleBytes("linux6-syn");
  const auto ip = DecodeIp(bytes);
  Bytes tcp(ip->payload.begin(), ip->payload.end());
  const auto length = static_cast<std::uint32_t>(tcp.size());
  StoreTcpChecksum(tcp, TcpPartialChecksum(ip->source, ip->destination, length));
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < tcp.size(); i += 2) {
    sum += std::to_integer<std::uint32_t>(tcp[i]) << 8 | std::to_integer<std::uint32_t>(tcp[i + 1]);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  StoreTcpChecksum(tcp, static_cast<std::uint16_t>(~sum));
  EXPECT_TRUE(std::ranges::equal(tcp, ip->payload));
}

// Cut anywhere, whatever the header length field then says, nothing is read past the end (ASan) and
// nothing is made up: options that are found are found in the whole header too.
TEST(WireTcp, EveryPrefixWithEveryHeaderLength) {
  for (const Sample& sample : Samples()) {
    const Bytes whole = FromHex(sample.hex);
    const auto ip = DecodeIp(whole);
    if (!ip || !ip->Is(Protocol::kTcp)) continue;
    for (std::size_t size = 0; size <= ip->payload.size(); ++size) {
      Bytes prefix(ip->payload.begin(), ip->payload.begin() + static_cast<std::ptrdiff_t>(size));
      for (unsigned words = 0; words < 16; ++words) {
        if (size > 12) prefix[12] = static_cast<std::byte>(words << 4);
        const auto segment = DecodeTcp(prefix);
        const bool good = size >= 20 && words >= 5 && std::size_t{4} * words <= size;
        ASSERT_EQ(segment.has_value(), good) << sample.name << " " << size << " " << words;
        if (good) {
          EXPECT_EQ(segment->payload.size(), size - std::size_t{4} * words);
        }
      }
    }
  }
}

// Random options, encoded, are read back as they were, and reach the size that was announced.
TEST(WireTcp, RandomSegmentsComeBack) {
  for (std::uint64_t seed = 1; seed <= 5000; ++seed) {
    Prng random(seed);
    const auto bits = random.Next();
    Segment s;
    s.source_port = static_cast<std::uint16_t>(random.Next());
    s.destination_port = static_cast<std::uint16_t>(random.Next());
    s.seq = static_cast<std::uint32_t>(random.Next());
    s.ack = static_cast<std::uint32_t>(random.Next());
    s.flags = static_cast<std::uint16_t>(random.Below(0x200));
    s.reserved = static_cast<std::uint8_t>(random.Below(8));
    s.window = static_cast<std::uint16_t>(random.Next());
    s.urgent = static_cast<std::uint16_t>(random.Next());
    s.options.has_mss = (bits & 1) != 0;
    s.options.mss = static_cast<std::uint16_t>(random.Next());
    s.options.has_window_scale = (bits & 2) != 0;
    s.options.window_scale = static_cast<std::uint8_t>(random.Next());
    s.options.sack_permitted = (bits & 4) != 0;
    s.options.has_timestamp = (bits & 8) != 0;
    s.options.ts_value = static_cast<std::uint32_t>(random.Next());
    s.options.ts_echo = static_cast<std::uint32_t>(random.Next());
    Bytes out(TcpHeaderSize(s));
    ASSERT_EQ(EncodeTcp(out, s), out.size());
    const auto back = DecodeTcp(out);
    ASSERT_TRUE(back.has_value()) << "seed " << seed;
    EXPECT_EQ(back->source_port, s.source_port);
    EXPECT_EQ(back->destination_port, s.destination_port);
    EXPECT_EQ(back->seq, s.seq);
    EXPECT_EQ(back->ack, s.ack);
    EXPECT_EQ(back->flags, s.flags);
    EXPECT_EQ(back->reserved, s.reserved);
    EXPECT_EQ(back->window, s.window);
    EXPECT_EQ(back->urgent, s.urgent);
    EXPECT_EQ(back->options.has_mss, s.options.has_mss);
    EXPECT_EQ(back->options.mss, s.options.has_mss ? s.options.mss : 0);
    EXPECT_EQ(back->options.has_window_scale, s.options.has_window_scale);
    EXPECT_EQ(back->options.window_scale, s.options.has_window_scale ? s.options.window_scale : 0);
    EXPECT_EQ(back->options.sack_permitted, s.options.sack_permitted);
    EXPECT_EQ(back->options.has_timestamp, s.options.has_timestamp);
    EXPECT_EQ(back->options.ts_value, s.options.has_timestamp ? s.options.ts_value : 0);
    EXPECT_EQ(back->options.ts_echo, s.options.has_timestamp ? s.options.ts_echo : 0);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace estab::wire
