// Stacks that are one host: each connection in the one that its four-tuple says, whatever way its
// packets come.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <string>
#include <vector>

#include "base/hash_index.h"
#include "base/prng.h"
#include "estab/allocator.h"
#include "stack/demux.h"
#include "unit/packets.h"

namespace estab::test {
namespace {

constexpr std::uint16_t kCount = 2;
constexpr std::uint16_t kPort = 80;

/// What one stack hands to another waits here.
class Crossing final : public ShardSink {
 public:
  struct Crossed {
    std::uint16_t owner;
    Packet bytes;
    RxPacket about;
  };
  bool HandOver(std::uint16_t owner, const RxPacket& packet) override {
    if (full) return false;
    crossed.push_back({owner, Packet(packet.data.begin(), packet.data.end()), packet});
    crossed.back().about.data = {};
    return true;
  }

  bool full = false;
  std::deque<Crossed> crossed;
};

/// A group of stacks, and a client on the other side of their link, whose packets come to the
/// stacks in turn, as if by chance.
class Shards : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    for (std::uint16_t i = 0; i < kCount; ++i) {
      StackConfig config;
      config.secret[0] = 3;
      config.shard = {.index = i, .count = kCount, .others = &crossing_};
      shards_[i].emplace(*Stack::Create(config));
      Prepare(*shards_[i], 1);
    }
    StackConfig config;
    config.secret[0] = 4;
    client_.emplace(*Stack::Create(config));
    Prepare(*client_, 2);
  }
  void TearDown() override {
    for (auto& shard : shards_) shard->CheckInvariants();
  }

  bool v6() const { return GetParam(); }
  IpAddress Address(std::uint8_t host) const {
    if (!v6()) return IpAddress::V4(0xC0000200u + host);
    IpAddress address = *IpAddress::Parse("2001:db8::");
    address.bytes[15] = host;
    return address;
  }
  Stack& shard(std::size_t i) { return *shards_[i]; }
  Stack& client() { return *client_; }

  /// A packet comes to one of the stacks, and goes on to where it belongs.
  void ArriveAt(std::size_t i, const Packet& bytes, RxPacket about = {}) {
    about.data = bytes;
    shard(i).Receive(now_, std::span(&about, 1));
    while (!crossing_.crossed.empty()) {
      Crossing::Crossed one = std::move(crossing_.crossed.front());
      crossing_.crossed.pop_front();
      one.about.data = one.bytes;
      shard(one.owner).Receive(now_, std::span(&one.about, 1));
    }
  }
  /// What waits on either side goes to the other, until all is quiet.
  void Settle() {
    for (bool moved = true; moved;) {
      moved = false;
      for (const Packet& p : SentBy(client())) {
        ArriveAt(turn_++ % kCount, p);
        moved = true;
      }
      for (auto& shard : shards_) {
        for (const Packet& p : SentBy(*shard)) {
          const RxPacket packet{.data = p};
          client().Receive(now_, std::span(&packet, 1));
          moved = true;
        }
      }
    }
  }
  std::vector<Packet> SentBy(Stack& stack) {
    Collector sink;
    sink.now = now_;
    stack.Transmit(now_, sink);
    std::vector<Packet> out;
    for (Sent& s : sink.sent) out.push_back(std::move(s.packet));
    for (Packet& p : sink.others) out.push_back(std::move(p));
    return out;
  }

  void ListenEverywhere() {
    for (std::size_t i = 0; i < kCount; ++i) listeners_[i] = Listen(shard(i), 1);
  }
  SocketId Listen(Stack& stack, std::uint8_t host) {
    const SocketId listener = *stack.Open(v6());
    EXPECT_TRUE(stack.Bind(listener, {Address(host), kPort}));
    EXPECT_TRUE(stack.Listen(now_, listener, 4096));
    return listener;
  }
  SocketId Connect(Stack& stack, std::uint8_t to) {
    const SocketId socket = *stack.Open(v6());
    const auto begun = stack.Connect(now_, socket, {Address(to), kPort});
    EXPECT_EQ(begun.error(), Error::kInProgress);
    return socket;
  }
  /// The server's end of a client's connection: in which stack, and the tuple there.
  struct Place {
    std::size_t shard;
    Tuple tuple;
  };
  Place PlaceOf(SocketId socket) {
    const Tuple theirs = *client().GetTuple(socket);
    const Tuple tuple{theirs.remote, theirs.local};
    return {shard(0).ShardOf(tuple), tuple};
  }
  /// One whose server's end is in stack `i`.
  SocketId ConnectedTo(std::size_t i) {
    for (;;) {
      const SocketId socket = Connect(client(), 1);
      if (PlaceOf(socket).shard == i) {
        Settle();
        return socket;
      }
      EXPECT_TRUE(client().Abort(now_, socket));
    }
  }
  State StateAt(std::size_t i, const Tuple& tuple) {
    const auto info = shard(i).GetInfo(now_, tuple);
    return info ? info->state : State::kClosed;
  }
  std::string ReadAll(Stack& stack, SocketId socket) {
    std::array<std::byte, 4096> into;
    std::string text;
    for (;;) {
      const auto n = stack.Read(now_, socket, into);
      if (!n || *n == 0) return text;
      text.append(reinterpret_cast<const char*>(into.data()), *n);
    }
  }
  std::uint64_t Sum(std::uint64_t StackCounters::* counter) {
    std::uint64_t sum = 0;
    for (auto& shard : shards_) sum += shard->Counters().*counter;
    return sum;
  }

  Crossing crossing_;
  std::array<std::optional<Stack>, kCount> shards_;
  std::array<SocketId, kCount> listeners_;
  std::optional<Stack> client_;
  Time now_ = At(0);
  std::size_t turn_ = 0;

 private:
  void Prepare(Stack& stack, std::uint8_t host) {
    ASSERT_TRUE(stack.AddLink({}));
    ASSERT_TRUE(stack.AddAddress(0, {Address(host), static_cast<std::uint8_t>(v6() ? 64 : 24)}));
  }
};
INSTANTIATE_TEST_SUITE_P(Families, Shards, testing::Bool(),
                         [](const auto& p) { return p.param ? "Ipv6" : "Ipv4"; });

TEST_P(Shards, EveryConnectionLivesWhereItsTupleSays) {
  ListenEverywhere();
  std::array<std::size_t, kCount> lives{};
  for (int i = 0; i < 64; ++i) {
    const SocketId socket = Connect(client(), 1);
    Settle();
    const Place place = PlaceOf(socket);
    ASSERT_EQ(client().GetInfo(now_, socket)->state, State::kEstablished);
    EXPECT_EQ(StateAt(place.shard, place.tuple), State::kEstablished);
    EXPECT_EQ(StateAt(1 - place.shard, place.tuple), State::kClosed);
    ++lives[place.shard];
    ASSERT_EQ(client().Send(now_, socket, Bytes("hello")), 5u);
    Settle();
    const SocketId accepted = *shard(place.shard).Accept(now_, listeners_[place.shard]);
    EXPECT_EQ(ReadAll(shard(place.shard), accepted), "hello");
    ASSERT_TRUE(client().Close(now_, socket));
    ASSERT_TRUE(shard(place.shard).Close(now_, accepted));
    Settle();
  }
  EXPECT_GT(lives[0], 16u);
  EXPECT_GT(lives[1], 16u);
  EXPECT_GT(shard(0).Counters().handed_over, 0u);
  EXPECT_GT(shard(1).Counters().handed_over, 0u);
  EXPECT_EQ(Sum(&StackCounters::connections_accepted), 64u);
  EXPECT_EQ(Sum(&StackCounters::resets_sent), 0u);
  // A packet counts once, though two stacks have seen it.
  EXPECT_EQ(Sum(&StackCounters::packets_in), client().Counters().packets_out);
}

TEST_P(Shards, WhoConnectsTakesAPortOfItsOwn) {
  const SocketId listener = Listen(client(), 2);
  for (int i = 0; i < 64; ++i) {
    Stack& opener = shard(static_cast<std::size_t>(i % 2));
    const SocketId socket = Connect(opener, 2);
    EXPECT_EQ(opener.ShardOf(*opener.GetTuple(socket)), i % 2);
    Settle();
    EXPECT_EQ(opener.GetInfo(now_, socket)->state, State::kEstablished);
    EXPECT_TRUE(client().Accept(now_, listener));
  }
}

TEST_P(Shards, AConnectionFromAPortOfAnotherStackIsRefused) {
  Listen(client(), 2);
  int refused = 0;
  for (std::uint16_t port = 5000; port < 5064; ++port) {
    const Tuple tuple{{Address(1), port}, {Address(2), kPort}};
    const SocketId socket = *shard(0).Open(v6());
    ASSERT_TRUE(shard(0).Bind(socket, tuple.local));
    const Error said = shard(0).Connect(now_, socket, tuple.remote).error();
    const bool ours = shard(0).ShardOf(tuple) == 0;
    EXPECT_EQ(said, ours ? Error::kInProgress : Error::kAddressNotAvailable);
    refused += ours ? 0 : 1;
  }
  EXPECT_GT(refused, 16);
  EXPECT_LT(refused, 48);
}

// Such packets never are on a link, where they could come to another.
TEST_P(Shards, AConnectionToOurselvesStaysInItsStack) {
  ListenEverywhere();
  for (int i = 0; i < 16; ++i) {
    const SocketId socket = Connect(shard(0), 1);
    Settle();
    EXPECT_EQ(shard(0).GetInfo(now_, socket)->state, State::kEstablished);
    EXPECT_TRUE(shard(0).Accept(now_, listeners_[0]));
  }
  EXPECT_EQ(Sum(&StackCounters::handed_over), 0u);
}

TEST_P(Shards, AnIcmpErrorGoesToTheConnectionThatItIsAbout) {
  ListenEverywhere();
  const SocketId socket = ConnectedTo(1);
  const Place place = PlaceOf(socket);
  const SocketId accepted = *shard(1).Accept(now_, listeners_[1]);
  ASSERT_EQ(shard(1).Send(now_, accepted, Bytes(std::string(1400, 'x'))), 1400u);
  const std::vector<Packet> offending = SentBy(shard(1));
  ASSERT_EQ(offending.size(), 1u);
  std::array<std::byte, 1280> packet;
  const auto quoted = wire::DecodeIp(offending[0]);
  const std::size_t size = v6() ? wire::EncodeIcmpError(*quoted, 2, 0, 1280, Address(9), packet)
                                : wire::EncodeIcmpError(*quoted, 3, 4, 1000, Address(9), packet);
  ASSERT_NE(size, 0u);
  ArriveAt(0, Packet(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size)));
  EXPECT_EQ(shard(0).Counters().icmp_errors_in, 0u);
  EXPECT_EQ(shard(1).Counters().icmp_errors_in, 1u);
  EXPECT_EQ(shard(1).GetInfo(now_, place.tuple)->path_mtu, v6() ? 1280u : 1000u);
}

TEST_P(Shards, FragmentsMeetAndGoOnToTheirConnection) {
  ListenEverywhere();
  for (std::size_t owner = 0; owner < kCount; ++owner) {
    const SocketId socket = ConnectedTo(owner);
    const SocketId accepted = *shard(owner).Accept(now_, listeners_[owner]);
    const std::string text(1400, 'y');
    ASSERT_EQ(client().Send(now_, socket, Bytes(text)), text.size());
    const std::vector<Packet> sent = SentBy(client());
    ASSERT_EQ(sent.size(), 1u);
    Packet packet = sent[0];
    if (!v6()) {  // routers may
      packet[6] = std::byte{0};
      Store16(&packet[10], 0);
      wire::Checksum sum;
      sum.Add(std::span(packet).first(20));
      Store16(&packet[10], sum.Finish());
    }
    const std::vector<Packet> pieces = Cut(packet, v6() ? 1280 : 576);
    for (std::size_t i = 0; i < pieces.size(); ++i) ArriveAt(i % kCount, pieces[i]);
    EXPECT_EQ(ReadAll(shard(owner), accepted), text);
  }
  // One stack has had them all together: whoever keeps the bound on what one host may leave here.
  const std::uint64_t here = shard(0).Counters().reassembled;
  EXPECT_TRUE(here == 0 || here == kCount) << here;
  EXPECT_EQ(Sum(&StackCounters::reassembled), kCount);
  EXPECT_EQ(Sum(&StackCounters::bad_packets), 0u);
}

TEST_P(Shards, APingIsAnsweredOnceByWhomItCameTo) {
  for (std::size_t i = 0; i < kCount; ++i) {
    ArriveAt(i, EchoOf(Address(2), Address(1), 56));
    EXPECT_EQ(SentBy(shard(i)).size(), 1u);
    EXPECT_EQ(SentBy(shard(1 - i)).size(), 0u);
  }
  EXPECT_EQ(Sum(&StackCounters::handed_over), 0u);
}

TEST_P(Shards, WhatIsForNobodyIsRefusedOnce) {
  for (int i = 0; i < 8; ++i) {
    Connect(client(), 1);
    Settle();
  }
  EXPECT_EQ(Sum(&StackCounters::resets_sent), 8u);
}

TEST_P(Shards, WhatALinkKnowsOfAPacketGoesWithIt) {
  ListenEverywhere();
  const SocketId socket = ConnectedTo(1);
  const SocketId accepted = *shard(1).Accept(now_, listeners_[1]);
  ASSERT_EQ(client().Send(now_, socket, Bytes("sum")), 3u);
  Packet packet = SentBy(client()).at(0);
  const auto ip = *wire::DecodeIp(packet);
  packet[ip.header.size() + 16] ^=
      std::byte{1};  // the checksum, of which the link says it is right
  ArriveAt(0, packet, {.data = {}, .checksum_ok = true, .gso_size = 3});
  EXPECT_EQ(ReadAll(shard(1), accepted), "sum");
}

TEST_P(Shards, WhatCannotBeHandedOverIsLostAndComesAgain) {
  ListenEverywhere();
  crossing_.full = true;
  const SocketId socket = Connect(client(), 1);
  const Place place = PlaceOf(socket);
  ArriveAt(1 - place.shard, SentBy(client()).at(0));
  EXPECT_EQ(shard(1 - place.shard).Counters().hand_over_losses, 1u);
  EXPECT_EQ(StateAt(place.shard, place.tuple), State::kClosed);
  crossing_.full = false;
  now_ = client().NextDeadline();
  client().Advance(now_);
  Settle();
  EXPECT_EQ(StateAt(place.shard, place.tuple), State::kEstablished);
}

TEST_P(Shards, NumbersOfConnectionsAreTheGroups) {
  ListenEverywhere();
  std::vector<ConnectionNumber> numbers;
  for (std::size_t i = 0; i < kCount; ++i) {
    for (int n = 0; n < 8; ++n) ConnectedTo(i);
    shard(i).ForEach(
        [](void* all, const ConnectionInfo& info) {
          static_cast<std::vector<ConnectionNumber>*>(all)->push_back(info.number);
        },
        &numbers, now_);
  }
  ASSERT_EQ(numbers.size(), kCount * 9u);
  std::ranges::sort(numbers);
  EXPECT_EQ(std::ranges::adjacent_find(numbers), numbers.end());
  EXPECT_EQ(numbers.front(), 1u);
}

TEST_P(Shards, LimitsAreTheGroups) {
  Stack& stack = shard(0);
  ASSERT_TRUE(stack.SetSetting("estab.mem_limit", "1000001"));
  std::array<char, kSettingTextSize> text;
  EXPECT_EQ(stack.GetSetting("estab.mem_limit", text), "1000001");
  const SocketId socket = *stack.Open(v6());
  ASSERT_TRUE(stack.Bind(socket, {Address(1), kPort}));
  ASSERT_TRUE(stack.Listen(now_, socket, 64));
  // Three records for two stacks are two for each.
  ASSERT_TRUE(stack.SetSetting("net.ipv4.tcp_max_syn_backlog", "3"));
  ASSERT_TRUE(stack.SetSetting("net.ipv4.tcp_syncookies", "0"));
  for (int i = 0; i < 64; ++i) Connect(client(), 1);
  for (const Packet& p : SentBy(client())) {
    const RxPacket packet{.data = p};
    stack.Receive(now_, std::span(&packet, 1));
  }
  EXPECT_EQ(stack.Counters().half_open, 2u);
}

TEST(ShardOf, SpreadsAndLeavesTheBitsOfTablesAlone) {
  for (const std::uint16_t count : std::array<std::uint16_t, 4>{2, 3, 5, 64}) {
    constexpr std::uint32_t kHashes = 1 << 16;
    std::vector<std::uint32_t> of(count);
    std::uint32_t low = 0;   // of those of stack 0: even hashes
    std::uint32_t high = 0;  // and hashes in the upper half
    for (std::uint32_t i = 0; i < kHashes; ++i) {
      const std::uint32_t hash = i * 0x01000193u ^ (i << 21);
      const std::uint16_t shard = stack::ShardOf(hash, count);
      ASSERT_LT(shard, count);
      ++of[shard];
      if (shard == 0) low += hash & 1;
      if (shard == 0) high += hash >> 31;
    }
    for (const std::uint32_t n : of) {
      EXPECT_GT(n, kHashes / count * 8 / 10);
      EXPECT_LT(n, kHashes / count * 12 / 10);
    }
    EXPECT_NEAR(low, of[0] / 2.0, of[0] / 5.0);
    EXPECT_NEAR(high, of[0] / 2.0, of[0] / 5.0);
  }
}

// The hashes that one stack of a group has are those of its share: its table must not mind.
TEST(ShardTable, IsAsFullAsThatOfAStackAlone) {
  for (const std::uint16_t count : std::to_array<std::uint16_t>({2, 7, 64})) {
    SCOPED_TRACE(count);
    Memory memory(HeapAllocator());
    HashIndex index(memory);
    Prng prng(count);
    constexpr std::uint32_t kEntries = 30'000;
    for (std::uint32_t i = 0; i < kEntries;) {
      const auto hash = static_cast<std::uint32_t>(prng.Next());
      if (stack::ShardOf(hash, count) != 1) continue;
      ASSERT_TRUE(index.Insert(hash, i)) << i;
      ++i;
    }
    EXPECT_LE(memory.used(), std::uint64_t{16} * kEntries);
  }
}

}  // namespace
}  // namespace estab::test
