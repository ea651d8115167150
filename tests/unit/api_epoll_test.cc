// epoll with threads and clocks; what it tells, and when, is the parity test's matter.
#include <sys/epoll.h>

#include <atomic>

#include "api_pair.h"

namespace estab_test {
namespace {

class ApiEpoll : public Pair {
 protected:
  int Watch(Side& side, int s, std::uint32_t events) {
    const int e = estab_epoll_create1(side, 0);
    EXPECT_GE(e, 0);
    epoll_event event{};
    event.events = events;
    event.data.fd = s;
    EXPECT_EQ(estab_epoll_ctl(side, e, EPOLL_CTL_ADD, s, &event), 0);
    return e;
  }
};

TEST_F(ApiEpoll, APacketWakesAWaiter) {
  const Connected c = Connect();
  const int e = Watch(b, c.server, EPOLLIN);
  epoll_event got{};
  int n = -1;
  std::thread waiter([&] { n = estab_epoll_wait(b, e, &got, 1, -1); });
  LetItBlock();
  EXPECT_EQ(estab_send(a, c.client, "x", 1, 0), 1);
  Exchange();
  waiter.join();
  EXPECT_EQ(n, 1);
  EXPECT_EQ(got.data.fd, c.server);
}

TEST_F(ApiEpoll, TimeoutsCountVirtualTime) {
  const Connected c = Connect();
  const int e = Watch(b, c.server, EPOLLIN);
  std::atomic<int> n = -1;
  std::thread waiter([&] {
    epoll_event got{};
    n = estab_epoll_wait(b, e, &got, 1, 5000);
  });
  LetItBlock();
  Advance(4999 * kMs);
  LetItBlock();
  EXPECT_EQ(n, -1);
  Advance(kMs);
  waiter.join();
  EXPECT_EQ(n, 0);
}

TEST_F(ApiEpoll, AddingAReadyHandleWakesAWaiter) {
  const Connected c = Connect();
  const int e = estab_epoll_create1(b, 0);
  epoll_event got{};
  int n = -1;
  std::thread waiter([&] { n = estab_epoll_wait(b, e, &got, 1, -1); });
  LetItBlock();
  epoll_event event{};
  event.events = EPOLLOUT;
  event.data.fd = c.server;
  EXPECT_EQ(estab_epoll_ctl(b, e, EPOLL_CTL_ADD, c.server, &event), 0);
  waiter.join();
  EXPECT_EQ(n, 1);
}

// Several epolls watch one listener exclusively: one connection wakes one of them.
TEST_F(ApiEpoll, ExclusiveWakesOne) {
  const int listener = ListenOnB();
  std::atomic<int> woken = 0;
  std::vector<std::thread> waiters;
  for (int i = 0; i < 4; ++i) {
    const int e = Watch(b, listener, EPOLLIN | EPOLLEXCLUSIVE | EPOLLET);
    waiters.emplace_back([&, e] {
      epoll_event got{};
      if (estab_epoll_wait(b, e, &got, 1, 1000) > 0) ++woken;
    });
  }
  LetItBlock();
  StartConnect();
  Exchange();
  LetItBlock();
  EXPECT_EQ(woken, 1);
  Advance(kSecond);
  for (std::thread& waiter : waiters) waiter.join();
  EXPECT_EQ(woken, 1);
}

// Without EPOLLEXCLUSIVE everybody is told.
TEST_F(ApiEpoll, OtherwiseAllAreWoken) {
  const int listener = ListenOnB();
  std::atomic<int> woken = 0;
  std::vector<std::thread> waiters;
  for (int i = 0; i < 4; ++i) {
    const int e = Watch(b, listener, EPOLLIN);
    waiters.emplace_back([&, e] {
      epoll_event got{};
      if (estab_epoll_wait(b, e, &got, 1, 1000) > 0) ++woken;
    });
  }
  LetItBlock();
  StartConnect();
  Exchange();
  for (std::thread& waiter : waiters) waiter.join();
  EXPECT_EQ(woken, 4);
}

TEST_F(ApiEpoll, EndsWithItsStack) {
  const Connected c = Connect();
  const int e = Watch(b, c.server, EPOLLIN);
  int error = 0;
  std::thread waiter([&] {
    epoll_event got{};
    error = estab_epoll_wait(b, e, &got, 1, -1) < 0 ? errno : 0;
  });
  LetItBlock();
  b.Destroy();
  waiter.join();
  EXPECT_EQ(error, EBADF);
}

// Of many watched handles only those that are ready are found, each once, in their order.
TEST_F(ApiEpoll, ManyHandlesFewReady) {
  constexpr int kMany = 500;
  const int listener = ListenOnB(kMany);
  const int e = estab_epoll_create1(b, 0);
  std::vector<int> clients, servers;
  for (int i = 0; i < kMany; ++i) {
    clients.push_back(StartConnect());
    Exchange();
    servers.push_back(estab_accept4(b, listener, nullptr, nullptr, SOCK_NONBLOCK));
    ASSERT_GE(servers.back(), 0);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = servers.back();
    EXPECT_EQ(estab_epoll_ctl(b, e, EPOLL_CTL_ADD, servers.back(), &event), 0);
  }
  std::array<epoll_event, 16> got{};
  EXPECT_EQ(estab_epoll_wait(b, e, got.data(), 16, 0), 0);
  for (const std::size_t i : {400u, 3u, 77u}) {
    EXPECT_EQ(estab_send(a, clients[i], "x", 1, 0), 1);
    Exchange();
  }
  ASSERT_EQ(estab_epoll_wait(b, e, got.data(), 16, 0), 3);
  EXPECT_EQ(got[0].data.fd, servers[400]);
  EXPECT_EQ(got[1].data.fd, servers[3]);
  EXPECT_EQ(got[2].data.fd, servers[77]);
  for (const int s : servers) EXPECT_EQ(estab_close(b, s), 0);
  EXPECT_EQ(estab_epoll_wait(b, e, got.data(), 16, 0), 0);
}

// With the real clock the waiter itself runs the timers.
TEST(ApiEpollRealClock, TimesOut) {
  estab_stack* stack = estab_stack_create();
  const int e = estab_epoll_create1(stack, 0);
  epoll_event got{};
  const std::uint64_t before = estab_clock_now(stack);
  EXPECT_EQ(estab_epoll_wait(stack, e, &got, 1, 50), 0);
  const std::uint64_t waited = estab_clock_now(stack) - before;
  EXPECT_GE(waited, 50 * kMs);
  EXPECT_LT(waited, 5 * kSecond);
  estab_stack_destroy(stack);
}

}  // namespace
}  // namespace estab_test
