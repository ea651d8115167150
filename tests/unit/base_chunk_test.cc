#include "base/chunk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "base/prng.h"
#include "test_allocator.h"

namespace estab {
namespace {

std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
std::string RandomText(Prng& prng, std::size_t n) {
  std::string text(n, ' ');
  for (char& c : text) c = static_cast<char>('a' + prng.Below(26));
  return text;
}
std::string TextOf(const Slice& slice) {
  return {reinterpret_cast<const char*>(slice.data), slice.size};
}

// A queue beside a string that should hold the same, and pieces of it that are lent.
class ChunkModel {
 public:
  explicit ChunkModel(std::uint64_t seed) : prng_(seed), memory_(allocator_), pool_(memory_) {}
  ~ChunkModel() {
    queue_.Clear(pool_);
    while (!loans_.empty()) EndLoan(0);
    EXPECT_EQ(pool_.live(), 0u);
    EXPECT_EQ(pool_.live_bytes(), 0u);
    pool_.Trim();
    EXPECT_EQ(memory_.used(), 0u);
    EXPECT_EQ(allocator_.outstanding(), 0u);
  }

  void Step() {
    switch (prng_.Below(8)) {
      case 0:
      case 1:
        Append();
        break;
      case 2:
        Consume(prng_.Below(text_.size() + 1));
        break;
      case 3:
        Truncate(prng_.Below(std::min<std::size_t>(text_.size(), 9000) + 1));
        break;
      case 4:
        Splice();
        break;
      case 5:
        if (prng_.Chance(1, 30)) {
          queue_.Clear(pool_);
          text_.clear();
        }
        break;
      case 6:
        CopyOut();
        break;
      default:
        Gather();
        break;
    }
    if (!loans_.empty() && prng_.Chance(1, 4)) EndLoan(prng_.Below(loans_.size()));
    if (loans_.size() > 40) EndLoan(0);
    ASSERT_EQ(queue_.size(), text_.size());
    ASSERT_EQ(queue_.empty(), text_.empty());
  }

 private:
  struct Loan {
    Chunk* chunk;
    Slice slice;
    std::string text;
  };

  void Append() {
    const std::size_t most = prng_.Chance(1, 20) ? 150000 : 6000;
    const std::string more = RandomText(prng_, prng_.Below(most));
    ASSERT_EQ(queue_.Append(pool_, BytesOf(more)), more.size());
    text_ += more;
  }
  void Consume(std::size_t n) {
    if (prng_.Chance(1, 2)) n = std::min<std::size_t>(n, 3000);
    queue_.Consume(pool_, n);
    text_.erase(0, n);
  }
  void Truncate(std::size_t n) {
    queue_.Truncate(pool_, n);
    text_.resize(text_.size() - n);
  }
  void Splice() {
    ByteQueue other;
    const std::string more = RandomText(prng_, prng_.Below(9000));
    ASSERT_EQ(other.Append(pool_, BytesOf(more)), more.size());
    if (!more.empty()) {
      Slice slice[4];
      ASSERT_NE(other.Gather(more.size() - 1, 1, slice), 0u);  // a cursor that must not come along
    }
    queue_.Splice(pool_, other);
    ASSERT_TRUE(other.empty());
    text_ += more;
    // What was spliced away starts afresh.
    const std::string afresh = RandomText(prng_, 1 + prng_.Below(100));
    ASSERT_EQ(other.Append(pool_, BytesOf(afresh)), afresh.size());
    Slice slice;
    ASSERT_EQ(other.Gather(0, afresh.size(), std::span(&slice, 1)), 1u);
    ASSERT_EQ(TextOf(slice), afresh);
    std::string last(1, '?');
    ASSERT_EQ(other.CopyOut(afresh.size() - 1, std::as_writable_bytes(std::span(last))), 1u);
    ASSERT_EQ(last[0], afresh.back());
    other.Clear(pool_);
  }
  void CopyOut() {
    const std::size_t offset = prng_.Below(text_.size() + 10);
    std::string out(prng_.Below(20000), '?');
    const std::size_t n =
        queue_.CopyOut(offset, std::as_writable_bytes(std::span(out.data(), out.size())));
    const std::size_t there = offset < text_.size() ? text_.size() - offset : 0;
    ASSERT_EQ(n, std::min(out.size(), there));
    ASSERT_EQ(out.substr(0, n), there == 0 ? "" : text_.substr(offset, n));
  }
  void Gather() {
    const std::size_t offset = prng_.Below(text_.size() + 1);
    const std::size_t n = prng_.Below(std::min<std::size_t>(text_.size() - offset, 30000) + 1);
    std::array<Slice, 64> slices;
    std::array<Chunk*, 64> chunks{};
    const std::size_t count = queue_.Gather(offset, n, slices, chunks.data());
    std::string got;
    for (std::size_t i = 0; i < count; ++i) {
      got += TextOf(slices[i]);
      if (prng_.Chance(1, 3)) {
        pool_.Ref(chunks[i]);
        loans_.push_back({chunks[i], slices[i], TextOf(slices[i])});
      }
    }
    if (count == 0 && n > 0) {
      // Too many pieces, which must be true: each but the first and last is a chunk's worth.
      std::vector<Slice> more(n);
      ASSERT_GT(queue_.Gather(offset, n, more), slices.size());
      return;
    }
    ASSERT_EQ(got, text_.substr(offset, n));
    if (count > 1) {
      ASSERT_EQ(queue_.Gather(offset, n, std::span(slices).first(count - 1)), 0u);
    }
  }
  // Whatever happened to the queue since, lent bytes have not changed.
  void EndLoan(std::size_t i) {
    EXPECT_EQ(TextOf(loans_[i].slice), loans_[i].text);
    pool_.Unref(loans_[i].chunk);
    loans_.erase(loans_.begin() + static_cast<std::ptrdiff_t>(i));
  }

  Prng prng_;
  test::TestAllocator allocator_;
  Memory memory_;
  ChunkPool pool_;
  ByteQueue queue_;
  std::string text_;
  std::vector<Loan> loans_;
};

TEST(ByteQueue, AgreesWithAString) {
  for (std::uint64_t seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    ChunkModel model(seed);
    for (int step = 0; step < 1000 && !testing::Test::HasFatalFailure(); ++step) model.Step();
    if (testing::Test::HasFailure()) return;
  }
}

TEST(ByteQueue, DoesNotWriteBehindLentBytes) {
  test::TestAllocator allocator;
  Memory memory(allocator);
  ChunkPool pool(memory);
  ByteQueue queue;
  queue.Append(pool, BytesOf("in flight"));
  Slice slice;
  Chunk* chunk = nullptr;
  ASSERT_EQ(queue.Gather(0, 9, std::span(&slice, 1), &chunk), 1u);
  pool.Ref(chunk);
  queue.Truncate(pool, 6);
  queue.Append(pool, BytesOf("XXXXXX"));
  EXPECT_EQ(TextOf(slice), "in flight");
  EXPECT_EQ(pool.live(), 2u);
  queue.Clear(pool);
  EXPECT_EQ(TextOf(slice), "in flight");
  EXPECT_EQ(pool.live(), 1u);
  pool.Unref(chunk);
  EXPECT_EQ(pool.live(), 0u);
}

TEST(ByteQueue, SharesChunksAmongSmallAppends) {
  test::TestAllocator allocator;
  Memory memory(allocator);
  ChunkPool pool(memory);
  ByteQueue queue;
  const std::string text(1000, 'x');
  for (int i = 0; i < 4; ++i) queue.Append(pool, BytesOf(text));
  EXPECT_EQ(pool.live(), 1u);
  EXPECT_EQ(pool.live_bytes(), Chunk::kSmall);
  queue.Append(pool, BytesOf(text));
  EXPECT_EQ(pool.live(), 2u);
  queue.Clear(pool);
  queue.Append(pool, BytesOf(std::string(Chunk::kSmall, 'x')));
  EXPECT_EQ(pool.live_bytes(), Chunk::kSmall);
  queue.Clear(pool);
  queue.Append(pool, BytesOf(std::string(Chunk::kSmall + 1, 'x')));
  EXPECT_EQ(pool.live(), 1u);
  EXPECT_EQ(pool.live_bytes(), Chunk::kLarge);
  queue.Clear(pool);
}

// A walk over 8192 chunks in small steps takes milliseconds; from the head each time, many seconds.
TEST(ByteQueue, WalksWithoutStartingOver) {
  constexpr std::size_t kChunks = 8192;
  constexpr std::size_t kStep = 256;
  test::TestAllocator allocator;
  Memory memory(allocator);
  ChunkPool pool(memory);
  ByteQueue queue;
  const std::string text(Chunk::kSmall, 'x');
  for (std::size_t i = 0; i < kChunks; ++i) queue.Append(pool, BytesOf(text));
  ASSERT_EQ(pool.live(), kChunks);
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t offset = 0; offset < queue.size(); offset += kStep) {
    Slice slice;
    ASSERT_EQ(queue.Gather(offset, kStep, std::span(&slice, 1)), 1u);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(500));
  queue.Clear(pool);
}

TEST(ChunkPool, ReusesAndGivesBack) {
  test::TestAllocator allocator;
  Memory memory(allocator);
  ChunkPool pool(memory);
  Chunk* chunk = pool.Allocate(1);
  pool.Unref(chunk);
  EXPECT_EQ(pool.kept_bytes(), Chunk::kSmall);
  EXPECT_EQ(pool.Allocate(1), chunk);
  EXPECT_EQ(allocator.calls(), 1u);
  pool.Unref(chunk);
  // What is kept has a bound.
  std::vector<Chunk*> chunks;
  for (int i = 0; i < 400; ++i) chunks.push_back(pool.Allocate(Chunk::kLarge));
  for (Chunk* c : chunks) pool.Unref(c);
  EXPECT_LE(pool.kept_bytes(), 400 * Chunk::kLarge / 2 + Chunk::kSmall);
  EXPECT_GE(pool.kept_bytes(), ChunkPool::kKeep - Chunk::kLarge);
  pool.Trim();
  EXPECT_EQ(pool.kept_bytes(), 0u);
  EXPECT_EQ(memory.used(), 0u);
}

TEST(ChunkPool, UsesTheLastOfTheBudget) {
  test::TestAllocator allocator;
  Memory memory(allocator);
  memory.set_limit(Chunk::kLarge + 2 * Chunk::kSmall);
  ChunkPool pool(memory);
  Chunk* small = pool.Allocate(1);
  Chunk* large = pool.Allocate(Chunk::kLarge);
  ASSERT_NE(large, nullptr);
  EXPECT_EQ(large->capacity, Chunk::kLarge);
  EXPECT_EQ(pool.Allocate(1), nullptr);
  pool.Unref(large);
  // The large one is kept, and stands in the way of small ones: it must yield.
  Chunk* second = pool.Allocate(1);
  ASSERT_NE(second, nullptr);
  // No room for a large one now, but for a small one in its place.
  Chunk* third = pool.Allocate(Chunk::kLarge);
  ASSERT_NE(third, nullptr);
  EXPECT_EQ(third->capacity, Chunk::kSmall);
  for (Chunk* chunk : {small, second, third}) pool.Unref(chunk);
}

}  // namespace
}  // namespace estab
