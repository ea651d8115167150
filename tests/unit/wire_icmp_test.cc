#include "wire/icmp.h"

#include <algorithm>
#include <string>

#include "gtest/gtest.h"
#include "unit/wire_samples.h"
#include "wire/checksum.h"

namespace estab::wire {
namespace {

using Bytes = std::vector<std::byte>;

struct Decoded {
  explicit Decoded(std::string_view name) : bytes(SampleBytes(name)), ip(*DecodeIp(bytes)) {}
  explicit Decoded(Bytes b) : bytes(std::move(b)), ip(*DecodeIp(bytes)) {}
  Bytes bytes;
  IpPacket ip;
};

Bytes Reply(const IpPacket& request) {
  Bytes out(2000, std::byte{0xee});
  const auto size = EchoReply(request, out);
  out.resize(size.value_or(0));
  return out;
}

// The answer of Linux to the same request, but for identification, flow label and "don't fragment".
TEST(WireIcmp, EchoReplyIsThatOfLinux) {
  for (const auto& [request, reply] : {std::pair{"icmp4-echo", "linux4-echo-reply"},
                                       std::pair{"icmp4-echo-odd", "linux4-echo-reply-odd"},
                                       std::pair{"icmp6-echo", "linux6-echo-reply"}}) {
    const Decoded asked(request);
    const Decoded expected(reply);
    const Decoded answer(Reply(asked.ip));
    EXPECT_EQ(answer.ip.source, expected.ip.source) << request;
    EXPECT_EQ(answer.ip.destination, expected.ip.destination) << request;
    EXPECT_EQ(answer.ip.protocol, expected.ip.protocol) << request;
    EXPECT_EQ(answer.ip.ttl, expected.ip.ttl) << request;
    EXPECT_EQ(answer.ip.tos, expected.ip.tos) << request;
    EXPECT_TRUE(std::ranges::equal(answer.ip.payload, expected.ip.payload)) << request;
  }
}

TEST(WireIcmp, NoReplyToWhatIsNoEchoRequest) {
  for (const char* name : {"linux4-echo-reply", "linux6-echo-reply", "icmp4-short", "udp4-odd",
                           "linux4-port-unreachable", "icmp6-neighbour-solicitation"}) {
    EXPECT_TRUE(Reply(Decoded(name).ip).empty()) << name;
  }
}

TEST(WireIcmp, NoReplyToACorruptRequest) {
  for (const char* name : {"icmp4-echo-odd", "icmp6-echo"}) {
    const Decoded good(name);
    for (std::size_t i = good.ip.header.size(); i < good.bytes.size(); ++i) {
      Bytes bytes = good.bytes;
      bytes[i] ^= std::byte{0x10};
      EXPECT_TRUE(Reply(Decoded(bytes).ip).empty()) << name << " byte " << i;
    }
  }
}

TEST(WireIcmp, NoReplyUnlessFromOneHostToOneHost) {
  const Decoded v4("icmp4-echo");
  for (const std::uint32_t address : {0xe0000001u, 0xffffffffu, 0u}) {
    IpPacket packet = v4.ip;
    packet.destination = IpAddress::V4(address);
    EXPECT_TRUE(Reply(packet).empty()) << std::hex << address;
    packet = v4.ip;
    packet.source = IpAddress::V4(address);
    EXPECT_TRUE(Reply(packet).empty()) << std::hex << address;
  }
  IpPacket fragment = v4.ip;
  fragment.fragment = true;
  EXPECT_TRUE(Reply(fragment).empty());
  // The family decides which ICMP it is.
  Decoded v6("icmp6-echo");
  v6.ip.protocol = 1;
  EXPECT_TRUE(Reply(v6.ip).empty());
}

TEST(WireIcmp, ReplyMustFit) {
  const Decoded request("icmp4-echo-odd");
  for (std::size_t size = 0; size <= request.bytes.size(); ++size) {
    Bytes out(size);
    EXPECT_EQ(EchoReply(request.ip, out).has_value(), size == request.bytes.size()) << size;
  }
}

TEST(WireIcmp, ReplyKeepsDscpAndClearsEcn) {
  Decoded request("icmp4-echo");
  request.ip.tos = 0xbb;
  EXPECT_EQ(Decoded(Reply(request.ip)).ip.tos, 0xb8);
}

// RFC 792 knows code 0 alone; Linux answers any, with the same.
TEST(WireIcmp, ReplyKeepsTheCode) {
  Bytes bytes = SampleBytes("icmp4-echo");
  bytes[21] = std::byte{9};
  const unsigned checksum = std::to_integer<unsigned>(bytes[23]);
  bytes[23] = static_cast<std::byte>(checksum - 9);
  const Decoded reply(Reply(Decoded(bytes).ip));
  EXPECT_EQ(reply.ip.payload[0], std::byte{0});
  EXPECT_EQ(reply.ip.payload[1], std::byte{9});
}

struct ErrorCase {
  const char* name;
  std::uint8_t type;
  std::uint8_t code;
  std::uint32_t mtu;
};

TEST(WireIcmp, DecodesErrorsAboutTcp) {
  const ErrorCase cases[] = {{"icmp4-net-unreachable", 3, 0, 0},
                             {"icmp4-host-unreachable", 3, 1, 0},
                             {"icmp4-fragmentation-needed", 3, 4, 1400},
                             {"icmp4-time-exceeded", 11, 0, 0},
                             {"icmp4-parameter-problem", 12, 0, 0},
                             {"icmp4-quotes-ip-options", 3, 3, 0},
                             {"icmp6-no-route", 1, 0, 0},
                             {"icmp6-packet-too-big", 2, 0, 1300},
                             {"icmp6-time-exceeded", 3, 0, 0},
                             {"icmp6-parameter-problem", 4, 1, 0},
                             {"icmp6-quotes-extension", 1, 4, 0}};
  for (const ErrorCase& c : cases) {
    const Decoded packet(c.name);
    const auto error = DecodeIcmpError(packet.ip);
    ASSERT_TRUE(error.has_value()) << c.name;
    EXPECT_EQ(error->type, c.type) << c.name;
    EXPECT_EQ(error->code, c.code) << c.name;
    EXPECT_EQ(error->mtu, c.mtu) << c.name;
    EXPECT_EQ(error->v6, !packet.ip.source.is_v4()) << c.name;
    EXPECT_EQ(error->source, packet.ip.destination) << c.name;
    EXPECT_EQ(error->destination, packet.ip.source) << c.name;
    EXPECT_EQ(error->protocol, 6) << c.name;
    EXPECT_EQ(error->source_port, 80) << c.name;
    EXPECT_EQ(error->destination_port, 40000) << c.name;
    EXPECT_EQ(error->seq, 0x01020304u) << c.name;
  }
}

TEST(WireIcmp, DecodesThePortUnreachableOfLinux) {
  for (const char* name : {"linux4-port-unreachable", "linux6-port-unreachable"}) {
    const auto error = DecodeIcmpError(Decoded(name).ip);
    ASSERT_TRUE(error.has_value()) << name;
    EXPECT_EQ(error->protocol, 17) << name;
    EXPECT_EQ(error->source_port, 1000) << name;
    EXPECT_EQ(error->destination_port, 2000) << name;
    EXPECT_EQ(error->seq, 0u) << name;
  }
}

TEST(WireIcmp, IgnoresOtherMessagesAndUselessQuotes) {
  for (const char* name :
       {"icmp4-quote-7-bytes", "icmp4-quote-later-fragment", "icmp4-quote-other-family",
        "icmp4-redirect", "icmp4-short", "icmp6-quote-7-bytes", "icmp6-quote-later-fragment",
        "icmp6-neighbour-solicitation", "icmp4-echo", "linux6-echo-reply", "linux6-syn"}) {
    EXPECT_FALSE(DecodeIcmpError(Decoded(name).ip).has_value()) << name;
  }
}

TEST(WireIcmp, IgnoresErrorsWithAWrongChecksum) {
  for (const char* name : {"icmp4-host-unreachable", "icmp6-no-route"}) {
    const Decoded good(name);
    for (std::size_t i = good.ip.header.size(); i < good.bytes.size(); ++i) {
      Bytes bytes = good.bytes;
      bytes[i] ^= std::byte{0x01};
      EXPECT_FALSE(DecodeIcmpError(Decoded(bytes).ip).has_value()) << name << " byte " << i;
    }
  }
}

// Every quote length, with a right checksum: found from 8 bytes of TCP on, never read past the end.
TEST(WireIcmp, QuotesOfEveryLength) {
  for (const char* name : {"tcp4-odd-data", "tcp4-ip-options", "tcp6-syn", "tcp6-hop-by-hop"}) {
    const Decoded offending(name);
    const IpPacket& ip = offending.ip;
    const bool v4 = ip.source.is_v4();
    const std::size_t overhead = (v4 ? 20u : 40u) + 8u;
    const std::size_t least = overhead + ip.header.size() + 8;
    for (std::size_t room = 0; room <= overhead + offending.bytes.size() + 5; ++room) {
      Bytes out(room);
      const std::size_t size = EncodePortUnreachable(ip, out, ip.destination);
      EXPECT_EQ(size, room < least ? 0 : std::min(room, overhead + offending.bytes.size()))
          << name << " " << room;
      if (size == 0) continue;
      out.resize(size);
      const Decoded packet(Bytes(out.begin(), out.end()));
      const auto error = DecodeIcmpError(packet.ip);
      ASSERT_TRUE(error.has_value()) << name << " " << room;
      EXPECT_EQ(error->code, v4 ? 3 : 4);
      EXPECT_EQ(error->destination_port, 80);
      EXPECT_EQ(error->seq, 100u);
    }
  }
}

// The quoted part of a message, cut at every length and with its checksum made right again.
TEST(WireIcmp, CutQuotesWithARightChecksum) {
  for (const char* name : {"icmp4-quotes-ip-options", "icmp6-quotes-extension"}) {
    const Decoded whole(name);
    for (std::size_t cut = 8; cut <= whole.ip.payload.size(); ++cut) {
      Bytes message(whole.ip.payload.begin(),
                    whole.ip.payload.begin() + static_cast<std::ptrdiff_t>(cut));
      message[2] = message[3] = std::byte{0};
      IpPacket packet = whole.ip;
      Checksum checksum;
      if (!packet.source.is_v4()) {
        checksum.AddPseudoHeader(packet.source, packet.destination, 58,
                                 static_cast<std::uint32_t>(cut));
      }
      checksum.Add(message);
      message[2] = static_cast<std::byte>(checksum.Finish() >> 8);
      message[3] = static_cast<std::byte>(checksum.Finish() & 0xff);
      packet.payload = message;
      EXPECT_EQ(DecodeIcmpError(packet).has_value(), cut == whole.ip.payload.size())
          << name << " " << cut;
    }
  }
}

TEST(WireIcmp, PortUnreachableIsThatOfLinux) {
  for (const auto& [offending, expected] : {std::pair{"udp4-odd", "linux4-port-unreachable"},
                                            std::pair{"udp6-odd", "linux6-port-unreachable"}}) {
    const Decoded request(offending);
    const Decoded reply(expected);
    Bytes out(1500);
    out.resize(EncodePortUnreachable(request.ip, out, request.ip.destination));
    const Decoded ours(out);
    EXPECT_EQ(ours.ip.tos, reply.ip.tos) << offending;
    EXPECT_EQ(ours.ip.destination, reply.ip.destination) << offending;
    EXPECT_TRUE(std::ranges::equal(ours.ip.payload, reply.ip.payload)) << offending;
  }
}

TEST(WireIcmp, ErrorsQuoteNoMoreThanAllowed) {
  Bytes large(20 + 2000);
  EncodeIp(large,
           {.source = IpAddress::V4(0xc0000202),
            .destination = IpAddress::V4(0xc0000201),
            .protocol = 6},
           2000);
  const Decoded v4(large);
  Bytes out(3000);
  EXPECT_EQ(EncodeIcmpError(v4.ip, 3, 4, 1400, v4.ip.destination, out), 576u);
  out.resize(576);
  EXPECT_EQ(DecodeIcmpError(Decoded(out).ip)->mtu, 1400u);

  IpAddress a = *IpAddress::Parse("2001:db8::2");
  IpAddress b = *IpAddress::Parse("2001:db8::1");
  large.assign(40 + 2000, std::byte{0});
  EncodeIp(large, {.source = a, .destination = b, .protocol = 6}, 2000);
  const Decoded v6(large);
  out.assign(3000, std::byte{0});
  EXPECT_EQ(EncodeIcmpError(v6.ip, 2, 0, 1300, b, out), 1280u);
  out.resize(1280);
  EXPECT_EQ(DecodeIcmpError(Decoded(out).ip)->mtu, 1300u);
}

TEST(WireIcmp, WhatMayBeReported) {
  for (const char* name : {"linux6-syn", "udp4-odd", "icmp4-echo", "icmp6-echo",
                           "ip4-first-fragment", "tcp6-first-fragment", "tcp6-later-fragment"}) {
    EXPECT_TRUE(MayReportError(Decoded(name).ip)) << name;
  }
  for (const char* name : {"icmp4-host-unreachable", "icmp4-redirect", "icmp6-no-route",
                           "icmp6-redirect", "ip4-later-fragment"}) {
    EXPECT_FALSE(MayReportError(Decoded(name).ip)) << name;
  }
  Decoded multicast("udp4-odd");
  multicast.ip.destination = IpAddress::V4(0xe00000fb);
  EXPECT_FALSE(MayReportError(multicast.ip));
}

}  // namespace
}  // namespace estab::wire
