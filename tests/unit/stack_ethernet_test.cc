// The Ethernet layer: neighbours found, answered, asked again, lost; and what strangers send.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "matrix/raw_peer.h"
#include "stack/ethernet.h"
#include "wire/icmp.h"

namespace estab::stack {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::MacAddress;

constexpr MacAddress kOurs{{2, 0, 0, 0, 0, 1}};
constexpr MacAddress kTheirs{{2, 0, 0, 0, 0, 2}};
constexpr MacAddress kOther{{2, 0, 0, 0, 0, 3}};

struct Sent {
  wire::EthernetHeader header;
  std::vector<std::byte> bytes;
};

class Wire final : public FrameSink {
 public:
  SinkResult SendFrame(std::span<const std::byte> header, const TxPacket& packet) override {
    if (busy) return SinkResult::kBusy;
    Sent s{*wire::DecodeEthernet(header), {packet.header.begin(), packet.header.end()}};
    for (const Slice& p : packet.payload) s.bytes.insert(s.bytes.end(), p.data, p.data + p.size);
    sent.push_back(std::move(s));
    return SinkResult::kSent;
  }
  bool busy = false;
  std::vector<Sent> sent;
};

class EthernetLayer : public testing::TestWithParam<bool> {
 protected:
  EthernetLayer() {
    EXPECT_TRUE(ethernet.AddAddress({Address(1), static_cast<std::uint8_t>(v6 ? 64 : 24)}));
  }
  IpAddress Address(unsigned host) const {
    if (!v6) return IpAddress::V4(0xc0000200u + host);
    IpAddress a = *IpAddress::Parse("2001:db8::");
    a.bytes[14] = static_cast<std::uint8_t>(host >> 8);
    a.bytes[15] = static_cast<std::uint8_t>(host);
    return a;
  }
  std::uint16_t IpType() const { return v6 ? wire::kEtherTypeIpv6 : wire::kEtherTypeIpv4; }

  std::vector<std::byte> Packet(const IpAddress& to, std::string_view text = "x") const {
    wire::Segment s;
    s.source_port = 7;
    s.destination_port = 8;
    s.flags = kSyn;
    return test::Pack(Address(1), to, s, text);
  }
  void Send(const IpAddress& to, std::string_view text = "x") {
    const auto bytes = Packet(to, text);
    TxPacket packet;
    packet.header = bytes;
    EXPECT_EQ(ethernet.Send(now, packet, wire), SinkResult::kSent);
    ethernet.Transmit(wire);
  }
  std::vector<Sent> Take() {
    ethernet.Transmit(wire);
    return std::exchange(wire.sent, {});
  }
  std::optional<RxPacket> Frame(const MacAddress& to, const MacAddress& from, std::uint16_t type,
                                std::span<const std::byte> payload) {
    frame.assign(wire::kEthernetHeaderSize, std::byte{0});
    wire::EncodeEthernet(frame, {to, from, type});
    frame.insert(frame.end(), payload.begin(), payload.end());
    frame.resize(std::max<std::size_t>(frame.size(), 60));  // as Ethernet pads
    return ethernet.Receive(now, {.data = frame});
  }
  /// `who` at `mac` asks us for `target`.
  void Question(const MacAddress& mac, const IpAddress& who, const IpAddress& target) {
    if (!v6) {
      std::array<std::byte, wire::kArpSize> arp;
      wire::EncodeArp(arp, {false, mac, who, {}, target});
      EXPECT_FALSE(Frame(wire::kBroadcastMac, mac, wire::kEtherTypeArp, arp));
      return;
    }
    wire::NeighbourMessage m;
    m.source = who;
    m.destination = wire::SolicitedNode(target);
    m.target = target;
    if (!who.is_any()) m.mac = mac;
    Neighbour(mac, wire::GroupMac(m.destination), m);
  }
  void Answer(const MacAddress& mac, const IpAddress& who, bool asked = true) {
    if (!v6) {
      std::array<std::byte, wire::kArpSize> arp;
      wire::EncodeArp(arp, {true, mac, who, kOurs, asked ? Address(1) : who});
      EXPECT_FALSE(Frame(asked ? kOurs : wire::kBroadcastMac, mac, wire::kEtherTypeArp, arp));
      return;
    }
    wire::NeighbourMessage m;
    m.answer = true;
    m.source = who;
    m.destination = asked ? Address(1) : wire::kAllNodes;
    m.target = who;
    m.mac = mac;
    m.solicited = asked;
    m.overrides = true;
    Neighbour(mac, asked ? kOurs : wire::GroupMac(wire::kAllNodes), m);
  }
  void Neighbour(const MacAddress& from, const MacAddress& to, const wire::NeighbourMessage& m) {
    std::array<std::byte, wire::kMostNeighbourMessage> packet;
    const std::size_t size = wire::EncodeNeighbour(packet, m);
    EXPECT_FALSE(Frame(to, from, wire::kEtherTypeIpv6, std::span(packet).first(size)));
  }
  void ExpectQuestion(const Sent& s, const IpAddress& target, const MacAddress* to = nullptr) {
    if (!v6) {
      ASSERT_EQ(s.header.type, wire::kEtherTypeArp);
      const auto arp = wire::DecodeArp(s.bytes);
      ASSERT_TRUE(arp.has_value());
      EXPECT_FALSE(arp->answer);
      EXPECT_EQ(arp->target, target);
      EXPECT_EQ(arp->sender, Address(1));
      EXPECT_EQ(arp->sender_mac, kOurs);
      EXPECT_EQ(s.header.destination, to != nullptr ? *to : wire::kBroadcastMac);
      return;
    }
    const auto ip = wire::DecodeIp(s.bytes);
    ASSERT_TRUE(ip.has_value());
    const auto m = wire::DecodeNeighbour(*ip);
    ASSERT_TRUE(m.has_value());
    EXPECT_FALSE(m->answer);
    EXPECT_EQ(m->target, target);
    EXPECT_EQ(m->mac, kOurs);
    EXPECT_EQ(s.header.destination,
              to != nullptr ? *to : wire::GroupMac(wire::SolicitedNode(target)));
  }
  void ExpectAnswer(const Sent& s, const MacAddress& to) {
    EXPECT_EQ(s.header.destination, to);
    EXPECT_EQ(s.header.source, kOurs);
    if (!v6) {
      const auto arp = wire::DecodeArp(s.bytes);
      ASSERT_TRUE(arp.has_value());
      EXPECT_TRUE(arp->answer);
      EXPECT_EQ(arp->sender, Address(1));
      EXPECT_EQ(arp->sender_mac, kOurs);
      return;
    }
    const auto ip = wire::DecodeIp(s.bytes);
    ASSERT_TRUE(ip.has_value());
    const auto m = wire::DecodeNeighbour(*ip);
    ASSERT_TRUE(m.has_value());
    EXPECT_TRUE(m->answer);
    EXPECT_EQ(m->target, Address(1));
    EXPECT_EQ(m->mac, kOurs);
  }
  /// Lets time pass until `t`; returns what the stack was told.
  std::vector<std::vector<std::byte>> Until(Time t) {
    std::vector<std::vector<std::byte>> told;
    std::array<std::byte, 1280> message;
    while (ethernet.NextDeadline() <= t) {
      now = ethernet.NextDeadline();
      while (const auto packet = ethernet.Advance(now, message)) {
        told.emplace_back(packet->data.begin(), packet->data.end());
      }
      ethernet.Transmit(wire);
    }
    now = t;
    return told;
  }
  /// Makes them known.
  void Meet() {
    Send(Address(2));
    Answer(kTheirs, Address(2));
    Take();
  }

  const bool v6 = GetParam();
  Time now = test::At(0);
  Ethernet ethernet{kOurs, SipKey{1, 2, 3}};
  Wire wire;
  std::vector<std::byte> frame;
};
INSTANTIATE_TEST_SUITE_P(Families, EthernetLayer, testing::Bool());

TEST_P(EthernetLayer, APacketWaitsForTheAnswer) {
  Send(Address(2), "one");
  Send(Address(2), "two");
  auto sent = Take();
  ASSERT_EQ(sent.size(), 1u);  // one question for both
  ExpectQuestion(sent[0], Address(2));
  Answer(kTheirs, Address(2));
  sent = Take();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].bytes, Packet(Address(2), "one"));
  EXPECT_EQ(sent[1].bytes, Packet(Address(2), "two"));
  EXPECT_EQ(sent[0].header.destination, kTheirs);
  EXPECT_EQ(sent[0].header.type, IpType());
  Send(Address(2), "three");
  sent = Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].header.destination, kTheirs);
}

TEST_P(EthernetLayer, ThreeQuestionsThenTheStackIsTold) {
  Send(Address(2), "lost");
  const auto told = Until(now + seconds(10));
  const auto sent = Take();
  ASSERT_EQ(sent.size(), 3u);
  for (const Sent& s : sent) ExpectQuestion(s, Address(2));
  ASSERT_EQ(told.size(), 1u);
  const auto ip = wire::DecodeIp(told[0]);
  ASSERT_TRUE(ip.has_value());
  EXPECT_EQ(ip->source, Address(2));
  EXPECT_EQ(ip->destination, Address(1));
  const auto error = wire::DecodeIcmpError(*ip);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->type, v6 ? 1 : 3);
  EXPECT_EQ(error->code, v6 ? 3 : 1);
  EXPECT_EQ(error->destination_port, 8);
  EXPECT_EQ(ethernet.counters().unreachable, 1u);
  EXPECT_EQ(ethernet.NextDeadline(), kNever);
  Send(Address(2));  // it is asked for anew
  EXPECT_EQ(Take().size(), 1u);
}

TEST_P(EthernetLayer, TheQuestionsAreASecondApart) {
  Send(Address(2));
  Take();
  const Time began = now;
  EXPECT_EQ(ethernet.NextDeadline(), began + seconds(1));
  Until(began + milliseconds(1999));
  EXPECT_EQ(Take().size(), 1u);
  EXPECT_TRUE(Until(began + milliseconds(2999)).empty());
  EXPECT_EQ(Until(began + seconds(3)).size(), 1u);
}

TEST_P(EthernetLayer, WhatIsKnownIsUsedOnAndAskedAgain) {
  Meet();
  Until(now + seconds(46));  // no answer holds longer
  Send(Address(2));
  EXPECT_EQ(Take().size(), 1u);  // at once, to where it was
  EXPECT_EQ(ethernet.NextDeadline(), now + seconds(5));
  Until(now + seconds(5));
  auto sent = Take();
  ASSERT_EQ(sent.size(), 1u);
  ExpectQuestion(sent[0], Address(2), &kTheirs);
  Answer(kTheirs, Address(2));
  EXPECT_TRUE(Until(now + seconds(14)).empty());
  EXPECT_TRUE(Take().empty());
  Send(Address(2));
  EXPECT_EQ(Take().size(), 1u);
}

TEST_P(EthernetLayer, WhoDoesNotAnswerAnyMoreIsForgotten) {
  Meet();
  Until(now + seconds(46));
  Send(Address(2));
  Until(now + seconds(20));
  auto sent = Take();
  ASSERT_EQ(sent.size(), 4u);  // the packet, three questions to the one station
  Send(Address(2));
  sent = Take();
  ASSERT_EQ(sent.size(), 1u);
  ExpectQuestion(sent[0], Address(2));  // to all
}

TEST_P(EthernetLayer, AnswersForItsAddressesAndRemembersWhoAsked) {
  Question(kTheirs, Address(2), Address(1));
  auto sent = Take();
  ASSERT_EQ(sent.size(), 1u);
  ExpectAnswer(sent[0], kTheirs);
  Send(Address(2));  // without a question of ours
  sent = Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].header.destination, kTheirs);
  EXPECT_EQ(sent[0].header.type, IpType());
  Question(kOther, Address(3), Address(9));  // for somebody else
  EXPECT_TRUE(Take().empty());
  EXPECT_EQ(ethernet.neighbours().Find(Address(3)), Neighbours::kNone);
}

TEST_P(EthernetLayer, ToWhoAsksWhetherTheAddressIsFreeItIsNot) {
  Question(kTheirs, v6 ? IpAddress::AnyV6() : IpAddress::AnyV4(), Address(1));
  const auto sent = Take();
  ASSERT_EQ(sent.size(), 1u);
  ExpectAnswer(sent[0], v6 ? wire::GroupMac(wire::kAllNodes) : kTheirs);
  EXPECT_EQ(ethernet.neighbours().count(), 0u);
}

TEST_P(EthernetLayer, AClaimToOurAddressIsCountedOnly) {
  Answer(kOther, Address(1), false);
  EXPECT_EQ(ethernet.counters().conflicts, 1u);
  EXPECT_EQ(ethernet.neighbours().count(), 0u);
  EXPECT_TRUE(Take().empty());
}

TEST_P(EthernetLayer, NobodyIsAtOurStation) {
  if (v6) {
    wire::NeighbourMessage m;
    m.source = Address(2);
    m.destination = wire::SolicitedNode(Address(1));
    m.target = Address(1);
    m.mac = kOurs;
    Neighbour(kTheirs, wire::GroupMac(m.destination), m);
  } else {
    std::array<std::byte, wire::kArpSize> arp;
    wire::EncodeArp(arp, {false, kOurs, Address(2), {}, Address(1)});
    EXPECT_FALSE(Frame(wire::kBroadcastMac, kTheirs, wire::kEtherTypeArp, arp));
  }
  EXPECT_EQ(ethernet.neighbours().count(), 0u);
}

TEST_P(EthernetLayer, AMentionMovesWhomWeKnowButNotAtOnce) {
  Answer(kOther, Address(5), false);
  EXPECT_EQ(ethernet.neighbours().count(), 0u);  // a stranger
  Meet();
  Answer(kOther, Address(2), false);  // within a second of the other's answer
  Send(Address(2));
  EXPECT_EQ(Take().back().header.destination, kTheirs);
  now += seconds(2);
  Answer(kOther, Address(2), false);
  Send(Address(2));
  EXPECT_EQ(Take().back().header.destination, kOther);
}

TEST_P(EthernetLayer, ANeighbourIsOnTheLink) {
  const IpAddress far = v6 ? *IpAddress::Parse("2001:db8:9::1") : IpAddress::V4(0xc6336401);
  Question(kTheirs, far, Address(1));
  EXPECT_EQ(ethernet.neighbours().Find(far), Neighbours::kNone);
}

TEST_P(EthernetLayer, TheNextHopIsWhoIsAskedFor) {
  const IpAddress far = v6 ? *IpAddress::Parse("2001:db8:9::1") : IpAddress::V4(0xc6336401);
  const IpAddress via = Address(2);
  ASSERT_TRUE(ethernet.AddRoute({far, static_cast<std::uint8_t>(v6 ? 48 : 24)}, &via));
  Send(far);
  auto sent = Take();
  ASSERT_EQ(sent.size(), 1u);
  ExpectQuestion(sent[0], via);
  Answer(kTheirs, via);
  sent = Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].bytes, Packet(far));
  EXPECT_EQ(sent[0].header.destination, kTheirs);
}

TEST_P(EthernetLayer, FramesForUsReachTheStack) {
  const auto bytes = Packet(Address(1));
  const auto packet = Frame(kOurs, kTheirs, IpType(), bytes);
  ASSERT_TRUE(packet.has_value());
  EXPECT_TRUE(std::ranges::equal(packet->data.first(bytes.size()), bytes));
  EXPECT_FALSE(Frame(wire::kBroadcastMac, kTheirs, IpType(), bytes));
  EXPECT_FALSE(Frame(kOther, kTheirs, IpType(), bytes));
  EXPECT_FALSE(Frame(kOurs, kTheirs, 0x88cc, bytes));
  EXPECT_FALSE(Frame(kOurs, kOurs, IpType(), bytes));
  EXPECT_EQ(ethernet.counters().foreign, 4u);
}

TEST_P(EthernetLayer, ABusyLinkTakesItLater) {
  wire.busy = true;
  Question(kTheirs, Address(2), Address(1));
  ethernet.Transmit(wire);
  EXPECT_TRUE(ethernet.WantsTransmit());
  wire.busy = false;
  EXPECT_EQ(Take().size(), 1u);
  EXPECT_FALSE(ethernet.WantsTransmit());
}

TEST_P(EthernetLayer, StrangersFillNothing) {
  Meet();
  for (unsigned n = 0; n < 5000; ++n) {
    now += milliseconds(1);
    const MacAddress mac{
        {2, 1, 0, 0, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)}};
    Question(mac, Address(v6 ? 3 + n : 3 + n % 250), Address(1));
    if (n % 100 == 0) Send(Address(2));
    Take();
  }
  EXPECT_LE(ethernet.neighbours().count(), Neighbours::kMost);
  Send(Address(2));
  EXPECT_EQ(Take().back().header.destination, kTheirs);
  // And nobody takes the link's time: what is in use is all that is waited for.
  EXPECT_LE(ethernet.NextDeadline() - now, seconds(60));
}

TEST_P(EthernetLayer, ManyUnknownNeighboursAtOnce) {
  for (unsigned n = 0; n < 200; ++n) {
    Send(Address(2 + n));
    Take();
  }
  for (int i = 0; i < 100; ++i) Send(Address(2), std::string(10, static_cast<char>(i)));
  Answer(kTheirs, Address(2));
  const auto sent = Take();
  EXPECT_LE(sent.size(), 32u);
  EXPECT_GE(sent.size(), 8u);
  EXPECT_EQ(sent.back().bytes, Packet(Address(2), std::string(10, char{99})));  // the newest
  EXPECT_NE(ethernet.counters().dropped, 0u);
  Until(now + seconds(10));
  EXPECT_EQ(ethernet.NextDeadline(), kNever);
  EXPECT_FALSE(ethernet.WantsTransmit());
}

TEST_P(EthernetLayer, DamagedQuestionsAreNoQuestions) {
  if (!v6) {
    std::array<std::byte, wire::kArpSize> arp;
    wire::EncodeArp(arp, {false, kTheirs, Address(2), {}, Address(1)});
    for (const std::size_t at : {0u, 2u, 4u, 5u, 6u}) {
      auto bad = arp;
      bad[at] ^= std::byte{0x41};
      EXPECT_FALSE(wire::DecodeArp(bad).has_value()) << at;
    }
    EXPECT_FALSE(wire::DecodeArp(std::span(arp).first(27)).has_value());
    return;
  }
  wire::NeighbourMessage m;
  m.source = Address(2);
  m.destination = wire::SolicitedNode(Address(1));
  m.target = Address(1);
  m.mac = kTheirs;
  std::array<std::byte, wire::kMostNeighbourMessage> packet;
  ASSERT_EQ(wire::EncodeNeighbour(packet, m), packet.size());
  for (std::size_t bit = 0; bit < packet.size() * 8; ++bit) {
    auto bad = packet;
    bad[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    const bool unread = bit < 4 || (bit >= 8 && bit < 32);  // class and label mean nothing to it
    const auto ip = wire::DecodeIp(bad);
    if (unread) continue;
    EXPECT_FALSE(ip && wire::DecodeNeighbour(*ip)) << bit;
  }
}

}  // namespace
}  // namespace estab::stack
