// Output that is pulled: it leaves when somebody asks for it, and then together.
#include <future>
#include <string>

#include "api_pair.h"

namespace estab_test {
namespace {

class ApiPull : public Pair {
 protected:
  ApiPull() {
    EXPECT_EQ(estab_pull_output(a, 1), 0);
    EXPECT_EQ(estab_pull_output(b, 1), 0);
  }
  static void Send(Side& side, int s, const std::string& text) {
    EXPECT_EQ(estab_send(side, s, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  static std::string Read(Side& side, int s) {
    std::string text(100000, '\0');
    const ssize_t n = estab_recv(side, s, text.data(), text.size(), 0);
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return text;
  }
  /// b gets "ask" and answers it, all before its output is asked for; what leaves then.
  std::vector<Packet> Answer() {
    const Connected c = Connect();
    Send(a, c.client, "ask");
    b.Inject(a.Collect());
    EXPECT_EQ(Read(b, c.server), "ask");
    Send(b, c.server, "answer");
    return b.Drain();
  }
};

TEST_F(ApiPull, AnAckGoesWithTheAnswer) {
  const std::vector<Packet> packets = Answer();
  ASSERT_EQ(packets.size(), 1u);
  EXPECT_EQ(packets[0].payload(), 6u);
}
TEST_F(ApiPull, OffAnAckGoesAtOnce) {
  EXPECT_EQ(estab_pull_output(b, 0), 0);
  const std::vector<Packet> packets = Answer();
  ASSERT_EQ(packets.size(), 2u);
  EXPECT_EQ(packets[0].payload(), 0u);
  EXPECT_EQ(packets[1].payload(), 6u);
}
TEST_F(ApiPull, SmallSendsLeaveInOneSegment) {
  const Connected c = Connect();
  Send(a, c.client, "one");
  Send(a, c.client, "two");
  const std::vector<Packet> packets = a.Drain();
  ASSERT_EQ(packets.size(), 1u);
  EXPECT_EQ(packets[0].payload(), 6u);
}
TEST_F(ApiPull, ManyPacketsKeepTheirOrder) {
  const Connected c = Connect();
  std::string data(12000, ' ');
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>('a' + i % 26);
  Send(a, c.client, data);
  const std::vector<Packet> packets = a.Drain();
  ASSERT_GT(packets.size(), 4u);
  for (std::size_t i = 1; i < packets.size(); ++i) {
    EXPECT_EQ(packets[i].seq(), packets[i - 1].seq() + packets[i - 1].payload());
  }
  for (const Packet& packet : packets) b.Inject(packet);
  Exchange();
  EXPECT_EQ(Read(b, c.server), data);
}
TEST_F(ApiPull, WhatIsTooLargeStays) {
  const Connected c = Connect();
  Send(a, c.client, std::string(2000, 'x'));
  std::array<char, 1000> small;
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(estab_wire_collect(a, a.link(), small.data(), small.size()), -1);
    EXPECT_EQ(errno, EMSGSIZE);
  }
  const std::vector<Packet> packets = a.Drain();
  ASSERT_EQ(packets.size(), 2u);
  EXPECT_EQ(packets[0].payload() + packets[1].payload(), 2000u);
  EXPECT_EQ(packets[1].seq(), packets[0].seq() + packets[0].payload());
}
TEST_F(ApiPull, EverySynLeavesAtItsMoment) {
  ListenOnB();
  StartConnect();
  EXPECT_EQ(estab_clock_advance(a, 3500 * kMs), 0);
  const std::vector<Packet> syns = a.Drain();
  ASSERT_EQ(syns.size(), 3u);
  EXPECT_EQ(syns[0].at, 0u);
  EXPECT_EQ(syns[1].at, 1 * kSecond);
  EXPECT_EQ(syns[2].at, 3 * kSecond);
}
TEST_F(ApiPull, TheNextDeadlineIsThatOfWhatHasLeft) {
  StartConnect();
  EXPECT_EQ(estab_next_deadline(a), static_cast<std::int64_t>(kSecond));
}
TEST_F(ApiPull, OutputThatWaitsLeavesWhenItIsPulledNoMore) {
  StartConnect();
  EXPECT_EQ(estab_pull_output(a, 0), 0);
  EXPECT_EQ(estab_clock_advance(a, 500 * kMs), 0);
  const std::vector<Packet> syns = a.Drain();
  ASSERT_EQ(syns.size(), 1u);
  EXPECT_EQ(syns[0].at, 0u);
}
TEST_F(ApiPull, AnEmptyLinkIsAskedAgain) {
  const Connected c = Connect();
  EXPECT_TRUE(a.Drain().empty());
  EXPECT_TRUE(a.Drain().empty());
  Send(a, c.client, "x");
  EXPECT_EQ(a.Drain().size(), 1u);
  EXPECT_TRUE(a.Drain().empty());
}
TEST_F(ApiPull, RunningTheIoLetsItLeave) {
  const Connected c = Connect();
  Send(a, c.client, "one");
  EXPECT_EQ(estab_poll_io(a, 0), 1);
  Send(a, c.client, "two");
  const std::vector<Packet> packets = a.Drain();  // the second waits for an ACK, as Nagle says
  ASSERT_EQ(packets.size(), 1u);
  EXPECT_EQ(packets[0].payload(), 3u);
}
TEST_F(ApiPull, ACallThatWaitsLetsItsOutputLeave) {
  const Connected c = Connect();
  Send(b, c.server, "question");
  auto wait = std::async(std::launch::async, [&] {
    pollfd fd{c.server, POLLIN, 0};
    return estab_poll(b, &fd, 1, 1000);
  });
  // Nobody but the call has asked for it: the time at which it left is that of the call.
  LetItBlock();
  EXPECT_EQ(estab_clock_advance(b, 1 * kSecond), 0);
  EXPECT_EQ(wait.get(), 0);
  const std::vector<Packet> packets = b.Drain();
  ASSERT_FALSE(packets.empty());
  EXPECT_EQ(packets[0].at, 0u);
  EXPECT_EQ(packets[0].payload(), 8u);
}

TEST(ApiPullAlone, NoStackIsAnError) {
  EXPECT_EQ(estab_pull_output(nullptr, 1), -1);
  EXPECT_EQ(errno, EFAULT);
}

}  // namespace
}  // namespace estab_test
