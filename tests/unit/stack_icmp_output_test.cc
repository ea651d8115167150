// ICMP that we send: which errors about what, never about what, and how many; echo replies.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "unit/packets.h"

namespace estab::test {
namespace {

class IcmpOutput : public testing::TestWithParam<bool> {
 protected:
  bool v6() const { return GetParam(); }
  IpAddress us() const { return peer.ours(); }
  IpAddress them() const { return peer.theirs(); }
  Packet UnknownProtocol(const IpAddress& from, std::size_t size = 16) {
    return IpPacketOf(from, us(), 132, Pattern(size));
  }
  RawPeer peer{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Families, IcmpOutput, testing::Bool(),
                         [](const auto& p) { return p.param ? "Ipv6" : "Ipv4"; });

TEST_P(IcmpOutput, AnUnknownProtocol) {
  const Packet packet = UnknownProtocol(them());
  peer.Inject(packet);
  const IcmpSent told = OneIcmp(peer);
  EXPECT_EQ(told.type, v6() ? 4 : 3);
  EXPECT_EQ(told.code, v6() ? 1 : 2);
  EXPECT_EQ(told.rest, v6() ? 6u : 0u) << "the next header field";
  EXPECT_EQ(told.from, us());
  EXPECT_EQ(told.to, them());
  EXPECT_EQ(told.quote, packet) << "whole, as it came";
}

TEST_P(IcmpOutput, QuotesAsMuchAsItMay) {
  peer.Inject(UnknownProtocol(them(), 1400));
  EXPECT_EQ(OneIcmp(peer).size, v6() ? 1280u : 576u);
}

TEST_P(IcmpOutput, UdpHasNoPorts) {
  const Packet packet = IpPacketOf(them(), us(), 17, UdpOf(them(), us()));
  peer.Inject(packet);
  const IcmpSent told = OneIcmp(peer);
  EXPECT_EQ(told.type, v6() ? 1 : 3);
  EXPECT_EQ(told.code, v6() ? 4 : 3);
  EXPECT_EQ(told.quote, packet);
}

TEST_P(IcmpOutput, OfBadUdpNobodyIsTold) {
  const Packet good = UdpOf(them(), us());
  Packet corrupt = good;
  corrupt[8] ^= std::byte{1};
  Packet too_long = good;
  Store16(&too_long[4], 200);
  Packet too_short = good;
  Store16(&too_short[4], 7);
  for (const Packet& udp : {corrupt, too_long, too_short, Pattern(7)}) {
    peer.Inject(IpPacketOf(them(), us(), 17, udp));
    EXPECT_EQ(OneIcmp(peer).type, -1);
  }
  EXPECT_EQ(peer.stack->Counters().bad_packets, 4u);
  // No checksum: of IPv4 that is allowed.
  Packet without = corrupt;
  Store16(&without[6], 0);
  peer.Inject(IpPacketOf(them(), us(), 17, without));
  EXPECT_EQ(OneIcmp(peer).type, v6() ? -1 : 3);
}

// RFC 1122 §3.2.2, RFC 4443 §2.4 (e).
TEST_P(IcmpOutput, NeverToOrAboutAnythingButOneHost) {
  std::vector<IpAddress> sources = {us(), v6() ? IpAddress::AnyV6() : IpAddress::AnyV4()};
  std::vector<IpAddress> destinations = {peer.Address(77)};
  if (v6()) {
    for (const char* text : {"ff02::1", "::1", "ff05::2"}) {
      sources.push_back(*IpAddress::Parse(text));
    }
    for (const char* text : {"ff02::1", "ff02::2"}) {
      destinations.push_back(*IpAddress::Parse(text));
    }
  } else {
    for (const char* text :
         {"224.0.0.1", "255.255.255.255", "192.0.2.255", "127.0.0.1", "0.1.2.3", "240.0.0.1"}) {
      sources.push_back(*IpAddress::Parse(text));
    }
    for (const char* text : {"224.0.0.1", "255.255.255.255", "192.0.2.255", "192.0.2.0"}) {
      destinations.push_back(*IpAddress::Parse(text));
    }
  }
  for (const IpAddress& from : sources) {
    peer.Inject(UnknownProtocol(from));
    peer.Inject(IpPacketOf(from, us(), 17, UdpOf(from, us())));
    EXPECT_EQ(OneIcmp(peer).type, -1);
  }
  for (const IpAddress& to : destinations) {
    peer.Inject(IpPacketOf(them(), to, 132, Pattern(16)));
    peer.Inject(IpPacketOf(them(), to, 17, UdpOf(them(), to)));
    EXPECT_EQ(OneIcmp(peer).type, -1);
  }
}

// An error about an error could go round for ever.
TEST_P(IcmpOutput, NeverAboutIcmp) {
  const Packet quoted = IpPacketOf(us(), them(), 132, Pattern(16));
  for (const int type : {1, 2, 3, 4, 5, 11, 12, 13, 42, 127, 137, 200, 255}) {
    peer.Inject(IpPacketOf(them(), us(), v6() ? 58 : 1,
                           IcmpOf(them(), us(), type, 0, Octets({0, 0, 0, 0}) + quoted)));
    EXPECT_EQ(OneIcmp(peer).type, -1) << type;
  }
  // The other family's is an unknown protocol like any other.
  peer.Inject(IpPacketOf(them(), us(), v6() ? 1 : 58, Pattern(16)));
  EXPECT_EQ(OneIcmp(peer).code, v6() ? 1 : 2);
}

TEST_P(IcmpOutput, WhatIsNoErrorIsPassedOver) {
  peer.Inject(IpPacketOf(them(), us(), v6() ? 59 : 2, Pattern(16)));
  EXPECT_EQ(OneIcmp(peer).type, -1);
}

// Linux 6.18, asked over TUN: six at once to one host, then one in each interval.
TEST_P(IcmpOutput, HasALimitForEveryHost) {
  const Duration interval = milliseconds(v6() ? 100 : 1000);
  const auto sent = [&](const IpAddress& from, int tries) {
    for (int i = 0; i < tries; ++i) peer.Inject(UnknownProtocol(from));
    return peer.TakeOthers().size();
  };
  EXPECT_EQ(sent(them(), 20), 6u);
  EXPECT_EQ(sent(peer.Address(3), 3), 3u) << "another host has an allowance of its own";
  EXPECT_EQ(sent(peer.Address(3), 20), 3u);
  peer.Pass(interval - milliseconds(1));
  EXPECT_EQ(sent(them(), 5), 0u);
  peer.Pass(milliseconds(1));
  EXPECT_EQ(sent(them(), 5), 1u);
  peer.Pass(interval * 3);
  EXPECT_EQ(sent(them(), 20), 3u);
  peer.Pass(interval * 100);
  EXPECT_EQ(sent(them(), 20), 6u);
  EXPECT_EQ(peer.stack->Counters().icmp_errors_sent, 6u + 6 + 1 + 3 + 6);
  EXPECT_EQ(peer.stack->Counters().icmp_errors_limited, 14u + 17 + 5 + 4 + 17 + 14);
  peer.Set(v6() ? "net.ipv6.icmp.ratelimit" : "net.ipv4.icmp_ratelimit", "0");
  EXPECT_EQ(sent(them(), 20), 20u);
}

TEST_P(IcmpOutput, HasALimitForAll) {
  const auto sent = [&] {
    for (std::uint8_t host = 2; host < 250; ++host)
      peer.Inject(UnknownProtocol(peer.Address(host)));
    return peer.TakeOthers().size();
  };
  EXPECT_EQ(sent(), 50u);
  peer.Pass(milliseconds(20));
  EXPECT_EQ(sent(), 20u);
  peer.Set("net.ipv4.icmp_msgs_per_sec", "0");
  peer.Pass(seconds(100));
  EXPECT_EQ(sent(), 0u);
  peer.Set("net.ipv4.icmp_msgs_per_sec", "1000");
  peer.Set("net.ipv4.icmp_msgs_burst", "10");
  EXPECT_EQ(sent(), 10u);
}

// Echo replies are no errors: nothing limits them but the link.
TEST_P(IcmpOutput, RepliesHaveNoLimit) {
  for (int i = 0; i < 200; ++i) peer.Inject(EchoOf(them(), us(), 100));
  EXPECT_EQ(peer.TakeOthers().size(), 200u);
}

// --- IPv4 options --------------------------------------------------------------------------------

class Options4 : public testing::Test {
 protected:
  IpAddress us() const { return peer.ours(); }
  IpAddress them() const { return peer.theirs(); }
  // The answer to an echo request with these options, padded to a multiple of 4.
  IcmpSent Ask(Packet options) {
    options.resize((options.size() + 3) / 4 * 4);
    peer.Inject(EchoOf(them(), us(), 8, options));
    const auto others = peer.TakeOthers();
    if (others.empty()) return {};
    const auto ip = *wire::DecodeIp(others[0]);
    options_.assign(ip.header.begin() + 20, ip.header.end());
    return ReadIcmp(others[0]);
  }
  RawPeer peer;
  Packet options_;  // of the answer
};

TEST_F(Options4, WellFormedOnesAreSkipped) {
  const Packet many[] = {
      Octets({1, 1, 1, 1}),                             // no operation
      Octets({0, 99, 99, 99}),                          // the end: what follows means nothing
      Octets({148, 4, 0, 0}),                           // router alert
      Octets({130, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}),  // security
      Octets({200, 2, 250, 3, 9}),                      // unknown ones
  };
  for (const Packet& options : many) {
    EXPECT_EQ(Ask(options).type, 0);
    EXPECT_EQ(options_, Packet{});
  }
}

TEST_F(Options4, MalformedOnesAreAParameterProblem) {
  struct Case {
    Packet options;
    unsigned pointer;
  };
  const Case cases[] = {
      {Octets({1, 1, 1, 200}), 23},                // no length
      {Octets({200, 0, 1, 1}), 20},                // length 0
      {Octets({200, 1, 1, 1}), 20},                // length 1
      {Octets({1, 200, 4, 0}), 21},                // beyond the header
      {Octets({7, 2, 0, 0}), 21},                  // record route without pointer
      {Octets({7, 7, 3, 0, 0, 0, 0, 0}), 22},      // its pointer too small
      {Octets({7, 7, 6, 0, 0, 0, 0, 0}), 22},      // less room than an address
      {Octets({7, 3, 4, 7, 3, 4, 0, 0}), 23},      // twice
      {Octets({68, 3, 5, 0}), 21},                 // a short timestamp
      {Octets({68, 8, 4, 0, 0, 0, 0, 0}), 22},     // its pointer too small
      {Octets({68, 8, 5, 1, 0, 0, 0, 0}), 22},     // no room for its address
      {Octets({68, 8, 5, 2, 0, 0, 0, 0}), 23},     // unknown flags
      {Octets({68, 8, 9, 0xf0, 0, 0, 0, 0}), 23},  // overflown
      {Octets({131, 7, 3, 0, 0, 0, 0, 0}), 22},    // source route
      {Octets({148, 3, 0, 0}), 21},                // short router alert
  };
  peer.Set("net.ipv4.icmp_ratelimit", "0");
  for (const Case& c : cases) {
    const IcmpSent told = Ask(c.options);
    EXPECT_EQ(told.type, 12) << c.pointer;
    EXPECT_EQ(told.code, 0) << c.pointer;
    EXPECT_EQ(told.rest >> 24, c.pointer) << testing::PrintToString(c.options);
    EXPECT_EQ(told.rest & 0xffffff, 0u);
  }
  EXPECT_EQ(peer.stack->Counters().bad_packets, std::size(cases));
}

TEST_F(Options4, SourceRoutesAreNotTaken) {
  for (const int kind : {131, 137}) {
    EXPECT_EQ(Ask(Octets({kind, 7, 4, 192, 0, 2, 9, 0})).type, -1);
    EXPECT_EQ(Ask(Octets({kind, 7, 8, 192, 0, 2, 9, 0})).type, -1) << "its end reached";
  }
}

// As Linux: once as the request came, once more as the reply goes.
TEST_F(Options4, RecordRouteGoesOnInTheReply) {
  EXPECT_EQ(Ask(Octets({7, 15, 8, 192, 0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0})).type, 0);
  EXPECT_EQ(options_, Octets({7, 15, 16, 192, 0, 2, 2, 192, 0, 2, 1, 192, 0, 2, 1, 0}));
  EXPECT_EQ(Ask(Octets({7, 11, 8, 192, 0, 2, 2, 0, 0, 0, 0, 0})).type, 0);
  EXPECT_EQ(options_, Octets({7, 11, 12, 192, 0, 2, 2, 192, 0, 2, 1, 0})) << "room for one";
  EXPECT_EQ(Ask(Octets({7, 7, 8, 192, 0, 2, 2, 0})).type, 0);
  EXPECT_EQ(options_, Octets({7, 7, 8, 192, 0, 2, 2, 0})) << "full";
  EXPECT_EQ(Ask(Octets({7, 12, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0})).type, 0);
  EXPECT_EQ(options_, Packet{}) << "uneven";
  // In a request that comes, and a reply that goes, in fragments.
  for (const Packet& p :
       Cut(EchoOf(them(), us(), 3000, Octets({7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0})), 1500)) {
    peer.Inject(p);
  }
  const auto reply = peer.TakeOthers();
  ASSERT_EQ(reply.size(), 3u);
  const auto first = *wire::DecodeIp(reply[0]);
  EXPECT_TRUE(std::ranges::equal(first.header.subspan(20),
                                 Octets({7, 11, 12, 192, 0, 2, 1, 192, 0, 2, 1, 0})));
  EXPECT_EQ(wire::DecodeIp(reply[1])->header.size(), 20u) << "it is not copied";
  EXPECT_EQ(Joined(reply).size(), 3008u);
}

TEST_F(Options4, TimestampsGoOnInTheReply) {
  const std::uint32_t now =
      static_cast<std::uint32_t>(peer.now.time_since_epoch() / milliseconds(1)) | 0x80000000u;
  EXPECT_EQ(Ask(Octets({68, 12, 5, 0}) + Packet(8)).type, 0);
  ASSERT_EQ(options_.size(), 12u);
  EXPECT_EQ(options_[2], std::byte{13});
  EXPECT_EQ(Load32(&options_[4]), now);
  EXPECT_EQ(Load32(&options_[8]), now);
  EXPECT_EQ(Ask(Octets({68, 12, 5, 1}) + Packet(8)).type, 0);
  EXPECT_EQ(Load32(&options_[4]), us().v4());
  EXPECT_EQ(Load32(&options_[8]), now);
  EXPECT_EQ(options_[3], std::byte{0x01}) << "there was no room for the second";
  // Nor at all: then it is counted, but never so far that the reply would be refused.
  for (const int overflow : {0x01, 0xd1, 0xe1}) {
    EXPECT_EQ(Ask(Octets({68, 12, 13, overflow}) + Packet(8)).type, 0);
    EXPECT_EQ(options_[3], static_cast<std::byte>(std::min(overflow + 0x10, 0xe1)));
  }
  // Asked for by address: ours gets a time, another's waits for it.
  EXPECT_EQ(
      Ask(Octets({68, 20, 5, 3, 192, 0, 2, 1}) + Packet(4) + Octets({192, 0, 2, 9}) + Packet(4))
          .type,
      0);
  EXPECT_EQ(options_[2], std::byte{13});
  EXPECT_EQ(Load32(&options_[8]), now);
  EXPECT_EQ(Load32(&options_[16]), 0u);
}

// --- IPv6 extension headers ----------------------------------------------------------------------

class Extensions6 : public testing::Test {
 protected:
  IpAddress us() const { return peer.ours(); }
  IpAddress them() const { return peer.theirs(); }
  Packet Echo() const {
    const Packet echo = EchoOf(them(), us(), 8);
    return {echo.begin() + 40, echo.end()};
  }
  // The answer to an echo request behind these headers.
  IcmpSent Ask(int first, const Packet& headers) {
    peer.Inject(IpPacketOf(them(), us(), first, headers + Echo()));
    return OneIcmp(peer);
  }
  void SetUp() override { peer.Set("net.ipv6.icmp.ratelimit", "0"); }
  RawPeer peer{true};
};

constexpr int kEcho = 58;

TEST_F(Extensions6, AreSkipped) {
  EXPECT_EQ(Ask(0, Octets({kEcho, 0, 5, 2, 0, 0, 1, 0})).type, 129) << "router alert";
  EXPECT_EQ(Ask(60, Octets({kEcho, 0, 0x1e, 4, 1, 2, 3, 4})).type, 129) << "unknown, to be skipped";
  EXPECT_EQ(Ask(60, Octets({kEcho, 0, 0, 0, 0, 0, 0, 0})).type, 129) << "padding";
  EXPECT_EQ(Ask(43, Octets({kEcho, 0, 4, 0, 0, 0, 0, 0})).type, 129) << "a route at its end";
  EXPECT_EQ(Ask(44, Octets({kEcho, 0, 0, 0, 0, 0, 0, 9})).type, 129) << "atomic fragment";
}

// RFC 8200 §4.2: the type itself says what becomes of those who do not know it.
TEST_F(Extensions6, UnknownOptionsActAsTheirTypeSays) {
  for (const int header : {0, 60}) {
    for (const int type : {0x3f, 0x7f, 0xbf, 0xff}) {
      const IcmpSent told = Ask(header, Octets({kEcho, 0, 1, 0, type, 2, 0, 0}));
      if (type == 0x3f) {
        EXPECT_EQ(told.type, 129);
      } else if (type == 0x7f) {
        EXPECT_EQ(told.type, -1);
      } else {
        EXPECT_EQ(told.type, 4);
        EXPECT_EQ(told.code, 2);
        EXPECT_EQ(told.rest, 44u) << "the option's type";
      }
    }
  }
}

TEST_F(Extensions6, ToAGroupOnlyOneKindIsToldOf) {
  for (const char* group : {"ff02::1", "ff02::5"}) {
    for (const int type : {0xbf, 0xff}) {
      const IpAddress to = *IpAddress::Parse(group);
      peer.Inject(IpPacketOf(them(), to, 60, Octets({kEcho, 0, type, 4, 0, 0, 0, 0}) + Echo()));
      const IcmpSent told = OneIcmp(peer);
      const bool expected = type == 0xbf && to == wire::kAllNodes;
      EXPECT_EQ(told.type, expected ? 4 : -1) << group << " " << type;
      if (expected) {
        EXPECT_EQ(told.from, us());
      }
    }
  }
}

TEST_F(Extensions6, RoutesThatGoOnAreRefused) {
  for (const int kind : {0, 2, 3, 4, 253}) {
    const IcmpSent told = Ask(43, Octets({kEcho, 0, kind, 1, 0, 0, 0, 0}));
    EXPECT_EQ(told.type, 4);
    EXPECT_EQ(told.code, 0);
    EXPECT_EQ(told.rest, 42u) << "the routing type";
  }
}

TEST_F(Extensions6, HopByHopComesFirstOrNotAtAll) {
  const IcmpSent told =
      Ask(60, Octets({0, 0, 1, 4, 0, 0, 0, 0}) + Octets({kEcho, 0, 1, 4, 0, 0, 0, 0}));
  EXPECT_EQ(told.type, 4);
  EXPECT_EQ(told.code, 1);
  EXPECT_EQ(told.rest, 40u) << "where it is named";
}

TEST_F(Extensions6, TheNextHeaderBehindThemIsPointedAt) {
  peer.Inject(IpPacketOf(
      them(), us(), 60,
      Octets({60, 0, 1, 4, 0, 0, 0, 0}) + Octets({132, 0, 1, 4, 0, 0, 0, 0}) + Pattern(16)));
  const IcmpSent told = OneIcmp(peer);
  EXPECT_EQ(told.code, 1);
  EXPECT_EQ(told.rest, 48u);
}

TEST_F(Extensions6, ChainsAndOptionsAreCounted) {
  for (const unsigned count : {8u, 9u}) {
    Packet chain;
    Packet options;
    for (unsigned i = 1; i <= count; ++i) {
      chain = std::move(chain) + Octets({i == count ? kEcho : 60, 0, 1, 4, 0, 0, 0, 0});
      options = std::move(options) + Octets({0x1e, 0});
    }
    const int expected = count == 8 ? 129 : -1;
    EXPECT_EQ(Ask(60, chain).type, expected);
    options.resize(22);
    EXPECT_EQ(Ask(60, Octets({kEcho, 2}) + options).type, expected);
  }
}

TEST_F(Extensions6, CutOffOnesAreDropped) {
  for (const Packet& headers :
       {Octets({kEcho}), Octets({kEcho, 9, 1, 4, 0, 0, 0, 0}), Octets({kEcho, 0, 1, 5, 0, 0, 0, 0}),
        Octets({kEcho, 0, 1, 3, 0, 0, 0, 0x1e})}) {
    peer.Inject(IpPacketOf(them(), us(), 60, headers));
    EXPECT_EQ(OneIcmp(peer).type, -1);
  }
}

// RFC 4443 §2.4 (e.1), however deep the message lies.
TEST_F(Extensions6, OfAnErrorBehindThemNobodyIsTold) {
  const Packet quoted = IpPacketOf(us(), them(), 132, Pattern(16));
  const Packet error = IcmpOf(them(), us(), 1, 4, Octets({0, 0, 0, 0}) + quoted);
  const Packet bad_option = Octets({60, 0, 0xff, 4, 0, 0, 0, 0});
  peer.Inject(
      IpPacketOf(them(), us(), 60, bad_option + Octets({kEcho, 0, 1, 4, 0, 0, 0, 0}) + error));
  EXPECT_EQ(OneIcmp(peer).type, -1);
}

TEST_F(Extensions6, LongOnesAreQuotedAsFarAsTheyMay) {
  Packet options(1398, std::byte{0});
  options.back() = std::byte{0xff};  // cut off: its length would lie beyond
  options[0] = std::byte{0xff};
  const Packet header = Octets({kEcho, 174}) + options;
  const IcmpSent told = Ask(60, header);
  EXPECT_EQ(told.type, 4);
  EXPECT_EQ(told.rest, 42u);
  EXPECT_EQ(told.size, 1280u);
}

}  // namespace
}  // namespace estab::test
