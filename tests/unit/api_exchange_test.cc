// Packets from thread to thread: all of them, in order, whole, or refused.
#include "api/exchange.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <thread>
#include <vector>

#include "api/packet_ring.h"

namespace estab::api {
namespace {

using Bytes = std::vector<std::byte>;

// Its size and bytes follow from its number.
Bytes PacketOf(std::size_t number) {
  Bytes bytes(20 + number * 37 % 3000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(number + i * 7);
  return bytes;
}
RxPacket About(const Bytes& bytes) { return {.data = bytes}; }
void ExpectPacket(const RxPacket& packet, std::size_t number) {
  const Bytes wanted = PacketOf(number);
  ASSERT_EQ(packet.data.size(), wanted.size()) << number;
  EXPECT_TRUE(std::equal(wanted.begin(), wanted.end(), packet.data.begin())) << number;
}

TEST(PacketRing, KeepsPacketsAndWhatIsKnownOfThem) {
  PacketRing ring;
  std::array<RxPacket, 4> room;
  EXPECT_TRUE(ring.Peek(room).empty());
  const Bytes bytes = PacketOf(5);
  ASSERT_TRUE(ring.Push({.data = bytes, .link = 3, .checksum_ok = true, .gso_size = 1448}));
  ASSERT_TRUE(ring.Push({.data = {}}));
  const auto two = ring.Peek(room);
  ASSERT_EQ(two.size(), 2u);
  ExpectPacket(two[0], 5);
  EXPECT_EQ(two[0].link, 3);
  EXPECT_TRUE(two[0].checksum_ok);
  EXPECT_EQ(two[0].gso_size, 1448);
  EXPECT_TRUE(two[1].data.empty());
  EXPECT_FALSE(two[1].checksum_ok);
  EXPECT_EQ(ring.Peek(room).size(), 2u);  // nothing goes before Pop
  ring.Pop();
  EXPECT_TRUE(ring.Peek(room).empty());
}

TEST(PacketRing, RefusesWhatFindsNoRoomAndGoesOn) {
  PacketRing ring;
  std::array<RxPacket, 64> room;
  std::size_t pushed = 0;
  std::size_t popped = 0;
  for (int round = 0; round < 20; ++round) {
    while (ring.Push(About(PacketOf(pushed)))) ++pushed;
    while (pushed - popped > 7) {  // some stay, so that every round begins elsewhere
      const std::size_t most = std::min(room.size(), pushed - popped - 7);
      for (const RxPacket& packet : ring.Peek(std::span(room).first(most))) {
        ExpectPacket(packet, popped++);
      }
      ring.Pop();
    }
  }
  EXPECT_GT(pushed, 1000u);
}

TEST(PacketRing, TakesTheLongestPackets) {
  PacketRing ring;
  const Bytes longest(65535 + 40);
  ASSERT_TRUE(ring.Push(About(longest)));
  ASSERT_TRUE(ring.Push(About(longest)));
  ASSERT_TRUE(ring.Push(About(longest)));
  EXPECT_FALSE(ring.Push(About(longest)));
}

bool Readable(int fd) {
  pollfd p{fd, POLLIN, 0};
  return poll(&p, 1, 0) == 1;
}

TEST(Exchange, IsForOneToManyStacks) {
  EXPECT_EQ(Exchange::Create(0).error(), Error::kInvalid);
  EXPECT_EQ(Exchange::Create(Exchange::kMost + 1).error(), Error::kInvalid);
  const auto one = Exchange::Create(1).value();
  EXPECT_EQ(one->end(0).shard().count, 1);
  const auto many = Exchange::Create(Exchange::kMost).value();
  EXPECT_EQ(many->end(63).shard().index, 63);
}

TEST(Exchange, WakesOnceAndOnlyWhomItConcerns) {
  const auto exchange = Exchange::Create(3).value();
  auto& from = exchange->end(0);
  auto& to = exchange->end(2);
  const Bytes bytes = PacketOf(1);
  ASSERT_TRUE(from.HandOver(2, About(bytes)));
  EXPECT_FALSE(Readable(to.fd()));
  from.Flush();
  EXPECT_TRUE(Readable(to.fd()));
  EXPECT_FALSE(Readable(exchange->end(1).fd()));
  std::size_t seen = 0;
  const auto see = [&](std::span<const RxPacket> packets) {
    for (const RxPacket& packet : packets) ExpectPacket(packet, 1);
    seen += packets.size();
  };
  // Whoever is awake collects without asking the system, and is woken once for nothing.
  EXPECT_EQ(to.Collect(false, see), 1u);
  EXPECT_TRUE(Readable(to.fd()));
  EXPECT_EQ(to.Collect(true, see), 0u);
  EXPECT_FALSE(Readable(to.fd()));
  EXPECT_EQ(seen, 1u);
}

TEST(Exchange, WhoHasMoreThanATurnsWorkIsWokenAgain) {
  const auto exchange = Exchange::Create(2).value();
  const Bytes bytes(20);
  std::size_t handed = 0;
  while (exchange->end(0).HandOver(1, About(bytes))) ++handed;
  exchange->end(0).Flush();
  std::size_t collected = 0;
  while (Readable(exchange->end(1).fd())) {
    const std::size_t n = exchange->end(1).Collect(true, [](std::span<const RxPacket>) {});
    EXPECT_LE(n, 256u);
    collected += n;
  }
  EXPECT_GT(handed, 256u);
  EXPECT_EQ(collected, handed);
}

// Two stacks that do not agree whose a packet is, since their secrets differ.
TEST(Exchange, NothingGoesToAndFro) {
  const auto exchange = Exchange::Create(2).value();
  auto& a = exchange->end(0);
  auto& b = exchange->end(1);
  const Bytes bytes = PacketOf(1);
  const Bytes other = PacketOf(2);
  ASSERT_TRUE(a.HandOver(1, About(bytes)));
  a.Flush();
  EXPECT_EQ(b.Collect(true,
                      [&](std::span<const RxPacket> packets) {
                        EXPECT_FALSE(b.HandOver(0, packets[0]));
                        // What was made of it, of fragments say, may go on.
                        EXPECT_TRUE(b.HandOver(0, About(other)));
                      }),
            1u);
}

TEST(Exchange, BetweenThreadsNothingIsLostOrMixed) {
  constexpr std::size_t kPackets = 5'000;
  const auto exchange = Exchange::Create(3).value();
  std::array<std::size_t, 3> got{};
  const auto run = [&](std::uint16_t self) {
    auto& end = exchange->end(self);
    const auto to = static_cast<std::uint16_t>((self + 1) % 3);
    std::size_t sent = 0;
    std::size_t& next = got[self];
    while (sent < kPackets || next < kPackets) {
      for (int i = 0; i < 16 && sent < kPackets && end.HandOver(to, About(PacketOf(sent))); ++i) {
        ++sent;
      }
      end.Flush();
      // Sleeps when it has nothing to send: a wake-up that is lost would show as a time-out here.
      const bool sleeps = sent == kPackets && next < kPackets;
      pollfd p{end.fd(), POLLIN, 0};
      const int n = poll(&p, 1, sleeps ? 10'000 : 0);
      ASSERT_TRUE(n > 0 || !sleeps) << "nobody woke " << self;
      end.Collect(n > 0, [&](std::span<const RxPacket> packets) {
        for (const RxPacket& packet : packets) ExpectPacket(packet, next++);
      });
    }
  };
  std::vector<std::thread> threads;
  for (std::uint16_t i = 0; i < 3; ++i) threads.emplace_back(run, i);
  for (std::thread& thread : threads) thread.join();
  for (const std::size_t n : got) EXPECT_EQ(n, kPackets);
}

}  // namespace
}  // namespace estab::api
