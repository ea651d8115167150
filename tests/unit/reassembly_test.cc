// What waits ahead of a gap: against a map of bytes, and against peers that mean no good.
#include "tcp/reassembly.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/prng.h"
#include "matrix/raw_peer.h"
#include "unit/test_allocator.h"

namespace estab::tcp {
namespace {

constexpr std::uint32_t kManyRuns = 1u << 20;

class ReassemblyTest : public testing::Test {
 protected:
  ~ReassemblyTest() override { buffers.Empty(waiting); }
  bool Put(std::uint32_t at, std::uint32_t size, std::uint32_t most = kManyRuns) {
    const std::vector<std::byte> data(size, std::byte{1});
    const bool kept = Insert(buffers, waiting, most, RcvSeq(at), data);
    waiting.runs.Check(buffers.runs);
    return kept;
  }
  // Where the runs begin, in the order of their last change.
  std::vector<std::uint32_t> Fresh() const {
    std::vector<std::uint32_t> begins;
    for (Runs::Index i = waiting.runs.freshest(); i != kNoSlot; i = buffers.runs[i].staler) {
      begins.push_back(buffers.runs[i].begin.raw());
    }
    return begins;
  }

  estab::test::TestAllocator allocator;
  Memory memory{allocator};
  Buffers buffers{memory};
  Reassembly waiting;
};

// --- Against a map of bytes
// ------------------------------------------------------------------------

using Model = std::map<std::uint32_t, std::byte>;

void ExpectOverlap(const Buffers& buffers, const Reassembly& waiting, const Model& model,
                   std::uint32_t base, std::uint32_t from, std::uint32_t to) {
  const auto told = Overlap(buffers, waiting, RcvSeq(base + from), RcvSeq(base + to));
  auto first = model.lower_bound(from);
  ASSERT_EQ(told.has_value(), first != model.end() && first->first < to);
  if (!told) return;
  EXPECT_EQ(told->begin.raw() - base, first->first);
  std::uint32_t end = first->first;
  for (; end < to && model.contains(end); ++end) {
  }
  EXPECT_EQ(told->end.raw() - base, end);
}

// Delivers what has become next in order.
void Deliver(Buffers& buffers, Reassembly& waiting, Model& model, std::uint32_t base,
             std::uint32_t& next) {
  ByteQueue out;
  while (PopReached(buffers, waiting, RcvSeq(base + next), out)) {
    std::vector<std::byte> bytes(out.size());
    out.CopyOut(0, bytes);
    for (std::byte b : bytes) {
      ASSERT_TRUE(model.contains(next));
      ASSERT_EQ(model[next], b) << "at " << next;
      model.erase(next++);
    }
    out.Clear(buffers.chunks);
  }
  ASSERT_TRUE(model.empty() || model.begin()->first > next);
}

void RandomRun(std::uint32_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  Memory memory(HeapAllocator());
  Buffers buffers(memory);
  Reassembly waiting;
  Model model;
  const std::uint32_t base = 0xffffff00u;  // the numbers wrap on the way
  const std::uint32_t span = seed % 2 == 0 ? 2000 : 20'000;
  std::uint32_t next = 0;  // in order so far
  for (int step = 0; step < 600; ++step) {
    const std::uint32_t at = next + 1 + static_cast<std::uint32_t>(random() % span);
    std::vector<std::byte> data(1 + random() % 200);
    for (std::byte& b : data) b = static_cast<std::byte>(random());
    ExpectOverlap(buffers, waiting, model, base, at, at + static_cast<std::uint32_t>(data.size()));
    ASSERT_TRUE(Insert(buffers, waiting, kManyRuns, RcvSeq(base + at), data));
    waiting.runs.Check(buffers.runs);
    for (std::size_t i = 0; i < data.size(); ++i) {
      model.emplace(at + static_cast<std::uint32_t>(i), data[i]);  // the first copy wins
    }
    ASSERT_EQ(waiting.total, model.size());
    if (step % 100 == 99) {
      const std::uint32_t cut = next + 1 + static_cast<std::uint32_t>(random() % span);
      CutAt(buffers, waiting, RcvSeq(base + cut));
      model.erase(model.lower_bound(cut), model.end());
    }
    if (step % 10 != 9) continue;
    if (!model.empty() && random() % 2 == 0) next = model.begin()->first;
    Deliver(buffers, waiting, model, base, next);
    waiting.runs.Check(buffers.runs);
  }
  CutAt(buffers, waiting, RcvSeq(base + next));
  EXPECT_TRUE(waiting.runs.empty());
  EXPECT_EQ(waiting.total, 0u);
  EXPECT_EQ(buffers.chunks.live(), 0u);
  EXPECT_EQ(buffers.runs.live(), 0u);
}

TEST_F(ReassemblyTest, RandomInsertsAgainstAModel) {
  for (std::uint32_t seed = 1; seed <= 50; ++seed) RandomRun(seed);
}

// --- Piece by piece
// --------------------------------------------------------------------------------

TEST_F(ReassemblyTest, RunsAreBounded) {
  constexpr std::uint32_t kMost = 64;
  for (std::uint32_t i = 0; i < kMost; ++i) EXPECT_TRUE(Put(10 + i * 2, 1, kMost));
  EXPECT_FALSE(Put(10'000, 1, kMost));
  EXPECT_EQ(waiting.total, kMost);
  EXPECT_TRUE(Put(11, 1, kMost));  // joins two: room again
  EXPECT_EQ(waiting.runs.count(), kMost - 1);
  EXPECT_TRUE(Put(10'000, 1, kMost));
  EXPECT_EQ(Fresh().front(), 10'000u);
}

TEST_F(ReassemblyTest, WhatChangedLastIsTheFreshest) {
  Put(100, 10);
  Put(300, 10);
  Put(200, 10);
  EXPECT_EQ(Fresh(), (std::vector<std::uint32_t>{200, 300, 100}));
  Put(300, 5);  // nothing new, but it is what came last
  EXPECT_EQ(Fresh(), (std::vector<std::uint32_t>{300, 200, 100}));
  Put(110, 90);  // joins the first two
  EXPECT_EQ(Fresh(), (std::vector<std::uint32_t>{100, 300}));
  EXPECT_TRUE(Put(50, 400));  // all of it
  EXPECT_EQ(Fresh(), std::vector<std::uint32_t>{50});
  EXPECT_EQ(waiting.total, 400u);
}

TEST_F(ReassemblyTest, CutAtKeepsWhatLiesBefore) {
  Put(100, 10);
  Put(200, 10);
  CutAt(buffers, waiting, RcvSeq(105));
  ASSERT_EQ(waiting.runs.count(), 1u);
  EXPECT_EQ(buffers.runs[waiting.runs.first()].end(), RcvSeq(105));
  EXPECT_EQ(waiting.total, 5u);
}

TEST_F(ReassemblyTest, WithoutMemoryWhatIsThereStays) {
  for (std::uint64_t n = 0; n < 40; ++n) {
    buffers.Empty(waiting);
    buffers.chunks.Trim();
    allocator.FailAt(allocator.calls() + n);
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < 200; ++i) kept += Put(10 + i * 10, 5) ? 5 : 0;
    EXPECT_EQ(waiting.total, kept);
    EXPECT_EQ(waiting.runs.count() * 5, kept);
  }
}

// --- Peers that mean no good
// -------------------------------------------------------------------------

// Ascending, descending, from both ends, and by halves: no order makes finding a place slow.
TEST_F(ReassemblyTest, NoOrderIsSlow) {
  constexpr std::uint32_t kMany = 1u << 17;
  std::vector<std::uint32_t> orders[3];
  for (std::uint32_t i = 0; i < kMany; ++i) {
    orders[0].push_back(kMany - 1 - i);
    orders[1].push_back(i % 2 == 0 ? i / 2 : kMany - 1 - i / 2);
    std::uint32_t reversed = 0;
    for (int bit = 0; bit < 17; ++bit) reversed |= (i >> bit & 1) << (16 - bit);
    orders[2].push_back(reversed);
  }
  Runs runs;
  for (const auto& order : orders) {
    for (const std::uint32_t i : order) {
      const RcvSeq at(i * 2);
      const Runs::Index run = runs.AddAfter(buffers.runs, runs.Floor(buffers.runs, at), at);
      ASSERT_NE(run, kNoSlot);
      const std::byte one{1};
      buffers.runs[run].bytes.Append(buffers.chunks, {&one, 1});
      if (runs.count() > 4096) {  // a chunk each: not too many at once
        const Runs::Index gone = runs.Floor(buffers.runs, at);
        buffers.runs[gone].bytes.Clear(buffers.chunks);
        runs.Remove(buffers.runs, gone);
      }
    }
    runs.Check(buffers.runs);
    for (Runs::Index i = runs.first(); i != kNoSlot; i = runs.first()) {
      buffers.runs[i].bytes.Clear(buffers.chunks);
      runs.Remove(buffers.runs, i);
    }
  }
}

TEST_F(ReassemblyTest, RemovingKeepsTheTreeBalanced) {
  Prng random(7);
  std::vector<std::uint32_t> there;
  for (int step = 0; step < 4000; ++step) {
    const bool add = there.size() < 8 || random.Next() % 2 == 0;
    if (add) {
      const auto at = static_cast<std::uint32_t>(random.Next() % 100'000) * 10;
      if (Overlap(buffers, waiting, RcvSeq(at), RcvSeq(at + 1))) continue;
      ASSERT_TRUE(Put(at, 1));
      there.push_back(at);
    } else {
      const std::size_t n = random.Next() % there.size();
      const Runs::Index run = waiting.runs.Floor(buffers.runs, RcvSeq(there[n]));
      ASSERT_EQ(buffers.runs[run].begin.raw(), there[n]);
      buffers.runs[run].bytes.Clear(buffers.chunks);
      waiting.runs.Remove(buffers.runs, run);
      waiting.runs.Check(buffers.runs);
      --waiting.total;
      std::swap(there[n], there.back());
      there.pop_back();
    }
  }
}

}  // namespace
}  // namespace estab::tcp

namespace estab::test {
namespace {

// --- Through the stack
// -------------------------------------------------------------------------------

constexpr std::uint32_t kPiece = 1448;

class Gaps : public testing::Test {
 protected:
  void Open(const char* rmem) {
    peer.Set("net.ipv4.tcp_rmem", rmem);
    id = peer.Established();
  }
  void Give(std::uint32_t at, std::uint32_t size) {
    static const std::string text(kPiece, 'd');
    peer.Segment(kAck, peer.irs + 1 + at, peer.iss + 1,
                 {.data = std::string_view(text).substr(0, size)});
  }

  RawPeer peer;
  SocketId id;
};

TEST_F(Gaps, EveryOtherSegmentOfALargeWindowWaits) {
  Open("4096 4194304 6291456");
  constexpr std::uint32_t kCount = 1400;
  for (std::uint32_t n = 1; n < kCount; n += 2) Give(n * kPiece, kPiece);
  peer.Take();
  for (std::uint32_t n = 0; n < kCount; n += 2) Give(n * kPiece, kPiece);
  const auto sent = peer.Take();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent.back().segment.ack - peer.irs - 1, kCount * kPiece);
  EXPECT_EQ(peer.ReadAll(id).size(), kCount * kPiece);
}

// Single bytes with gaps take a chunk each: what they take is bounded by the buffer's size.
TEST_F(Gaps, SingleBytesTakeNoMoreThanTwiceTheBuffer) {
  Open("4096 131072 131072");
  for (std::uint32_t n = 1; n < 2000; n += 2) Give(n, 1);
  peer.Take();
  EXPECT_LE(peer.stack->Counters().memory_in_use, 131'072u * 2 + 100'000u);
}

}  // namespace
}  // namespace estab::test
