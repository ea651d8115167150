// What is done over a link, whichever sockets do it.
#pragma once

#include <errno.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "links/ends.h"

namespace links {

constexpr int kConnections = 64;  // that open and close side by side
// So many ports of the server, by turns: a port of the kernel's client is taken for a minute, and
// when half of those towards one port are (it looks for even ones first), it looks long.
constexpr int kPorts = 8;
constexpr std::size_t kPiece = 128 * 1024;

enum class Workload { kBulkUp, kBulkDown, kConnect, kLatency };

using Clock = std::chrono::steady_clock;
inline double Since(Clock::time_point from) {
  return std::chrono::duration<double>(Clock::now() - from).count();
}

[[noreturn]] inline void Die(const char* what) {
  std::fprintf(stderr, "bench_links: %s: %s\n", what, std::strerror(errno));
  std::_Exit(1);
}

inline sockaddr_in At(const char* address, int port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(static_cast<std::uint16_t>(port));
  inet_pton(AF_INET, address, &a.sin_addr);
  return a;
}

// --- The server's end ----------------------------------------------------------------------------

template <class Calls>
int ListenOn(const Calls& calls, const char* address, int port, int flags) {
  const int s = calls.Socket(SOCK_STREAM | flags);
  if (s < 0) Die("socket");
  calls.SetOption(s, SOL_SOCKET, SO_REUSEADDR, 1);
  if (calls.Bind(s, At(address, port)) != 0) Die("bind");
  if (calls.Listen(s, 1024) != 0) Die("listen");
  return s;
}

/// Accepts what comes and closes it when the peer has; for ever.
template <class Calls>
[[noreturn]] void ServeClosing(const Calls& calls, const char* address, int port) {
  const int poller = calls.EpollCreate();
  std::vector<int> listeners;
  for (int i = 0; i < kPorts; ++i) {
    listeners.push_back(ListenOn(calls, address, port + i, SOCK_NONBLOCK));
    calls.EpollAdd(poller, listeners.back(), EPOLLIN);
  }
  std::vector<epoll_event> events(256);
  char byte[64];
  for (;;) {
    const int n = calls.EpollWait(poller, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < n; ++i) {
      const int s = events[static_cast<std::size_t>(i)].data.fd;
      if (std::find(listeners.begin(), listeners.end(), s) == listeners.end()) {
        if (calls.Receive(s, byte, sizeof(byte)) <= 0) calls.Close(s);
        continue;
      }
      for (int c = calls.Accept(s, SOCK_NONBLOCK); c >= 0; c = calls.Accept(s, SOCK_NONBLOCK)) {
        calls.EpollAdd(poller, c, EPOLLIN);
      }
    }
  }
}

/// Serves one connection after the other; for ever.
template <class Calls>
[[noreturn]] void Serve(const Calls& calls, Workload workload, const char* address, int port) {
  if (workload == Workload::kConnect) {
    ServeClosing(calls, address, port);
  }
  const int listener = ListenOn(calls, address, port, 0);
  std::vector<char> piece(kPiece, 'x');
  for (;;) {
    const int s = calls.Accept(listener, 0);
    if (s < 0) Die("accept");
    calls.SetOption(s, IPPROTO_TCP, TCP_NODELAY, 1);
    if (workload == Workload::kBulkDown) {
      while (calls.Send(s, piece.data(), piece.size()) > 0) {
      }
    } else {
      for (ssize_t n; (n = calls.Receive(s, piece.data(), piece.size())) > 0;) {
        if (workload == Workload::kLatency) calls.Send(s, piece.data(), static_cast<size_t>(n));
      }
    }
    calls.Close(s);
  }
}

// --- The client's end ----------------------------------------------------------------------------

/// What a run has brought: a rate (bytes or connections a second), or times of a round trip.
struct Figure {
  double rate = 0;
  double p50_us = 0;
  double p99_us = 0;
};

template <class Calls>
int ConnectTo(const Calls& calls, const sockaddr_in& to) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    const int s = calls.Socket(SOCK_STREAM);
    if (s < 0) Die("socket");
    if (calls.Connect(s, to) == 0) {
      calls.SetOption(s, IPPROTO_TCP, TCP_NODELAY, 1);
      return s;
    }
    calls.Close(s);
    usleep(20'000);  // the server has not begun yet
  }
  Die("connect");
}

/// `up`: the client sends. Counted is what has passed this end after a quarter of the time, which
/// for a sender differs from what has arrived by a buffer's worth.
template <class Calls>
Figure Bulk(const Calls& calls, const sockaddr_in& to, double seconds, bool up) {
  const int s = ConnectTo(calls, to);
  std::vector<char> piece(kPiece, 'x');
  const auto began = Clock::now();
  double from = 0;
  std::uint64_t bytes = 0;
  for (double at = 0; at < seconds; at = Since(began)) {
    const ssize_t n = up ? calls.Send(s, piece.data(), piece.size())
                         : calls.Receive(s, piece.data(), piece.size());
    if (n <= 0) Die("bulk");
    if (from == 0 && at > seconds / 4) {
      from = at;
      bytes = 0;
    }
    bytes += static_cast<std::uint64_t>(n);
  }
  const double took = Since(began) - from;
  calls.Close(s);
  return {.rate = static_cast<double>(bytes) / took};
}

template <class Calls>
Figure Latency(const Calls& calls, const sockaddr_in& to, double seconds) {
  const int s = ConnectTo(calls, to);
  std::vector<double> trips;
  char byte = 'x';
  const auto began = Clock::now();
  while (Since(began) < seconds) {
    const auto sent = Clock::now();
    if (calls.Send(s, &byte, 1) != 1 || calls.Receive(s, &byte, 1) != 1) Die("latency");
    trips.push_back(Since(sent) * 1e6);
  }
  calls.Close(s);
  std::sort(trips.begin(), trips.end());
  return {.rate = static_cast<double>(trips.size()) / seconds,
          .p50_us = trips[trips.size() / 2],
          .p99_us = trips[trips.size() * 99 / 100]};
}

/// Opens and closes without data, so many at a time.
template <class Calls>
Figure ConnectAndClose(const Calls& calls, const sockaddr_in& first, double seconds) {
  calls.Close(ConnectTo(calls, first));
  const int poller = calls.EpollCreate();
  int opened = 0;
  const auto open = [&] {
    const int s = calls.Socket(SOCK_STREAM | SOCK_NONBLOCK);
    if (s < 0) Die("socket");
    sockaddr_in to = first;
    to.sin_port = htons(static_cast<std::uint16_t>(ntohs(first.sin_port) + opened++ % kPorts));
    if (calls.Connect(s, to) != 0 && errno != EINPROGRESS) Die("connect");
    calls.EpollAdd(poller, s, EPOLLOUT);
  };
  for (int i = 0; i < kConnections; ++i) open();
  std::vector<epoll_event> events(kConnections);
  std::uint64_t done = 0;
  const auto began = Clock::now();
  while (Since(began) < seconds) {
    const int n = calls.EpollWait(poller, events.data(), kConnections, 100);
    for (int i = 0; i < n; ++i) {
      const int s = events[static_cast<std::size_t>(i)].data.fd;
      if ((events[static_cast<std::size_t>(i)].events & EPOLLERR) != 0) {
        calls.GetOption(s, SOL_SOCKET, SO_ERROR, &errno);
        Die("a connection");
      }
      calls.Close(s);
      ++done;
      open();
    }
  }
  return {.rate = static_cast<double>(done) / Since(began)};
}

template <class Calls>
Figure Run(const Calls& calls, Workload workload, const sockaddr_in& to, double seconds) {
  switch (workload) {
    case Workload::kBulkUp:
      return Bulk(calls, to, seconds, true);
    case Workload::kBulkDown:
      return Bulk(calls, to, seconds, false);
    case Workload::kLatency:
      return Latency(calls, to, seconds);
    case Workload::kConnect:
      break;
  }
  return ConnectAndClose(calls, to, seconds);
}

}  // namespace links
