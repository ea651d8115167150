// Whole lives of connections between two stacks: without memory, under a limit, over links that
// hold or refuse packets, and from a stack to itself.
#include <gtest/gtest.h>

#include <string>

#include "unit/stack_pair.h"
#include "unit/test_allocator.h"

namespace estab::test {
namespace {

std::string Pattern(std::size_t size) {
  std::string s(size, '\0');
  std::uint32_t x = 12345;
  for (char& c : s) {
    x = x * 1664525 + 1013904223;
    c = static_cast<char>(x >> 24);
  }
  return s;
}

// Sends `text` from one side to the other as an application would, closes, and reads to the end.
struct Flow {
  Stack* from = nullptr;
  SocketId out;
  Stack* to = nullptr;
  SocketId in;
  std::string text;
  std::size_t written = 0;
  std::string received = {};
  bool closed = false;
  bool finished = false;

  void Pump(Time now) {
    while (!closed && written < text.size()) {
      const auto n = from->Send(now, out, Bytes(std::string_view(text).substr(written)));
      if (!n || *n == 0) break;
      written += *n;
    }
    if (!closed && written == text.size()) {
      closed = true;
      from->Close(now, out);
    }
    std::array<std::byte, 5000> buffer;
    while (!finished) {
      const auto n = to->Read(now, in, buffer);
      if (!n) break;
      if (*n == 0) {
        finished = true;
        to->Close(now, in);
        break;
      }
      received.append(reinterpret_cast<const char*>(buffer.data()), *n);
    }
  }
};

void ExpectEmpty(const Stack& stack, std::uint32_t listeners = 0) {
  const StackCounters c = stack.Counters();
  EXPECT_EQ(c.sockets, listeners);
  EXPECT_EQ(c.half_open, 0u);
  EXPECT_EQ(c.time_wait, 0u);
  EXPECT_EQ(c.orphans, 0u);
  EXPECT_EQ(c.payload_chunks, 0u);
}

class PairTest : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Families, PairTest, testing::Bool(),
                         [](const auto& p) { return p.param ? "Ipv6" : "Ipv4"; });

TEST_P(PairTest, WholeLife) {
  Pair pair(GetParam());
  const auto ends = OpenPair(pair);
  ASSERT_TRUE(ends);
  Flow flow{&*pair.a.stack, ends->client, &*pair.b.stack, ends->server, Pattern(300'000)};
  pair.Run(pair.now + seconds(30), [&] { flow.Pump(pair.now); });
  EXPECT_TRUE(flow.finished);
  EXPECT_TRUE(flow.received == flow.text);
  EXPECT_EQ(pair.a.stack->Counters().retransmissions, 0u);
  EXPECT_EQ(pair.a.stack->Counters().time_wait, 1u);
  pair.Pass(seconds(60));
  ExpectEmpty(*pair.a.stack);
  ExpectEmpty(*pair.b.stack, 1);
}

// Every allocation of a whole life is made to fail once: nothing may crash, leak or be corrupted.
TEST_P(PairTest, EveryAllocationFailsOnce) {
  for (int side = 0; side < 2; ++side) {
    std::uint64_t calls = 0;
    // The first run (n = 2^64 - 1) has all it wants, and tells how many there are.
    for (std::uint64_t i = 0; i <= calls; ++i) {
      const std::uint64_t n = i - 1;
      SCOPED_TRACE("side " + std::to_string(side) + ", allocation " + std::to_string(n));
      TestAllocator allocator;
      allocator.FailAt(n);
      {
        Pair pair(GetParam(), side == 0 ? &allocator : nullptr, side == 1 ? &allocator : nullptr);
        if (!pair.ok()) continue;
        if (const auto ends = OpenPair(pair, seconds(100))) {
          Flow flow{&*pair.a.stack, ends->client, &*pair.b.stack, ends->server, Pattern(20'000)};
          // In pieces: an application that was told "no memory" tries again a little later.
          for (int piece = 0; piece < 10; ++piece) {
            pair.Run(pair.now + seconds(10), [&] {
              flow.Pump(pair.now);
              pair.a.stack->CheckInvariants();
              pair.b.stack->CheckInvariants();
            });
          }
          EXPECT_TRUE(flow.finished);
          EXPECT_TRUE(flow.received == flow.text);
        }
        calls = std::max(calls, allocator.calls());
        pair.a.stack->ResetAll(pair.now);
        pair.Pass(seconds(200));
        EXPECT_EQ(pair.a.stack->Counters().payload_chunks, 0u);
        EXPECT_EQ(pair.b.stack->Counters().payload_chunks, 0u);
        EXPECT_EQ(pair.a.stack->Counters().time_wait, 0u);
        EXPECT_EQ(pair.b.stack->Counters().half_open, 0u);
      }
      ASSERT_EQ(allocator.outstanding(), 0u);
    }
    EXPECT_GT(calls, 15u);
  }
}

TEST_P(PairTest, MemoryLimitStallsButDoesNotEndAConnection) {
  for (bool at_receiver : {false, true}) {
    SCOPED_TRACE(at_receiver ? "receiver" : "sender");
    Pair pair(GetParam());
    const auto ends = OpenPair(pair);
    ASSERT_TRUE(ends);
    Flow flow{&*pair.a.stack, ends->client, &*pair.b.stack, ends->server, Pattern(2'000'000)};
    int steps = 0;
    Stack& limited = at_receiver ? *pair.b.stack : *pair.a.stack;
    pair.Run(pair.now + milliseconds(100), [&] { flow.Pump(pair.now); });
    // No byte more than now, while data flows.
    const std::string limit = std::to_string(limited.Counters().memory);
    ASSERT_TRUE(limited.SetSetting("estab.mem_limit", limit));
    pair.Run(pair.now + seconds(20), [&] {
      if (++steps % 3 == 0) flow.Pump(pair.now);
      EXPECT_LE(limited.Counters().memory, std::stoull(limit));
    });
    ASSERT_TRUE(limited.SetSetting("estab.mem_limit", "0"));
    pair.Run(pair.now + seconds(200), [&] { flow.Pump(pair.now); });
    EXPECT_TRUE(flow.finished);
    EXPECT_TRUE(flow.received == flow.text);
  }
}

// First goes what waits ahead of a gap; then windows stay small; only what even so does not fit is
// dropped. Each is counted.
TEST_P(PairTest, WantOfMemoryIsMetInItsOrder) {
  Pair pair(GetParam());
  const auto ends = OpenPair(pair);
  ASSERT_TRUE(ends);
  Stack& limited = *pair.b.stack;
  int full_segments = 0;
  pair.rough = [&](bool to_b, std::size_t size) {
    const bool first = to_b && size > 1000 && ++full_segments == 1;
    return Pair::Fate{.copies = first ? 0 : 1};
  };
  const std::string text = Pattern(300'000);
  std::size_t written = 0;
  const auto send = [&](std::size_t most) {
    const auto n = pair.a.stack->Send(pair.now, ends->client,
                                      Bytes(std::string_view(text).substr(written, most)));
    if (n) written += *n;
  };
  std::string received;
  std::array<std::byte, 5000> buffer;
  const auto read = [&] {
    while (const auto n = limited.Read(pair.now, ends->server, buffer)) {
      if (*n == 0) break;
      received.append(reinterpret_cast<const char*>(buffer.data()), *n);
    }
  };
  send(14'000);
  pair.Pass(milliseconds(6));
  ASSERT_GT(limited.Counters().payload_chunks, 0u);
  // No byte more than now, of which payload has nearly all that is left for it.
  std::uint64_t limit = limited.Counters().memory;
  ASSERT_TRUE(limited.SetSetting("estab.mem_limit", std::to_string(limit)));
  EXPECT_EQ(limited.Counters().memory_limit, limit);
  read();  // there is nothing yet
  EXPECT_EQ(limited.Counters().memory_shed, 1u);
  EXPECT_EQ(limited.Counters().payload_chunks, 0u);
  EXPECT_EQ(limited.Counters().memory_windows_held, 0u);
  EXPECT_EQ(limited.Counters().memory_drops, 0u);
  // Some more, but less than was promised to the peer.
  limit += 50'000;
  ASSERT_TRUE(limited.SetSetting("estab.mem_limit", std::to_string(limit)));
  std::uint64_t held_first = 0;  // windows held before anything was dropped
  for (int i = 0; i < 50 && limited.Counters().memory_drops == 0; ++i) {
    held_first = limited.Counters().memory_windows_held;
    send(3000);
    pair.Run(pair.now + milliseconds(500), [&] { EXPECT_LE(limited.Counters().memory, limit); });
  }
  EXPECT_GT(held_first, 0u);
  EXPECT_GT(limited.Counters().memory_drops, 0u);
  ASSERT_TRUE(limited.SetSetting("estab.mem_limit", "0"));
  EXPECT_EQ(limited.Counters().memory_limit, 0u);
  const std::uint64_t held = limited.Counters().memory_windows_held;
  pair.Run(pair.now + seconds(300), [&] {
    send(text.size());
    read();
  });
  EXPECT_TRUE(received == text);
  EXPECT_EQ(limited.Counters().memory_windows_held, held);
}

// Records and tables leave less for payload: pressure goes by what is left, not by the whole.
TEST_P(PairTest, RecordsTakeFromWhatPayloadHas) {
  Pair pair(GetParam());
  const auto ends = OpenPair(pair);
  ASSERT_TRUE(ends);
  Stack& limited = *pair.b.stack;
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(limited.Open(false));
  const std::uint64_t records = limited.Counters().memory;
  ASSERT_GT(records, 500'000u);
  ASSERT_TRUE(limited.SetSetting("estab.mem_limit", std::to_string(records + 40'000)));
  const std::string text = Pattern(100'000);
  ASSERT_TRUE(pair.a.stack->Send(pair.now, ends->client, Bytes(text)));
  pair.Pass(seconds(5));
  EXPECT_GT(limited.Counters().memory_windows_held, 0u);
}

TEST_P(PairTest, NothingAtAllFitsThenEverythingDoes) {
  Pair pair(GetParam());
  const auto ends = OpenPair(pair);
  ASSERT_TRUE(ends);
  ASSERT_TRUE(pair.b.stack->SetSetting("estab.mem_limit", "1"));
  Flow flow{&*pair.a.stack, ends->client, &*pair.b.stack, ends->server, Pattern(100'000)};
  pair.Run(pair.now + seconds(20), [&] { flow.Pump(pair.now); });
  EXPECT_FALSE(flow.finished);
  EXPECT_GT(pair.b.stack->RuleCounters().size(), 0u);
  ASSERT_TRUE(pair.b.stack->SetSetting("estab.mem_limit", "0"));
  pair.Run(pair.now + seconds(200), [&] { flow.Pump(pair.now); });
  EXPECT_TRUE(flow.finished);
  EXPECT_TRUE(flow.received == flow.text);
}

TEST_P(PairTest, BusySinksLoseAndRepeatNothing) {
  Pair pair(GetParam());
  const auto ends = OpenPair(pair);
  ASSERT_TRUE(ends);
  Flow flow{&*pair.a.stack, ends->client, &*pair.b.stack, ends->server, Pattern(200'000)};
  unsigned x = 1;
  pair.Run(pair.now + seconds(60), [&] {
    flow.Pump(pair.now);
    // The links take 0 to 3 packets before they are full.
    for (Pair::Side* side : {&pair.a, &pair.b}) {
      x = x * 1103515245 + 12345;
      side->sink.room = (x >> 16) % 4 + (side == &pair.b ? 1 : 0);
    }
    pair.Exchange();
    pair.a.sink.room = pair.b.sink.room = SIZE_MAX;
    pair.Exchange();
  });
  EXPECT_TRUE(flow.finished);
  EXPECT_TRUE(flow.received == flow.text);
  EXPECT_EQ(pair.a.stack->Counters().retransmissions, 0u);
  EXPECT_EQ(pair.b.stack->Counters().retransmissions, 0u);
}

TEST_P(PairTest, HeldPacketsKeepTheirMemoryUntilComplete) {
  Pair pair(GetParam());
  const auto ends = OpenPair(pair);
  ASSERT_TRUE(ends);
  pair.a.sink.holds = true;
  Flow flow{&*pair.a.stack, ends->client, &*pair.b.stack, ends->server, Pattern(100'000)};
  pair.Run(pair.now + seconds(100), [&] { flow.Pump(pair.now); });
  EXPECT_TRUE(flow.finished);
  EXPECT_TRUE(flow.received == flow.text);
  EXPECT_EQ(pair.a.stack->Counters().sockets, 0u);
  EXPECT_GT(pair.a.sink.tokens.size(), 60u);
  EXPECT_GT(pair.a.stack->Counters().payload_chunks, 0u);  // acknowledged, but still lent
  pair.a.stack->TransmitComplete(pair.a.sink.tokens);
  EXPECT_EQ(pair.a.stack->Counters().payload_chunks, 0u);
  // Once more, and nonsense: nobody minds.
  pair.a.stack->TransmitComplete(pair.a.sink.tokens);
  const std::uint64_t nonsense[] = {0, 1, UINT64_MAX, std::uint64_t{1} << 32};
  pair.a.stack->TransmitComplete(nonsense);
}

TEST_P(PairTest, HeldPacketsAtTheEndOfTheStack) {
  TestAllocator allocator;
  {
    Pair pair(GetParam(), &allocator);
    const auto ends = OpenPair(pair);
    ASSERT_TRUE(ends);
    pair.a.sink.holds = true;
    ASSERT_TRUE(pair.a.stack->Send(pair.now, ends->client, Bytes("lent")));
    pair.Exchange();
    EXPECT_EQ(pair.a.sink.tokens.size(), 1u);
  }
  EXPECT_EQ(allocator.outstanding(), 0u);
}

// --- A stack and itself --------------------------------------------------------------------------

TEST_P(PairTest, ConnectsToItsOwnListener) {
  Pair pair(GetParam());
  Stack& stack = *pair.b.stack;
  const SocketId listener = *stack.Open(pair.v6);
  ASSERT_TRUE(stack.Bind(listener, {pair.Address(2), 80}));
  ASSERT_TRUE(stack.Listen(pair.now, listener, 5));
  const SocketId client = *stack.Open(pair.v6);
  EXPECT_EQ(stack.Connect(pair.now, client, {pair.Address(2), 80}).error(), Error::kInProgress);
  pair.Exchange();
  EXPECT_EQ(stack.GetInfo(pair.now, client)->state, State::kEstablished);
  const auto server = stack.Accept(pair.now, listener);
  ASSERT_TRUE(server);
  Flow flow{&stack, client, &stack, *server, Pattern(200'000)};
  pair.Run(pair.now + seconds(100), [&] { flow.Pump(pair.now); });
  EXPECT_TRUE(flow.received == flow.text);
  EXPECT_TRUE(flow.finished);
  ExpectEmpty(stack, 1);
}

TEST_P(PairTest, ConnectsToItself) {
  Pair pair(GetParam());
  Stack& stack = *pair.a.stack;
  const SocketId self = *stack.Open(pair.v6);
  const Endpoint here{pair.Address(1), 5000};
  ASSERT_TRUE(stack.Bind(self, here));
  EXPECT_EQ(stack.Connect(pair.now, self, here).error(), Error::kInProgress);
  pair.Pass(seconds(2));
  EXPECT_EQ(stack.GetInfo(pair.now, self)->state, State::kEstablished);
  ASSERT_EQ(*stack.Send(pair.now, self, Bytes("echo")), 4u);
  pair.Pass(seconds(1));
  std::array<std::byte, 10> buffer;
  EXPECT_EQ(*stack.Read(pair.now, self, buffer), 4u);
  EXPECT_EQ(stack.Counters().sockets, 1u);
  ASSERT_TRUE(stack.Close(pair.now, self));
  pair.Pass(seconds(200));
  ExpectEmpty(stack);
}

TEST_P(PairTest, RefusedByItself) {
  Pair pair(GetParam());
  Stack& stack = *pair.a.stack;
  const SocketId id = *stack.Open(pair.v6);
  EXPECT_EQ(stack.Connect(pair.now, id, {pair.Address(1), 81}).error(), Error::kInProgress);
  pair.Exchange();
  EXPECT_EQ(*stack.TakeError(id), std::optional(Error::kConnectionRefused));
}

}  // namespace
}  // namespace estab::test
