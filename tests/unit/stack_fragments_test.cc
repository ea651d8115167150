// Fragments: put together whatever their order, within bounds, and reported when time is over.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "stack/fragments.h"
#include "unit/packets.h"
#include "unit/test_allocator.h"

namespace estab::test {
namespace {

class Fragments : public testing::TestWithParam<bool> {
 protected:
  bool v6() const { return GetParam(); }
  IpAddress us() const { return peer.ours(); }
  IpAddress them() const { return peer.theirs(); }
  int icmp() const { return v6() ? 58 : 1; }
  Duration lifetime() const { return seconds(v6() ? 60 : 30); }
  StackCounters counters() { return peer.stack->Counters(); }
  // Whether fragments wait, in a stack that holds nothing else.
  bool Waiting() { return counters().memory_in_use != 0; }

  void InjectAll(const std::vector<Packet>& packets) {
    for (const Packet& p : packets) peer.Inject(p);
  }
  Packet Fragment(std::size_t offset, bool more, const Packet& payload, std::uint32_t id = 77) {
    return FragmentOf(them(), us(), icmp(), offset, more, payload, id);
  }
  // An echo request whose reply fits one packet; answered if it was put together.
  std::vector<Packet> SmallEcho(std::uint32_t id = 77) {
    return Cut(EchoOf(them(), us(), 1000), 576, id);
  }
  bool Answered() { return peer.TakeOthers().size() == 1; }

  RawPeer peer{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Families, Fragments, testing::Bool(),
                         [](const auto& p) { return p.param ? "Ipv6" : "Ipv4"; });

TEST_P(Fragments, OfALargeEchoInEveryOrderAreAnsweredInFragments) {
  const Packet request = EchoOf(them(), us(), 8000);
  std::mt19937 random(1);
  for (int run = 0; run < 50; ++run) {
    auto fragments = Cut(request, 1280, static_cast<std::uint32_t>(run));
    if (run == 1) std::ranges::reverse(fragments);
    if (run > 1) std::ranges::shuffle(fragments, random);
    InjectAll(fragments);
    const auto reply = peer.TakeOthers();
    ASSERT_EQ(reply.size(), 6u) << run;
    for (const Packet& p : reply) EXPECT_LE(p.size(), 1500u);
    const Packet message = Joined(reply);
    const auto asked = *wire::DecodeIp(request);
    ASSERT_EQ(message.size(), asked.payload.size());
    EXPECT_EQ(message[0], static_cast<std::byte>(v6() ? 129 : 0));
    EXPECT_TRUE(std::equal(message.begin() + 4, message.end(), asked.payload.begin() + 4));
  }
  EXPECT_FALSE(Waiting());
  EXPECT_EQ(counters().payload_chunks, 0u);
  EXPECT_EQ(counters().reassembled, 50u);
}

// Replies that are under way together have different identifications.
TEST_P(Fragments, OfRepliesHaveIdentificationsOfTheirOwn) {
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < 20; ++i) {
    InjectAll(Cut(EchoOf(them(), us(), 3000), 1280, 5));
    for (const Packet& p : peer.TakeOthers()) {
      const auto ip = *wire::DecodeIp(p);
      if (ip.place.offset == 0) ids.push_back(ip.place.identification);
    }
  }
  std::ranges::sort(ids);
  EXPECT_EQ(std::ranges::unique(ids).size(), 0u);
  EXPECT_EQ(ids.size(), 20u);
}

TEST_P(Fragments, TheLongestDatagramPasses) {
  const std::size_t most = v6() ? 65535 - 8 : 65535 - 20 - 8;
  InjectAll(Cut(EchoOf(them(), us(), most), 1500));
  EXPECT_EQ(Joined(peer.TakeOthers()).size(), most + 8);
}

TEST_P(Fragments, OfASegmentReachTheirConnection) {
  const SocketId id = peer.Established();
  const std::string text(2000, 'x');
  const auto segment = peer.Make(kAck, peer.irs + 1, peer.iss + 1, {});
  InjectAll(Cut(Pack(them(), us(), segment, text), 576));
  EXPECT_EQ(peer.ReadAll(id), text);
}

// A link vouches for the packets it saw, not for what is made of them.
TEST_P(Fragments, TheChecksumOfTheWholeIsVerifiedWhateverTheLinkSays) {
  const SocketId id = peer.Established();
  const auto segment = peer.Make(kAck, peer.irs + 1, peer.iss + 1, {});
  Packet whole = Pack(them(), us(), segment, std::string(2000, 'x'));
  whole.back() ^= std::byte{1};
  for (const Packet& p : Cut(whole, 576)) {
    const RxPacket rx{.data = p, .link = 0, .checksum_ok = true};
    peer.stack->Receive(peer.now, std::span(&rx, 1));
  }
  EXPECT_EQ(peer.ReadAll(id), "");
  EXPECT_EQ(counters().bad_packets, 1u);
}

TEST_P(Fragments, DuplicatesAreTolerated) {
  auto fragments = SmallEcho();
  ASSERT_GE(fragments.size(), 2u);
  peer.Inject(fragments[0]);
  peer.Inject(fragments[0]);
  peer.Inject(Fragment(8, true, Pattern(16)));  // lies within the first
  for (std::size_t i = 1; i < fragments.size(); ++i) {
    peer.Inject(fragments[i]);
    if (i + 1 < fragments.size()) peer.Inject(fragments[i]);
  }
  EXPECT_TRUE(Answered());
}

// RFC 5722: nothing of it, not what comes later either, and no word about it.
TEST_P(Fragments, OverlappingOnesEndTheirDatagram) {
  const auto fragments = SmallEcho();
  const std::size_t end = wire::DecodeIp(fragments[0])->payload.size();
  for (const std::size_t offset : {std::size_t{8}, end - 8}) {
    for (const bool overlap_first : {false, true}) {
      const auto id = static_cast<std::uint32_t>(offset + (overlap_first ? 1 : 0));
      const auto mine = SmallEcho(id);
      const Packet evil = Fragment(offset, true, Pattern(end), id);
      peer.Inject(overlap_first ? evil : mine[0]);
      peer.Inject(overlap_first ? mine[0] : evil);
      InjectAll({mine.begin() + 1, mine.end()});
      InjectAll(mine);
      EXPECT_FALSE(Answered());
    }
  }
  EXPECT_EQ(counters().payload_chunks, 0u) << "what was kept is given back at once";
  peer.Pass(lifetime());
  EXPECT_FALSE(Answered());
  EXPECT_FALSE(Waiting());
  InjectAll(fragments);
  EXPECT_TRUE(Answered()) << "the identification is free again";
}

TEST_P(Fragments, ImpossibleLengthsEndTheirDatagram) {
  const auto run = [&](std::uint32_t id, const std::vector<Packet>& parts) {
    InjectAll(parts);
    InjectAll(SmallEcho(id));
    EXPECT_FALSE(Answered()) << id;
    EXPECT_EQ(counters().payload_chunks, 0u) << id;
  };
  // Two ends; data beyond the end; an end before the data.
  run(1, {Fragment(2000, false, Pattern(8), 1), Fragment(3000, false, Pattern(8), 1)});
  run(2, {Fragment(2000, false, Pattern(8), 2), Fragment(3000, true, Pattern(8), 2)});
  run(3, {Fragment(3000, true, Pattern(8), 3), Fragment(2000, false, Pattern(8), 3)});
}

TEST_P(Fragments, BeyondTheLengthFieldAreRefused) {
  peer.Inject(Fragment(65528, false, Pattern(100)));  // the ping of death
  const IcmpSent told = OneIcmp(peer);
  if (!v6()) {
    EXPECT_EQ(told.type, -1);
    return;
  }
  EXPECT_EQ(told.type, 4);
  EXPECT_EQ(told.code, 0);
  EXPECT_EQ(told.rest, 42u) << "the fragment offset field";
  EXPECT_FALSE(Waiting());
}

// Of all but the last the length is a multiple of 8. IPv4: Linux takes the rest off.
TEST_P(Fragments, OddLengths) {
  const Packet request = EchoOf(them(), us(), 1000);
  const auto ip = *wire::DecodeIp(request);
  const Packet payload(ip.payload.begin(), ip.payload.end());
  const auto part = [&](std::size_t from, std::size_t size) {
    return Packet(payload.begin() + static_cast<std::ptrdiff_t>(from),
                  payload.begin() + static_cast<std::ptrdiff_t>(from + size));
  };
  peer.Inject(Fragment(0, true, part(0, 507)));
  const IcmpSent told = OneIcmp(peer);
  EXPECT_EQ(told.type, v6() ? 4 : -1);
  EXPECT_EQ(told.rest, v6() ? 4u : 0u) << "the payload length field";
  peer.Inject(Fragment(504, false, part(504, payload.size() - 504)));
  EXPECT_EQ(Answered(), !v6());
  peer.Inject(Fragment(0, true, part(0, 0), 9));
  peer.Inject(Fragment(0, true, part(0, 7), 9));
  peer.Inject(Fragment(80, false, part(0, 0), 9));
  EXPECT_EQ(counters().payload_chunks, v6() ? 1u : 0u);
}

TEST_P(Fragments, TheSenderOfTheFirstIsToldWhenTimeIsOver) {
  const auto fragments = SmallEcho();
  peer.Inject(fragments[0]);
  peer.Pass(lifetime() - milliseconds(1));
  EXPECT_EQ(OneIcmp(peer).type, -1);
  EXPECT_TRUE(Waiting());
  peer.Pass(milliseconds(1));
  const IcmpSent told = OneIcmp(peer);
  EXPECT_EQ(told.type, v6() ? 3 : 11);
  EXPECT_EQ(told.code, 1);
  EXPECT_EQ(told.from, us());
  EXPECT_EQ(told.to, them());
  const std::size_t most = (v6() ? 1280 - 40 : 576 - 20) - 8;
  ASSERT_EQ(told.quote.size(), std::min(most, fragments[0].size()));
  EXPECT_TRUE(std::equal(told.quote.begin(), told.quote.end(), fragments[0].begin()))
      << "as it came, fragment fields included";
  EXPECT_FALSE(Waiting());
  EXPECT_EQ(counters().payload_chunks, 0u);
  EXPECT_EQ(counters().reassembly_timeouts, 1u);
}

TEST_P(Fragments, NobodyIsToldOfTheOthers) {
  peer.Inject(SmallEcho()[1]);
  peer.Pass(lifetime());
  EXPECT_EQ(OneIcmp(peer).type, -1);
  EXPECT_EQ(counters().reassembly_timeouts, 1u);
}

TEST_P(Fragments, HowLongTheyWaitIsASetting) {
  peer.Set(v6() ? "net.ipv6.ip6frag_time" : "net.ipv4.ipfrag_time", "3");
  peer.Inject(SmallEcho()[0]);
  peer.Pass(milliseconds(2999));
  EXPECT_TRUE(Waiting());
  peer.Pass(milliseconds(1));
  EXPECT_FALSE(Waiting());
}

TEST_P(Fragments, OfDifferentDatagramsAreNotMixed) {
  const auto a = SmallEcho(7);
  const auto b = Cut(EchoOf(peer.Address(3), us(), 1000), 576, 7);  // another source
  const auto c = SmallEcho(8);                                      // another identification
  for (std::size_t i = 0; i < a.size(); ++i) InjectAll({a[i], b[i], c[i]});
  EXPECT_EQ(peer.TakeOthers().size(), 3u);
  if (v6()) return;
  // Of IPv4 the protocol counts too.
  const Packet udp = IpPacketOf(them(), us(), 17, UdpOf(them(), us(), 1000));
  const auto d = Cut(udp, 576, 7);
  for (std::size_t i = 0; i < a.size(); ++i) InjectAll({a[i], d[i]});
  EXPECT_EQ(peer.TakeOthers().size(), 2u);
}

TEST_P(Fragments, OfNobodyOrForNobodyAreDropped) {
  for (const IpAddress& from : {us(), v6() ? IpAddress::AnyV6() : IpAddress::AnyV4()}) {
    peer.Inject(FragmentOf(from, us(), icmp(), 0, true, Pattern(64)));
  }
  peer.Inject(FragmentOf(them(), peer.Address(77), icmp(), 0, true, Pattern(64)));
  EXPECT_FALSE(Waiting());
}

TEST_P(Fragments, TinyOnesInOrderAreFine) {
  InjectAll(Cut(EchoOf(them(), us(), 1000), v6() ? 56 : 28));
  EXPECT_TRUE(Answered());
}

// Pieces without end would make every one of them cost more than the last.
TEST_P(Fragments, TooManyPiecesEndTheirDatagram) {
  for (std::size_t i = 0; i < 200; ++i) peer.Inject(Fragment(i * 16, true, Pattern(8)));
  EXPECT_EQ(counters().payload_chunks, 0u);
  EXPECT_EQ(counters().reassembly_failures, 1u);
}

// --- Bounds --------------------------------------------------------------------------------------

constexpr std::uint64_t kSmallBound = 256 << 10;

class FragmentFlood : public Fragments {
 protected:
  void SetUp() override {
    peer.Set(v6() ? "net.ipv6.ip6frag_high_thresh" : "net.ipv4.ipfrag_high_thresh", "262144");
    // Reports of what is given up would only be in the way.
    peer.Set("net.ipv4.icmp_msgs_per_sec", "0");
    before_ = counters().memory_in_use;
  }
  // Source number `n` of very many.
  IpAddress Source(std::uint32_t n) const {
    IpAddress a = peer.Address(0);
    if (!v6()) return IpAddress::V4(0xC6336400u + n % 50'000 + 10);
    a.bytes[4] = 9;
    Store32(reinterpret_cast<std::byte*>(&a.bytes[8]), n);
    return a;
  }
  void ExpectBounded() {
    const std::uint64_t now = counters().memory_in_use;
    EXPECT_LE(now - before_, kSmallBound);
  }
  std::uint64_t before_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Families, FragmentFlood, testing::Bool(),
                         [](const auto& p) { return p.param ? "Ipv6" : "Ipv4"; });

TEST_P(FragmentFlood, OfFirstFragmentsFromEverywhereStaysWithinTheBound) {
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    peer.Inject(FragmentOf(Source(i), us(), icmp(), 0, true, Pattern(64), i));
    if (i % 100 == 0) ExpectBounded();
  }
  ExpectBounded();
  EXPECT_TRUE(Waiting());
  // Who is honest, and quick, is served all the same.
  InjectAll(SmallEcho());
  EXPECT_TRUE(Answered());
  peer.Pass(lifetime());
  EXPECT_FALSE(Waiting());
  EXPECT_EQ(counters().memory_in_use, before_);
}

TEST_P(FragmentFlood, FromOneSourceTakesNothingFromOthers) {
  const auto mine = SmallEcho();
  peer.Inject(mine[0]);
  const IpAddress hostile = Source(1);
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    peer.Inject(FragmentOf(hostile, us(), icmp(), 0, true, Pattern(512), i));
    if (i % 100 != 0) continue;
    EXPECT_LE(counters().memory_in_use - before_, kSmallBound / 4 + 2 * Chunk::kSmall + 1024);
  }
  InjectAll({mine.begin() + 1, mine.end()});
  EXPECT_TRUE(Answered());
}

TEST_P(FragmentFlood, OfLargeDatagramsStaysWithinTheBound) {
  for (std::uint32_t i = 0; i < 400; ++i) {
    for (std::size_t offset = 0; offset < 60'000; offset += 4096) {
      peer.Inject(FragmentOf(Source(i), us(), icmp(), offset, true, Pattern(4088), i));
    }
    ExpectBounded();
  }
}

TEST_P(FragmentFlood, OfOverlapsStaysWithinTheBound) {
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    peer.Inject(FragmentOf(Source(i), us(), icmp(), 0, true, Pattern(64), i));
    peer.Inject(FragmentOf(Source(i), us(), icmp(), 8, true, Pattern(64), i));
    if (i % 100 == 0) ExpectBounded();
  }
}

TEST_P(FragmentFlood, WithoutRoomNothingIsPutTogether) {
  peer.Set(v6() ? "net.ipv6.ip6frag_high_thresh" : "net.ipv4.ipfrag_high_thresh", "0");
  InjectAll(SmallEcho());
  EXPECT_FALSE(Answered());
  EXPECT_FALSE(Waiting());
}

// Every allocation refused once: nothing breaks, and everything is given back.
TEST_P(Fragments, SurviveEveryRefusalOfMemory) {
  for (std::size_t refused = 0; refused < 12; ++refused) {
    TestAllocator memory;
    {
      RawPeer p(v6(), &memory);
      memory.FailAt(memory.calls() + refused);
      for (const Packet& f : Cut(EchoOf(p.theirs(), p.ours(), 9000), 576)) p.Inject(f);
      p.TakeOthers();
      p.Pass(seconds(61));
      for (const Packet& f : Cut(EchoOf(p.theirs(), p.ours(), 9000), 576, 9)) p.Inject(f);
      EXPECT_GT(p.TakeOthers().size(), 0u) << refused;
      EXPECT_EQ(p.stack->Counters().memory_in_use, 0u);
    }
    EXPECT_EQ(memory.outstanding(), 0u) << refused;
  }
}

// --- ECN (RFC 3168 §5.3) -------------------------------------------------------------------------

TEST_P(Fragments, EcnOfTheWhole) {
  struct Case {
    int first;
    int second;
    int whole;  // -1: dropped
  };
  for (const Case& c : {Case{0, 0, 0}, Case{2, 2, 2}, Case{1, 1, 1}, Case{3, 3, 3}, Case{2, 3, 3},
                        Case{3, 1, 3}, Case{0, 3, -1}, Case{2, 0, -1}}) {
    stack::TimerWheel wheel;
    Memory memory(HeapAllocator());
    ChunkPool chunks(memory);
    stack::FragmentTable table(memory, chunks, wheel);
    const auto add = [&](std::size_t offset, bool more, int tos) {
      const Packet p = FragmentOf(them(), us(), icmp(), offset, more, Pattern(64), 7, tos);
      std::vector<std::byte> whole(65575);
      const auto result =
          table.Add(At(0), *wire::DecodeIp(p), 0, SipKey{}, {1 << 20, seconds(1)}, 0, whole);
      whole.resize(result.size);
      return whole;
    };
    EXPECT_TRUE(add(0, true, c.first).empty());
    const Packet whole = add(64, false, c.second);
    ASSERT_EQ(whole.empty(), c.whole == -1) << c.first << " " << c.second;
    if (!whole.empty()) {
      EXPECT_EQ(wire::DecodeIp(whole)->tos & 3, c.whole);
    }
  }
}

// --- IPv6's own ----------------------------------------------------------------------------------

class Fragments6 : public testing::Test {
 protected:
  IpAddress us() const { return peer.ours(); }
  IpAddress them() const { return peer.theirs(); }
  // Options that may be skipped, 8 bytes with the header.
  static Packet Padding(int next) { return Octets({next, 0, 1, 4, 0, 0, 0, 0}); }
  Packet Piece(std::size_t offset, bool more, int next, const Packet& payload) {
    Packet header = Octets({next, 0, 0, 0, 0, 0, 0, 9});
    Store16(&header[2], static_cast<std::uint16_t>(offset | (more ? 1 : 0)));
    return header + payload;
  }
  RawPeer peer{true};
};

// Headers before and behind the fragment header: the former stay, the latter are put together.
TEST_F(Fragments6, WithExtensionHeadersOnBothSides) {
  const Packet echo = EchoOf(them(), us(), 500);
  const Packet message = Padding(58) + Packet(echo.begin() + 40, echo.end());
  const Packet first(message.begin(), message.begin() + 256);
  const Packet second(message.begin() + 256, message.end());
  peer.Inject(IpPacketOf(them(), us(), 0, Padding(60) + Padding(44) + Piece(0, true, 60, first)));
  peer.Inject(IpPacketOf(them(), us(), 0, Padding(44) + Piece(256, false, 60, second)));
  EXPECT_EQ(OneIcmp(peer).type, 129);
}

TEST_F(Fragments6, AnAtomicFragmentIsADatagramOfItsOwn) {
  const Packet echo = EchoOf(them(), us(), 100);
  const Packet message(echo.begin() + 40, echo.end());
  peer.Inject(IpPacketOf(them(), us(), 44, Piece(0, true, 58, Pattern(64))));  // the same name
  peer.Inject(IpPacketOf(them(), us(), 44, Piece(0, false, 58, message)));
  EXPECT_EQ(OneIcmp(peer).type, 129);
}

// RFC 7112: the first one must say what it is a fragment of.
TEST_F(Fragments6, TheFirstMustHoldTheWholeChain) {
  const Packet long_chain = Octets({58, 3}) + Packet(6);
  for (const Packet& payload : {long_chain, Padding(6) + Pattern(16)}) {
    peer.Inject(IpPacketOf(them(), us(), 44, Piece(0, true, 60, payload)));
    const IcmpSent told = OneIcmp(peer);
    EXPECT_EQ(told.type, 4);
    EXPECT_EQ(told.code, 3);
    EXPECT_EQ(told.rest, 0u);
  }
  EXPECT_EQ(peer.stack->Counters().memory_in_use, 0u);
}

// Or a stranger could have us recurse as deep as he likes.
TEST_F(Fragments6, WithinFragmentsAreDropped) {
  const Packet echo = EchoOf(them(), us(), 500);
  const Packet message(echo.begin() + 40, echo.end());
  const Packet inner = Piece(0, true, 58, Packet(message.begin(), message.begin() + 256));
  const Packet rest = Piece(256, false, 58, Packet(message.begin() + 256, message.end()));
  peer.Inject(IpPacketOf(them(), us(), 44, rest));
  peer.Inject(
      IpPacketOf(them(), us(), 44,
                 Octets({44, 0, 0, 1, 0, 0, 0, 8}) + Packet(inner.begin(), inner.begin() + 128)));
  peer.Inject(
      IpPacketOf(them(), us(), 44,
                 Octets({44, 0, 0, 128, 0, 0, 0, 8}) + Packet(inner.begin() + 128, inner.end())));
  EXPECT_EQ(OneIcmp(peer).type, -1);
  EXPECT_EQ(peer.stack->Counters().reassembled, 1u);
  EXPECT_EQ(peer.stack->Counters().bad_packets, 1u);
}

}  // namespace
}  // namespace estab::test
