// Calls that wait: virtual timeouts, wake-ups from other threads, SO_LINGER. Run under TSan too.
#include <sys/ioctl.h>
#include <sys/time.h>

#include <atomic>
#include <future>
#include <string>

#include "api_pair.h"

namespace estab_test {
namespace {

class ApiBlocking : public Pair {
 protected:
  /// A call's result with its errno, and the virtual time of `side` at which it returned.
  struct Outcome {
    ssize_t value;
    int error;
    std::uint64_t at;
  };
  template <class Call>
  std::future<Outcome> Background(Side& side, Call call) {
    auto future = std::async(std::launch::async, [&side, call] {
      const ssize_t value = call();
      const int error = errno;
      return Outcome{value, error, estab_clock_now(side)};
    });
    LetItBlock();
    return future;
  }
  static bool Done(std::future<Outcome>& future) {
    return future.wait_for(std::chrono::milliseconds(20)) == std::future_status::ready;
  }
  std::future<Outcome> BlockingConnect(int s) {
    return Background(a, [this, s] {
      sockaddr_in to = V4("192.0.2.2", kPort);
      return estab_connect(a, s, Sa(to), sizeof(to));
    });
  }
  static void SetTimeout(Side& side, int s, int name, long ms) {
    const timeval time{ms / 1000, ms % 1000 * 1000};
    ASSERT_EQ(estab_setsockopt(side, s, SOL_SOCKET, name, &time, sizeof(time)), 0);
  }
};

TEST_F(ApiBlocking, SynIsRepeatedAndGivenUp) {
  const int s = a.Tcp();
  auto connect = BlockingConnect(s);
  EXPECT_EQ(estab_clock_advance(a, 62999 * kMs), 0);
  EXPECT_FALSE(Done(connect));
  EXPECT_EQ(estab_clock_advance(a, 1 * kMs), 0);
  const Outcome outcome = connect.get();
  EXPECT_EQ(outcome.value, -1);
  EXPECT_EQ(outcome.error, ETIMEDOUT);
  EXPECT_EQ(outcome.at, 63 * kSecond);
  const std::uint64_t expected[] = {0, 1, 3, 7, 15, 31};
  const std::vector<Packet> syns = a.Drain();
  ASSERT_EQ(syns.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(syns[i].at, expected[i] * kSecond);
    EXPECT_EQ(syns[i].seq(), syns[0].seq());
  }
}

TEST_F(ApiBlocking, ConnectReturnsWhenItIsOpen) {
  ListenOnB();
  const int s = a.Tcp();
  auto connect = BlockingConnect(s);
  EXPECT_FALSE(Done(connect));
  Exchange();
  EXPECT_EQ(connect.get().value, 0);
}

TEST_F(ApiBlocking, ConnectIsRefused) {
  const int s = a.Tcp();
  auto connect = BlockingConnect(s);
  Exchange();
  const Outcome outcome = connect.get();
  EXPECT_EQ(outcome.value, -1);
  EXPECT_EQ(outcome.error, ECONNREFUSED);
}

class ApiConnectTimeout : public ApiBlocking, public ::testing::WithParamInterface<int> {};

TEST_P(ApiConnectTimeout, GivesTheAttemptUpInTime) {
  ListenOnB();
  const int s = a.Tcp();
  SetTimeout(a, s, GetParam(), 2500);
  auto connect = BlockingConnect(s);
  const std::vector<Packet> first = a.Drain();
  ASSERT_EQ(first.size(), 1u);
  // One long step: the call must return at its own moment, and no SYN may follow.
  EXPECT_EQ(estab_clock_advance(a, 100 * kSecond), 0);
  const Outcome outcome = connect.get();
  EXPECT_EQ(outcome.value, -1);
  EXPECT_EQ(outcome.error, ETIMEDOUT);
  const std::vector<Packet> more = a.Drain();
  ASSERT_EQ(more.size(), 1u);
  EXPECT_EQ(more[0].at, 1 * kSecond);
  // A SYN|ACK that comes too late meets a reset.
  b.Inject(first[0]);
  const std::vector<Packet> late = b.Drain();
  ASSERT_EQ(late.size(), 1u);
  a.Inject(late[0]);
  const std::vector<Packet> reset = a.Drain();
  ASSERT_EQ(reset.size(), 1u);
  EXPECT_TRUE(reset[0].flags() & Packet::kRst);
  EXPECT_EQ(reset[0].seq(), late[0].ack());
}
INSTANTIATE_TEST_SUITE_P(Either, ApiConnectTimeout, ::testing::Values(SO_SNDTIMEO, SO_RCVTIMEO));

TEST_F(ApiBlocking, AcceptReceiveAndPollWake) {
  const int l = ListenOnB();
  auto accept = Background(b, [this, l] { return estab_accept4(b, l, nullptr, nullptr, 0); });
  const int client = StartConnect();
  EXPECT_FALSE(Done(accept));
  Exchange();
  const int server = static_cast<int>(accept.get().value);
  ASSERT_GE(server, 0);
  char text[8] = {};
  auto receive = Background(b, [&] { return estab_recv(b, server, text, 8, 0); });
  auto poll = Background(b, [this, server] {
    pollfd fd{server, POLLIN, 0};
    return estab_poll(b, &fd, 1, -1) == 1 ? fd.revents : -1;
  });
  EXPECT_FALSE(Done(receive));
  EXPECT_EQ(estab_send(a, client, "abc", 3, 0), 3);
  Exchange();
  EXPECT_EQ(receive.get().value, 3);
  // The receiver may have taken the bytes before the poller looked: a FIN is for both.
  EXPECT_EQ(estab_shutdown(a, client, SHUT_WR), 0);
  Exchange();
  EXPECT_EQ(poll.get().value, POLLIN);
}

TEST_F(ApiBlocking, TimeoutsCountVirtualTime) {
  const Connected c = Connect();
  int off = 0;
  ASSERT_EQ(estab_ioctl(a, c.client, FIONBIO, &off), 0);
  SetTimeout(a, c.client, SO_RCVTIMEO, 300);
  char text[1];
  auto receive = Background(a, [&] { return estab_recv(a, c.client, text, 1, 0); });
  auto poll = Background(a, [&] {
    pollfd fd{c.client, POLLIN, 0};
    return estab_poll(a, &fd, 1, 100);
  });
  EXPECT_EQ(estab_clock_advance(a, 99 * kMs), 0);
  EXPECT_FALSE(Done(poll));
  EXPECT_EQ(estab_clock_advance(a, 1 * kMs), 0);
  EXPECT_EQ(poll.get().value, 0);
  EXPECT_FALSE(Done(receive));
  EXPECT_EQ(estab_clock_advance(a, 10 * kSecond), 0);
  const Outcome outcome = receive.get();
  EXPECT_EQ(outcome.value, -1);
  EXPECT_EQ(outcome.error, EAGAIN);
}

TEST_F(ApiBlocking, SendWaitsUntilEverythingIsQueued) {
  const Connected c = Connect();
  int off = 0;
  ASSERT_EQ(estab_ioctl(a, c.client, FIONBIO, &off), 0);
  const std::string data(3 << 20, 'x');
  auto send = Background(a, [&] { return estab_send(a, c.client, data.data(), data.size(), 0); });
  EXPECT_FALSE(Done(send));
  std::size_t got = 0;
  std::vector<char> buffer(1 << 16);
  for (int round = 0; got < data.size() && round < 100000; ++round) {
    if (Exchange() == 0) Advance(10 * kMs);
    const ssize_t n = estab_recv(b, c.server, buffer.data(), buffer.size(), 0);
    if (n > 0) got += static_cast<std::size_t>(n);
  }
  EXPECT_EQ(got, data.size());
  EXPECT_EQ(send.get().value, static_cast<ssize_t>(data.size()));
}

TEST_F(ApiBlocking, SendTimeoutTellsWhatWasQueued) {
  const Connected c = Connect();
  int off = 0;
  ASSERT_EQ(estab_ioctl(a, c.client, FIONBIO, &off), 0);
  SetTimeout(a, c.client, SO_SNDTIMEO, 50);
  const std::string data(64 << 20, 'x');
  auto send = Background(a, [&] { return estab_send(a, c.client, data.data(), data.size(), 0); });
  EXPECT_EQ(estab_clock_advance(a, 50 * kMs), 0);
  const Outcome outcome = send.get();
  EXPECT_GT(outcome.value, 0);
  EXPECT_LT(outcome.value, static_cast<ssize_t>(data.size()));
  EXPECT_EQ(estab_send(a, c.client, "x", 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST_F(ApiBlocking, WaitAllWaitsForAllOrTheEnd) {
  const Connected c = Connect();
  int off = 0;
  ASSERT_EQ(estab_ioctl(b, c.server, FIONBIO, &off), 0);
  char text[10] = {};
  auto receive = Background(b, [&] { return estab_recv(b, c.server, text, 6, MSG_WAITALL); });
  EXPECT_EQ(estab_send(a, c.client, "abcd", 4, 0), 4);
  Exchange();
  EXPECT_FALSE(Done(receive));
  EXPECT_EQ(estab_send(a, c.client, "efgh", 4, 0), 4);
  Exchange();
  EXPECT_EQ(receive.get().value, 6);
  EXPECT_STREQ(text, "abcdef");
  auto rest = Background(b, [&] { return estab_recv(b, c.server, text, 6, MSG_WAITALL); });
  EXPECT_FALSE(Done(rest));
  EXPECT_EQ(estab_shutdown(a, c.client, SHUT_WR), 0);
  Exchange();
  EXPECT_EQ(rest.get().value, 2);
}

TEST_F(ApiBlocking, LingerWaitsForTheAcknowledgement) {
  const Connected c = Connect();
  const linger on{1, 5};
  ASSERT_EQ(estab_setsockopt(a, c.client, SOL_SOCKET, SO_LINGER, &on, sizeof(on)), 0);
  EXPECT_EQ(estab_send(a, c.client, "bye", 3, 0), 3);
  auto close = Background(a, [&] { return estab_close(a, c.client); });
  EXPECT_FALSE(Done(close));
  Exchange();
  EXPECT_FALSE(Done(close));  // the ACK of the FIN waits a moment for company
  EXPECT_EQ(estab_clock_advance(b, 40 * kMs), 0);
  Exchange();
  EXPECT_EQ(close.get().value, 0);
  char text[4];
  EXPECT_EQ(estab_recv(b, c.server, text, 4, 0), 3);
  EXPECT_EQ(estab_recv(b, c.server, text, 4, 0), 0);
}

TEST_F(ApiBlocking, LingerGivesUpWaitingButNotClosing) {
  const Connected c = Connect();
  const linger on{1, 2};
  ASSERT_EQ(estab_setsockopt(a, c.client, SOL_SOCKET, SO_LINGER, &on, sizeof(on)), 0);
  auto close = Background(a, [&] { return estab_close(a, c.client); });
  EXPECT_EQ(estab_clock_advance(a, 1999 * kMs), 0);
  EXPECT_FALSE(Done(close));
  EXPECT_EQ(estab_clock_advance(a, 1 * kMs), 0);
  EXPECT_EQ(close.get().value, 0);
  EXPECT_EQ(a.Drain().size(), 4u);  // FIN at 0, and again at 0.2, 0.6, 1.4 s
  EXPECT_EQ(estab_clock_advance(a, 2 * kSecond), 0);
  const std::vector<Packet> more = a.Drain();
  ASSERT_EQ(more.size(), 1u);
  EXPECT_TRUE(more[0].flags() & Packet::kFin);
}

TEST_F(ApiBlocking, DestroyEndsWaitingCalls) {
  const int l = ListenOnB();
  auto accept = std::async(std::launch::async, [&] {
    const ssize_t value = estab_accept4(b, l, nullptr, nullptr, 0);
    return Outcome{value, errno, 0};
  });
  LetItBlock();
  b.Destroy();
  const Outcome outcome = accept.get();
  EXPECT_EQ(outcome.value, -1);
  EXPECT_EQ(outcome.error, EBADF);
}

TEST_F(ApiBlocking, CloseInAnotherThreadLeavesTheWaitAlone) {
  const int l = ListenOnB();
  auto accept = Background(b, [this, l] { return estab_accept4(b, l, nullptr, nullptr, 0); });
  EXPECT_EQ(estab_close(b, l), 0);
  EXPECT_FALSE(Done(accept));
  StartConnect();
  Exchange();
  EXPECT_GE(accept.get().value, 0);
}

}  // namespace
}  // namespace estab_test
