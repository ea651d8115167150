// Packets that come together: what a batch leaves behind is what the same packets leave one by one.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "unit/stack_pair.h"

namespace estab::test {
namespace {

// Two stacks whose wire delivers all that waits in one Receive, or one by one.
class Batches : public ::testing::TestWithParam<bool> {
 protected:
  struct Ends {
    SocketId client;
    SocketId server;
  };

  void SetUp() override {
    ASSERT_TRUE(pair_.ok());
    listener_ = *server().Open(false);
    ASSERT_TRUE(server().Bind(listener_, {pair_.Address(2), 80}));
    ASSERT_TRUE(server().Listen(pair_.now, listener_, 4096));
  }
  Stack& client() { return *pair_.a.stack; }
  Stack& server() { return *pair_.b.stack; }
  Time now() const { return pair_.now; }

  std::size_t Carry(Pair::Side& from, Stack& to) {
    from.sink.now = now();
    from.stack->Transmit(now(), from.sink);
    const std::vector<Sent> sent = std::move(from.sink.sent);
    from.sink.sent.clear();
    std::vector<RxPacket> packets;
    for (const Sent& s : sent) packets.push_back({.data = s.packet});
    const std::size_t together = GetParam() ? packets.size() : 1;
    for (std::size_t i = 0; i < packets.size(); i += together) {
      to.Receive(now(), std::span(packets).subspan(i, together));
      to.CheckInvariants();
    }
    return packets.size();
  }
  void Settle() {
    while (Carry(pair_.a, server()) + Carry(pair_.b, client()) != 0) {
    }
  }
  std::vector<Ends> Open(std::size_t count) {
    std::vector<Ends> ends;
    for (std::size_t i = 0; i < count; ++i) {
      const SocketId socket = *client().Open(false);
      static_cast<void>(client().Connect(now(), socket, {pair_.Address(2), 80}));
      Settle();
      ends.push_back({socket, *server().Accept(now(), listener_)});
    }
    Drain(client());
    Drain(server());
    return ends;
  }
  static std::vector<ReadyEvent> Drain(Stack& stack) {
    std::vector<ReadyEvent> all;
    std::array<ReadyEvent, 64> some;
    for (std::size_t n = 0; (n = stack.DrainReady(some)) != 0;) {
      all.insert(all.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(n));
    }
    return all;
  }
  void Write(SocketId socket, std::string_view text) {
    ASSERT_EQ(client().Send(now(), socket, Bytes(text)), text.size());
  }
  std::string Read(SocketId socket) {
    std::array<std::byte, 4096> into;
    std::string text;
    for (;;) {
      const auto n = server().Read(now(), socket, into);
      if (!n || *n == 0) return text;
      text.append(reinterpret_cast<const char*>(into.data()), *n);
    }
  }

  Pair pair_;
  SocketId listener_;
};

TEST_P(Batches, ARowOfOneConnectionIsSettledBehindTheLast) {
  const Ends ends = Open(1)[0];
  Write(ends.client, std::string(4000, 'x'));
  ASSERT_TRUE(client().Close(now(), ends.client));  // the FIN leaves ESTABLISHED in mid-row
  ASSERT_GE(Carry(pair_.a, server()), 3u);
  const std::vector<ReadyEvent> events = Drain(server());
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].socket, ends.server);
  EXPECT_EQ(events[0].readiness & (kReadable | kReadClosed), kReadable | kReadClosed);
  EXPECT_EQ(Read(ends.server).size(), 4000u);
  EXPECT_NE(Carry(pair_.b, client()), 0u);
}

TEST_P(Batches, AnotherConnectionInBetweenSettlesTheFirst) {
  const std::vector<Ends> ends = Open(2);
  Write(ends[0].client, "one");
  Write(ends[1].client, "two");
  ASSERT_EQ(Carry(pair_.a, server()), 2u);
  EXPECT_EQ(Drain(server()).size(), 2u);
  EXPECT_EQ(Read(ends[0].server), "one");
  EXPECT_EQ(Read(ends[1].server), "two");
  Settle();
  EXPECT_TRUE(*client().Drained(ends[0].client));
  EXPECT_TRUE(*client().Drained(ends[1].client));
}

TEST_P(Batches, AResetBehindDataEndsIt) {
  const Ends ends = Open(1)[0];
  Write(ends.client, "last words");
  pair_.a.stack->Transmit(now(), pair_.a.sink);
  ASSERT_TRUE(client().Abort(now(), ends.client));
  ASSERT_EQ(Carry(pair_.a, server()), 2u);
  const std::vector<ReadyEvent> events = Drain(server());
  ASSERT_EQ(events.size(), 1u);
  EXPECT_NE(events[0].readiness & kErrorPending, 0);
  EXPECT_EQ(server().GetInfo(now(), ends.server)->state, State::kClosed);
}

// So many that Receive looks ahead.
TEST_P(Batches, EachOfVeryManyGetsItsOwn) {
  const std::vector<Ends> ends = Open(2100);
  for (std::size_t i = 0; i < ends.size(); i += 21) Write(ends[i].client, std::to_string(i));
  ASSERT_EQ(Carry(pair_.a, server()), 100u);
  EXPECT_EQ(Drain(server()).size(), 100u);
  for (std::size_t i = 0; i < ends.size(); i += 21) {
    EXPECT_EQ(Read(ends[i].server), std::to_string(i));
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, Batches, ::testing::Bool(),
                         [](const auto& way) { return way.param ? "Together" : "OneByOne"; });

}  // namespace
}  // namespace estab::test
