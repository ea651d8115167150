// Segments that come and go in rows: what is known of one from the one before it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>
#include <string>
#include <tuple>
#include <vector>

#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/header_series.h"
#include "wire/ip.h"
#include "wire/last_segment.h"
#include "wire/tcp.h"

namespace estab::wire {
namespace {

using Packet = std::vector<std::byte>;

IpHeader HeaderOf(bool v6, bool dont_fragment = true) {
  IpHeader ip;
  ip.source = v6 ? *IpAddress::Parse("2001:db8::1") : *IpAddress::Parse("192.0.2.1");
  ip.destination = v6 ? *IpAddress::Parse("2001:db8::2") : *IpAddress::Parse("192.0.2.2");
  ip.protocol = static_cast<std::uint8_t>(Protocol::kTcp);
  ip.dont_fragment = dont_fragment;
  ip.identification = dont_fragment ? 0 : 65534;
  return ip;
}

Segment SegmentOf(std::uint32_t seq, bool timestamps = true) {
  Segment segment;
  segment.source_port = 4000;
  segment.destination_port = 80;
  segment.seq = seq;
  segment.ack = 77;
  segment.flags = kAck;
  segment.window = 500;
  segment.options.has_timestamp = timestamps;
  segment.options.ts_value = timestamps ? 1000 : 0;
  segment.options.ts_echo = timestamps ? 900 : 0;
  return segment;
}

std::vector<std::byte> Text(std::size_t size) {
  std::vector<std::byte> text(size);
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<std::byte>(i * 7 + 1);
  return text;
}

Packet Encode(const IpHeader& ip, const Segment& segment, std::span<const std::byte> payload) {
  const std::size_t ip_size = IpHeaderSize(ip.destination);
  Packet packet(ip_size + TcpHeaderSize(segment) + payload.size());
  const std::size_t tcp_size = EncodeTcp(std::span(packet).subspan(ip_size), segment);
  EncodeIp(packet, ip, tcp_size + payload.size());
  std::copy(payload.begin(), payload.end(),
            packet.begin() + static_cast<std::ptrdiff_t>(ip_size + tcp_size));
  const auto tcp = std::span(packet).subspan(ip_size, tcp_size);
  const Slice slice{payload.data(), payload.size()};
  StoreTcpChecksum(tcp, TcpChecksum(ip.source, ip.destination, tcp, std::span(&slice, 1)));
  return packet;
}

// What a series writes is what each segment's own headers would be.
TEST(HeaderSeries, IsEachSegmentByItself) {
  for (const bool v6 : {false, true}) {
    for (const bool dont_fragment : {true, false}) {
      for (const std::size_t piece : {std::size_t{1448}, std::size_t{7}}) {
        const IpHeader ip = HeaderOf(v6, dont_fragment);
        Segment segment = SegmentOf(0xffffff00u);
        const std::uint16_t last_flags = kAck | kPsh;
        const auto text = Text(3 * piece + 5);
        HeaderSeries series(ip, segment, false);
        for (std::uint32_t n = 0; n < 4; ++n) {
          const std::size_t at = n * piece;
          const std::size_t size = std::min(piece, text.size() - at);
          const auto payload = std::span(text).subspan(at, size);
          // In two slices, the first of odd length.
          const Slice slices[] = {{payload.data(), 1}, {payload.data() + 1, size - 1}};
          std::array<std::byte, 100> out;
          const auto flags = n == 3 ? last_flags : segment.flags;
          const auto headers = series.Write(
              out, {n, segment.seq + static_cast<std::uint32_t>(at), flags}, slices, size);
          IpHeader own_ip = ip;
          if (!dont_fragment) {
            own_ip.identification = static_cast<std::uint16_t>(ip.identification + n);
          }
          Segment own = segment;
          own.seq += static_cast<std::uint32_t>(at);
          own.flags = flags;
          const Packet whole = Encode(own_ip, own, payload);
          ASSERT_EQ(headers.size() + size, whole.size());
          EXPECT_EQ(std::memcmp(headers.data(), whole.data(), headers.size()), 0)
              << "segment " << n << " piece " << piece << " v6 " << v6;
        }
      }
    }
  }
}

TEST(HeaderSeries, LeavesTheRestOfTheChecksumToTheLink) {
  const IpHeader ip = HeaderOf(false);
  const Segment segment = SegmentOf(1);
  const auto text = Text(100);
  HeaderSeries series(ip, segment, true);
  std::array<std::byte, 100> out;
  const Slice slice{text.data(), 100};
  const auto headers = series.Write(out, {0, 1, segment.flags}, std::span(&slice, 1), 100);
  EXPECT_EQ(Load16(&headers[20 + kTcpChecksumOffset]),
            TcpPartialChecksum(ip.source, ip.destination, 32 + 100));
}

class LastSegmentTest : public testing::TestWithParam<std::tuple<bool, bool>> {
 protected:
  bool v6() const { return std::get<0>(GetParam()); }
  bool timestamps() const { return std::get<1>(GetParam()); }
  std::size_t ip_size() const { return v6() ? 40 : 20; }

  // As a stack does with what it has decoded.
  void Take(const Packet& packet) {
    const auto ip = DecodeIp(packet);
    ASSERT_TRUE(ip);
    const auto segment = DecodeTcp(ip->payload);
    ASSERT_TRUE(segment);
    last_.Take(*ip, *segment);
  }
  void TakeFirst() { Take(Encode(HeaderOf(v6()), SegmentOf(1000, timestamps()), Text(100))); }

  LastSegment last_;
};

TEST_P(LastSegmentTest, NothingIsKnownBeforeTheFirst) {
  const Packet packet = Encode(HeaderOf(v6()), SegmentOf(1000, timestamps()), Text(100));
  EXPECT_EQ(last_.Next(packet, false), nullptr);
  Take(packet);
  EXPECT_NE(last_.Next(packet, false), nullptr);
  last_.Clear();
  EXPECT_EQ(last_.Next(packet, false), nullptr);
}

// Whatever may differ from segment to segment is read; what is told is what decoding would tell.
TEST_P(LastSegmentTest, TellsWhatDecodingWould) {
  TakeFirst();
  for (const std::size_t size : std::initializer_list<std::size_t>{0, 1, 3, 8, 1000}) {
    Segment next = SegmentOf(0xfffffff0u, timestamps());
    next.ack = 0x89abcdef;
    next.flags = kAck | kPsh | kFin | kUrg | kEce;
    next.window = 65535;
    next.urgent = 3;
    next.reserved = 5;
    if (timestamps()) next.options.ts_value = 0x12345678;
    const auto text = Text(size);
    Packet packet = Encode(HeaderOf(v6()), next, text);
    const Segment* told = last_.Next(packet, false);
    ASSERT_NE(told, nullptr) << size;
    const auto decoded = DecodeTcp(DecodeIp(packet)->payload);
    EXPECT_EQ(told->seq, decoded->seq);
    EXPECT_EQ(told->ack, decoded->ack);
    EXPECT_EQ(told->flags, decoded->flags);
    EXPECT_EQ(told->reserved, decoded->reserved);
    EXPECT_EQ(told->window, decoded->window);
    EXPECT_EQ(told->urgent, decoded->urgent);
    EXPECT_EQ(told->source_port, decoded->source_port);
    EXPECT_EQ(told->destination_port, decoded->destination_port);
    EXPECT_EQ(told->options.has_timestamp, timestamps());
    EXPECT_EQ(told->options.ts_value, decoded->options.ts_value);
    EXPECT_EQ(told->options.ts_echo, decoded->options.ts_echo);
    EXPECT_TRUE(std::ranges::equal(told->payload, text));
    // Padding of the link behind the packet is not payload.
    packet.resize(packet.size() + 9);
    ASSERT_NE(last_.Next(packet, false), nullptr);
    EXPECT_EQ(last_.Next(packet, false)->payload.size(), size);
  }
}

TEST_P(LastSegmentTest, DamageIsSeen) {
  TakeFirst();
  const Packet good = Encode(HeaderOf(v6()), SegmentOf(2000, timestamps()), Text(64));
  ASSERT_NE(last_.Next(good, false), nullptr);
  for (std::size_t i = 0; i < good.size(); ++i) {
    Packet bad = good;
    bad[i] ^= std::byte{0x10};
    EXPECT_EQ(last_.Next(bad, false), nullptr) << "byte " << i;
  }
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_EQ(last_.Next(std::span(good).first(size), false), nullptr) << size;
  }
}

TEST_P(LastSegmentTest, ALinkMayVouchForTheChecksum) {
  TakeFirst();
  Packet packet = Encode(HeaderOf(v6()), SegmentOf(2000, timestamps()), Text(64));
  packet.back() ^= std::byte{1};
  EXPECT_EQ(last_.Next(packet, false), nullptr);
  EXPECT_NE(last_.Next(packet, true), nullptr);
}

// Each of these is for decoding to judge.
TEST_P(LastSegmentTest, OthersAreNotAlike) {
  TakeFirst();
  const auto text = Text(64);
  const auto alike = [&](const IpHeader& ip, const Segment& segment) {
    return last_.Next(Encode(ip, segment, text), false) != nullptr;
  };
  IpHeader ip = HeaderOf(v6());
  Segment segment = SegmentOf(2000, timestamps());
  EXPECT_TRUE(alike(ip, segment));
  ip.tos = 3;
  EXPECT_FALSE(alike(ip, segment));
  ip = HeaderOf(v6());
  ip.ttl = 63;
  EXPECT_FALSE(alike(ip, segment));
  ip = HeaderOf(v6());
  std::swap(ip.source, ip.destination);
  EXPECT_FALSE(alike(ip, segment));
  ip = HeaderOf(v6());
  if (!v6()) {
    ip.dont_fragment = false;
    EXPECT_FALSE(alike(ip, segment));
    ip.dont_fragment = true;
  }
  segment.source_port = 4001;
  EXPECT_FALSE(alike(ip, segment));
  segment = SegmentOf(2000, timestamps());
  segment.destination_port = 81;
  EXPECT_FALSE(alike(ip, segment));
  EXPECT_FALSE(alike(ip, SegmentOf(2000, !timestamps())));
  segment = SegmentOf(2000, timestamps());
  segment.options.sack_count = 1;
  segment.options.sack[0] = {1, 2};
  EXPECT_FALSE(alike(ip, segment));
}

// Options that most segments do not carry make a segment no example for others.
TEST_P(LastSegmentTest, OnlyPlainOnesServe) {
  Segment segment = SegmentOf(1000, timestamps());
  segment.options.sack_count = 1;
  segment.options.sack[0] = {1, 2};
  const Packet with_sack = Encode(HeaderOf(v6()), segment, Text(10));
  TakeFirst();
  Take(with_sack);
  EXPECT_EQ(last_.Next(with_sack, false), nullptr);
  if (v6()) return;
  // A datagram that was put together of fragments still says what its first one said.
  Packet packet = Encode(HeaderOf(false, false), SegmentOf(1000, timestamps()), Text(10));
  auto ip = DecodeIp(packet);
  const auto decoded = DecodeTcp(ip->payload);
  packet[6] |= std::byte{0x20};
  last_.Take(*ip, *decoded);
  EXPECT_EQ(last_.Next(packet, true), nullptr);
}

INSTANTIATE_TEST_SUITE_P(Forms, LastSegmentTest, testing::Combine(testing::Bool(), testing::Bool()),
                         [](const auto& form) {
                           return std::string(std::get<0>(form.param) ? "Ipv6" : "Ipv4") +
                                  (std::get<1>(form.param) ? "Timestamps" : "Plain");
                         });

}  // namespace
}  // namespace estab::wire
