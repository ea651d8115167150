// The scoreboard against a plain model of it.
#include <gtest/gtest.h>

#include <vector>

#include "base/bit_tree.h"
#include "base/prng.h"
#include "tcp/flight.h"

namespace estab::tcp {
namespace {

using Where = SentSegment::Where;

std::uint32_t Pick(Prng& random, std::size_t bound) {
  return static_cast<std::uint32_t>(random.Below(bound));
}

TEST(BitTree, FilledHasAllBelowItsCapacityAndNoneBeyond) {
  for (const std::uint32_t capacity : {1u, 63u, 64u, 65u, 4096u, 4097u, 65536u}) {
    SCOPED_TRACE(capacity);
    std::vector<std::uint64_t> words(BitTree::WordsFor(capacity));
    BitTree set;
    set.Begin(words.data(), capacity);
    set.Fill();
    std::uint32_t members = 0;
    for (std::uint32_t i = set.Next(0); i != capacity; ++members) {
      ASSERT_EQ(i, members);
      set.Remove(i);
      i = set.Next(0);
    }
    EXPECT_EQ(members, capacity);
  }
}

TEST(BitTree, FindsTheNextAcrossLevels) {
  for (const std::uint32_t capacity : {1u, 8u, 64u, 65u, 4096u, 100'000u}) {
    std::vector<std::uint64_t> words(BitTree::WordsFor(capacity));
    BitTree set;
    set.Begin(words.data(), capacity);
    EXPECT_EQ(set.Next(0), capacity);
    Prng random(capacity);
    std::vector<bool> model(capacity);
    for (int step = 0; step < 2000; ++step) {
      const std::uint32_t i = Pick(random, capacity);
      if (Pick(random, 3) != 0) {
        set.Add(i);
        model[i] = true;
      } else {
        set.Remove(i);
        model[i] = false;
      }
      const std::uint32_t from = Pick(random, capacity);
      std::uint32_t next = from;
      while (next < capacity && !model[next]) ++next;
      ASSERT_EQ(set.Next(from), next) << capacity << " step " << step;
    }
  }
}

// A flight and what it should be: random sends, losses, SACKs and ACKs, across the wrap of the
// sequence space and the growth of the ring.
TEST(Flight, AgreesWithAModel) {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    Memory memory{HeapAllocator()};
    RingPool pool(memory);
    Flight flight;
    Prng random(seed);
    Time now{};
    SndSeq next(0u - 50'000u);
    struct Piece {
      SndSeq begin, end;
      Where where;
      Time sent_at;
    };
    std::vector<Piece> model;
    for (int step = 0; step < 3000; ++step) {
      now += std::chrono::microseconds(Pick(random, 100));
      const unsigned what = Pick(random, 10);
      if (what < 5 && model.size() < 300) {
        ASSERT_TRUE(flight.Reserve(pool));
        const SndSeq end = next + 1 + Pick(random, 1448);
        flight.Add(next, end, now);
        model.push_back({next, end, Where::kInFlight, now});
        next = end;
      } else if (model.empty()) {
        continue;
      } else if (what < 7) {
        const std::size_t n = Pick(random, model.size());
        const Flight::Index i = flight.Find(model[n].begin);
        ASSERT_EQ(flight[i].end.raw(), model[n].end.raw());
        ASSERT_EQ(flight.BeginOf(i).raw(), model[n].begin.raw());
        if (model[n].where == Where::kSacked) continue;
        if (what == 5) {
          if (!flight.Overtaken(flight[i])) flight.NoteLatest(i);
          flight.MarkSacked(i);
        } else if (model[n].where != Where::kLost)
          flight.MarkLost(i);
        model[n].where = what == 5 ? Where::kSacked : Where::kLost;
      } else if (what == 7) {
        Flight::Index i;
        std::size_t n = 0;
        while (n < model.size() && model[n].where != Where::kLost) ++n;
        ASSERT_EQ(flight.FirstLost(i), n < model.size());
        if (n == model.size()) continue;
        ASSERT_EQ(flight.BeginOf(i).raw(), model[n].begin.raw());
        flight.Repeat(i, now);
        model[n].where = Where::kInFlight;
        model[n].sent_at = now;
      } else if (what == 8) {
        flight.PopFirst();
        model.erase(model.begin());
      } else if (Pick(random, 20) == 0) {
        flight.ReviveLost();
        for (Piece& p : model) p.where = p.where == Where::kLost ? Where::kInFlight : p.where;
      }
      flight.Check();
      std::uint32_t pipe = 0;
      for (const Piece& p : model) {
        if (p.where == Where::kInFlight) pipe += static_cast<std::uint32_t>(p.end - p.begin);
      }
      ASSERT_EQ(flight.pipe(), pipe) << "seed " << seed << " step " << step;
      ASSERT_EQ(flight.count(), model.size());
    }
    flight.Release(pool);
    pool.Trim();
    EXPECT_EQ(memory.used(), 0u);
  }
}

TEST(Flight, TellsTheOldestFirstWhateverItsNumber) {
  Memory memory{HeapAllocator()};
  RingPool pool(memory);
  Flight flight;
  const SndSeq begin(1000);
  for (std::uint32_t n = 0; n < 4; ++n) {
    flight.Add(begin + n * 100, begin + (n + 1) * 100, Time{} + Duration(n));
  }
  flight.MarkLost(flight.first());
  flight.Repeat(flight.first(), Time{} + Duration(10));
  Flight::Index i;
  ASSERT_TRUE(flight.Oldest(i));
  EXPECT_EQ(flight.BeginOf(i).raw(), 1100u);
  ASSERT_TRUE(flight.Newer(i));
  ASSERT_TRUE(flight.Newer(i));
  ASSERT_TRUE(flight.Newer(i));
  EXPECT_EQ(flight.BeginOf(i).raw(), 1000u);
  EXPECT_FALSE(flight.Newer(i));
  flight.Release(pool);
}

// A peer can see to it that what is lost was sent in another order than its numbers tell.
TEST(Flight, RevivingMuchIsQuick) {
  constexpr std::uint32_t kMany = 1 << 17;
  Memory memory{HeapAllocator()};
  RingPool pool(memory);
  Flight flight;
  SndSeq next(0);
  for (std::uint32_t n = 0; n < kMany; ++n, next += 48) {
    ASSERT_TRUE(flight.Reserve(pool));
    flight.Add(next, next + 48, Time{});
  }
  for (std::uint32_t n = 0; n < kMany; ++n) flight.MarkLost(flight.first() + n);
  for (std::uint32_t n = 0; n < kMany / 2; ++n) {
    Flight::Index i;
    ASSERT_TRUE(flight.FirstLost(i));
    flight.Repeat(i, Time{});
  }
  for (std::uint32_t n = 0; n < kMany / 2; n += 2) flight.MarkLost(flight.first() + n);
  flight.ReviveLost();
  flight.Check();
  EXPECT_EQ(flight.lost_count(), 0u);
  EXPECT_EQ(flight.repeated_count(), kMany / 4);
  Flight::Index i;
  ASSERT_TRUE(flight.Oldest(i));
  EXPECT_EQ(i, flight.first() + kMany / 2);
  flight.Release(pool);
}

TEST(Flight, TellsTheLastOfWhatIsOvertaken) {
  Memory memory{HeapAllocator()};
  RingPool pool(memory);
  Flight flight;
  const SndSeq begin(1000);
  for (std::uint32_t n = 0; n < 6; ++n) flight.Add(begin + n * 100, begin + (n + 1) * 100, Time{});
  Flight::Index i;
  EXPECT_FALSE(flight.LastOvertaken(i));
  flight.NoteLatest(flight.first() + 4);
  flight.MarkSacked(flight.first() + 4);
  ASSERT_TRUE(flight.LastOvertaken(i));
  EXPECT_EQ(i, flight.first() + 3);
  flight.MarkLost(flight.first() + 3);
  ASSERT_TRUE(flight.LastOvertaken(i));
  EXPECT_EQ(i, flight.first() + 2);
  flight.Repeat(flight.first() + 3, Time{});  // later than what has arrived
  ASSERT_TRUE(flight.LastOvertaken(i));
  EXPECT_EQ(i, flight.first() + 2);
  for (std::uint32_t n = 0; n < 3; ++n) flight.MarkLost(flight.first() + n);
  EXPECT_FALSE(flight.LastOvertaken(i));
  flight.ReviveLost();
  ASSERT_TRUE(flight.LastOvertaken(i));
  EXPECT_EQ(i, flight.first() + 2);
  flight.Check();
  flight.Release(pool);
}

TEST(Flight, WithoutMemoryItHoldsWhatItHas) {
  Memory memory{HeapAllocator()};
  memory.set_limit(0);
  RingPool pool(memory);
  Flight flight;
  SndSeq next(0);
  for (std::uint32_t n = 0; n < Flight::kInline; ++n) {
    ASSERT_TRUE(flight.Reserve(pool));
    flight.Add(next, next + 10, Time{});
    next += 10;
  }
  EXPECT_FALSE(flight.Reserve(pool));
  flight.PopFirst();
  EXPECT_TRUE(flight.Reserve(pool));
  flight.Release(pool);
}

}  // namespace
}  // namespace estab::tcp
