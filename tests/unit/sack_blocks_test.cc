// The SACK blocks that we send: what came ahead of a gap, and what came twice.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "matrix/raw_peer.h"

namespace estab::test {
namespace {

struct Block {
  std::uint32_t left, right;
  bool operator==(const Block&) const = default;
};
using Blocks = std::vector<Block>;

void PrintTo(const Block& block, std::ostream* out) {
  *out << "[" << block.left << "," << block.right << ")";
}

// Bytes of the peer's stream are named by their place in it.
class SackBlocks : public testing::Test {
 protected:
  void SetUp() override { id = peer.Established(); }
  wire::Segment Data(std::uint32_t from, std::uint32_t to) {
    return peer.Make(kAck, peer.irs + 1 + from, peer.iss + 1, {.data = Text(from, to)});
  }
  static std::string_view Text(std::uint32_t from, std::uint32_t to) {
    static const std::string all(10'000, 'd');
    return std::string_view(all).substr(from, to - from);
  }
  // Gives [from, to), and tells the blocks of the ACK that answers at once.
  Blocks Give(std::uint32_t from, std::uint32_t to) {
    peer.Segment(kAck, peer.irs + 1 + from, peer.iss + 1, {.data = Text(from, to)});
    const auto sent = peer.Take();
    return sent.empty() ? Blocks{} : BlocksOf(sent.back());
  }
  Blocks BlocksOf(const Sent& sent) {
    Blocks blocks;
    for (std::uint8_t i = 0; i < sent.segment.options.sack_count; ++i) {
      const wire::SackBlock& b = sent.segment.options.sack[i];
      blocks.push_back({b.left - peer.irs - 1, b.right - peer.irs - 1});
    }
    return blocks;
  }

  RawPeer peer;
  SocketId id;
};

TEST_F(SackBlocks, WhatChangedLastLeadsThenWhatChangedBefore) {
  EXPECT_EQ(Give(500, 600), (Blocks{{500, 600}}));
  EXPECT_EQ(Give(300, 400), (Blocks{{300, 400}, {500, 600}}));
  EXPECT_EQ(Give(700, 800), (Blocks{{700, 800}, {300, 400}, {500, 600}}));
  EXPECT_EQ(Give(900, 950),
            (Blocks{{900, 950}, {700, 800}, {300, 400}}));  // three, with timestamps
  EXPECT_EQ(Give(600, 650), (Blocks{{500, 650}, {900, 950}, {700, 800}}));
  EXPECT_EQ(Give(400, 500), (Blocks{{300, 650}, {900, 950}, {700, 800}}));  // joins two
}

TEST_F(SackBlocks, WhatLiesBeforeTheStreamIsNone) {
  Give(0, 100);
  EXPECT_EQ(Give(0, 100), (Blocks{{0, 100}}));
  peer.Segment(kAck, peer.irs + 1 - 5000, peer.iss + 1, {.data = Text(0, 100)});
  for (const Sent& sent : peer.Take()) EXPECT_EQ(BlocksOf(sent), Blocks{});
}

TEST_F(SackBlocks, WhatFillsTheGapAndReachesOverWhatWaitedIsOneInPart) {
  Give(500, 600);
  EXPECT_EQ(Give(0, 550), (Blocks{{500, 550}}));
}

TEST_F(SackBlocks, OldDataAgainIsADuplicate) {
  Give(0, 100);
  EXPECT_EQ(Give(0, 100), (Blocks{{0, 100}}));
  EXPECT_EQ(Give(20, 50), (Blocks{{20, 50}}));
  EXPECT_EQ(Give(100, 200), Blocks{});  // told once
}

TEST_F(SackBlocks, ThePartThatIsOldIsADuplicate) {
  Give(0, 100);
  EXPECT_EQ(Give(50, 150), (Blocks{{50, 100}}));
  EXPECT_EQ(peer.ReadAll(id).size(), 150u);
}

TEST_F(SackBlocks, ADuplicateAheadOfAGapComesBeforeTheRunThatHoldsIt) {
  Give(200, 300);
  Give(500, 600);
  EXPECT_EQ(Give(200, 300), (Blocks{{200, 300}, {200, 300}, {500, 600}}));
  EXPECT_EQ(Give(550, 650), (Blocks{{550, 600}, {500, 650}, {200, 300}}));
}

TEST_F(SackBlocks, EachOfTwoDuplicatesInOneBatchIsTold) {
  Give(0, 200);
  peer.Take();
  const auto one = Pack(peer.theirs(), peer.ours(), Data(0, 100), Text(0, 100));
  const auto other = Pack(peer.theirs(), peer.ours(), Data(100, 200), Text(100, 200));
  const RxPacket batch[] = {{.data = one}, {.data = other}};
  peer.stack->Receive(peer.now, batch);
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(BlocksOf(sent[0]), (Blocks{{0, 100}}));
  EXPECT_EQ(BlocksOf(sent[1]), (Blocks{{100, 200}}));
}

TEST_F(SackBlocks, NothingIsToldWithoutTcpDsackAndNothingStays) {
  peer.Set("net.ipv4.tcp_dsack", "0");
  Give(0, 100);
  EXPECT_EQ(Give(0, 100), Blocks{});
}

TEST_F(SackBlocks, AProbeOfOurWindowIsNoDuplicate) {
  Give(0, 100);
  peer.Segment(kAck, peer.irs + 100, peer.iss + 1);
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(BlocksOf(sent[0]).empty());
}

// --- PAWS on a path that reorders ----------------------------------------------------------------

// [0,100) is lost and comes again; [100,200) is overtaken, with a timestamp `age_ms` older than
// that repeat's; what lies behind has arrived, if `gap`. Bytes that can be read then.
std::size_t ReadAfterOvertaken(const char* profile, std::int32_t age_ms, bool gap) {
  RawPeer peer;
  peer.Set("estab.profile", profile);
  const SocketId id = peer.Connect();
  peer.Pass(milliseconds(100));
  peer.Segment(kSyn | kAck, peer.irs, peer.iss + 1);
  peer.Pass(milliseconds(500));
  const std::string text(100, 'd');
  const auto give = [&](std::uint32_t from, std::int32_t age) {
    Extra extra{.data = text};
    extra.ts_age = age;
    peer.Segment(kAck, peer.irs + 1 + from, peer.iss + 1, extra);
  };
  if (gap) give(200, 0);
  give(0, 0);
  give(100, age_ms);
  return peer.ReadAll(id).size();
}

TEST(Paws, SparesWhatARepeatOvertookWithinARoundTrip) {
  EXPECT_EQ(ReadAfterOvertaken("default", 60, true), 300u);
  EXPECT_EQ(ReadAfterOvertaken("default", 100, true), 300u);
  EXPECT_EQ(ReadAfterOvertaken("default", 101, true), 100u);
  EXPECT_EQ(ReadAfterOvertaken("default", 60, false), 100u);  // nothing says that it was overtaken
  EXPECT_EQ(ReadAfterOvertaken("linux", 60, true), 100u);
  EXPECT_EQ(ReadAfterOvertaken("rfc", 60, true), 100u);
}

}  // namespace
}  // namespace estab::test
