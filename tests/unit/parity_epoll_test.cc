// epoll: what it tells, when, and how often.
#include "parity_scripts.h"

namespace estab_test {
namespace {

// Waits without waiting and writes down the events: bits and data, in their order.
void Wait(Play& r, const std::string& when, int e, int count = 10) {
  epoll_event events[10] = {};
  const int n = r.m.epoll_wait(e, events, count, 0);
  std::string text = n < 0 ? Play::ErrorName(errno) : std::to_string(n);
  for (int i = 0; i < n; ++i) {
    text +=
        " [" + std::to_string(events[i].data.u32) + " " + Play::BitNames(events[i].events) + "]";
  }
  r.Say("wait " + when + " = " + text);
}

int Control(Play& r, int e, int operation, int s, std::uint32_t events, std::uint32_t data = 0) {
  epoll_event event{};
  event.events = events;
  event.data.u32 = data;
  return r.m.epoll_ctl(e, operation, s, &event);
}

int Epoll(Play& r) { return r.Keep(r.m.epoll_create1(0)); }

void Errors(Play& r) {
  r.Note("create flags", r.m.epoll_create1(1));
  const int e = Epoll(r);
  const int s = r.Tcp();
  r.Note("add", Control(r, e, EPOLL_CTL_ADD, s, EPOLLIN, 1));
  r.Note("add again", Control(r, e, EPOLL_CTL_ADD, s, EPOLLOUT, 1));
  r.Note("mod", Control(r, e, EPOLL_CTL_MOD, s, EPOLLOUT, 2));
  Wait(r, "new socket", e);
  r.Note("del", r.m.epoll_ctl(e, EPOLL_CTL_DEL, s, nullptr));
  r.Note("del again", r.m.epoll_ctl(e, EPOLL_CTL_DEL, s, nullptr));
  r.Note("mod gone", Control(r, e, EPOLL_CTL_MOD, s, EPOLLIN));
  r.Note("bad operation", Control(r, e, 77, s, EPOLLIN));
  r.Note("bad handle", Control(r, e, EPOLL_CTL_ADD, 9999, EPOLLIN));
  r.Note("bad epoll", Control(r, 9999, EPOLL_CTL_ADD, s, EPOLLIN));
  r.Note("not an epoll", Control(r, s, EPOLL_CTL_ADD, e, EPOLLIN));
  r.Note("itself", Control(r, e, EPOLL_CTL_ADD, e, EPOLLIN));
  r.Note("null event", r.m.epoll_ctl(e, EPOLL_CTL_ADD, s, nullptr));
  epoll_event one{};
  r.Note("wait 0", r.m.epoll_wait(e, &one, 0, 0));
  r.Note("wait -1", r.m.epoll_wait(e, &one, -1, 0));
  r.Note("wait on a socket", r.m.epoll_wait(s, &one, 1, 0));
  r.Note("wait on nothing", r.m.epoll_wait(9999, &one, 1, 0));
  char byte = 0;
  r.Note("read", r.m.read(e, &byte, 1));
  r.Note("write", r.m.write(e, &byte, 1));
  r.Note("recv", r.m.recv(e, &byte, 1, 0));
  r.Note("listen", r.m.listen(e, 1));
  r.Note("F_GETFL", r.m.fcntl(e, F_GETFL, 0) & ~O_LARGEFILE);
  const int cloexec = r.Keep(r.m.epoll_create1(EPOLL_CLOEXEC));
  r.Note("F_GETFD", r.m.fcntl(cloexec, F_GETFD, 0));
}

void Level(Play& r) {
  const Play::Two c = r.Connected();
  const int e = Epoll(r);
  Control(r, e, EPOLL_CTL_ADD, c.server, EPOLLIN | EPOLLRDHUP, 1);
  Control(r, e, EPOLL_CTL_ADD, c.client, EPOLLIN | EPOLLOUT, 2);
  Control(r, e, EPOLL_CTL_ADD, c.listener, EPOLLIN, 3);
  Wait(r, "idle", e);
  r.Send(c.client, "abc");
  Wait(r, "data", e);
  Wait(r, "data still", e);
  Wait(r, "one at a time", e, 1);
  Wait(r, "the other", e, 1);
  Wait(r, "and again", e, 1);
  r.Receive("part", c.server, 2);
  Wait(r, "one byte left", e);
  r.Receive("rest", c.server, 2);
  Wait(r, "nothing left", e);
  const int another = r.Tcp();
  r.Connect(another, r.Own());
  Wait(r, "to accept", e);
  r.Note("accept", r.Accept(c.listener));
  Wait(r, "accepted", e);
  r.m.shutdown(c.client, SHUT_WR);
  r.m.Settle();
  Wait(r, "half closed", e);
  r.Close(c.server);
  Wait(r, "closed", e);
  r.Close(c.client);
  Wait(r, "both closed", e);
}

void Edge(Play& r) {
  const Play::Two c = r.Connected();
  const int e = Epoll(r);
  Control(r, e, EPOLL_CTL_ADD, c.server, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1);
  Control(r, e, EPOLL_CTL_ADD, c.listener, EPOLLIN | EPOLLET, 3);
  Wait(r, "at first", e);
  Wait(r, "told", e);
  r.Send(c.client, "abc");
  Wait(r, "data", e);
  Wait(r, "data told", e);
  r.Send(c.client, "def");
  Wait(r, "more data", e);
  Wait(r, "more data told", e);
  r.Receive("part", c.server, 2);
  Wait(r, "part read", e);
  r.Note("mod", Control(r, e, EPOLL_CTL_MOD, c.server, EPOLLIN | EPOLLET, 1));
  Wait(r, "after mod", e);
  Wait(r, "after mod told", e);
  r.m.shutdown(c.client, SHUT_WR);
  r.m.Settle();
  Wait(r, "FIN", e);
  Wait(r, "FIN told", e);
  const int one = r.Tcp();
  const int two = r.Tcp();
  r.Connect(one, r.Own());
  Wait(r, "first to accept", e);
  Wait(r, "first told", e);
  r.Connect(two, r.Own());
  Wait(r, "second to accept", e);
  Wait(r, "second told", e);
  const int e2 = Epoll(r);
  Control(r, e2, EPOLL_CTL_ADD, one, EPOLLIN | EPOLLET, 4);
  Wait(r, "only reading", e2);
  r.Close(c.listener);
  Wait(r, "reset", e2);
  Wait(r, "reset told", e2);
}

// A full send buffer, and room in it again.
void EdgeWritable(Play& r) {
  const Play::Two c = r.Connected();
  const int e = Epoll(r);
  Control(r, e, EPOLL_CTL_ADD, c.client, EPOLLOUT | EPOLLET, 1);
  Wait(r, "at first", e);
  const std::string block(65536, 'x');
  int writes = 0;
  while (r.m.send(c.client, block.data(), block.size(), 0) > 0 && ++writes < 10000) {
  }
  r.m.Settle();
  r.Say(writes > 0 && writes < 10000 ? "full" : "never full");
  r.Bits("full", c.client);
  Wait(r, "full", e);
  std::string sink(1 << 20, '.');
  for (int round = 0; round < 200; ++round) {
    while (r.m.recv(c.server, sink.data(), sink.size(), 0) > 0) {
    }
    r.m.Settle();
  }
  Wait(r, "room again", e);
  Wait(r, "told", e);
}

void OneShot(Play& r) {
  const Play::Two c = r.Connected();
  const int e = Epoll(r);
  Control(r, e, EPOLL_CTL_ADD, c.server, EPOLLIN | EPOLLONESHOT, 1);
  r.Send(c.client, "a");
  Wait(r, "data", e);
  r.Send(c.client, "b");
  Wait(r, "disabled", e);
  r.Note("mod", Control(r, e, EPOLL_CTL_MOD, c.server, EPOLLIN | EPOLLONESHOT, 2));
  Wait(r, "enabled", e);
  Wait(r, "disabled again", e);
  r.Reset(c.client);
  Wait(r, "reset while disabled", e);
  Control(r, e, EPOLL_CTL_MOD, c.server, EPOLLONESHOT, 3);
  Wait(r, "error and hangup need not be asked for", e);
}

void Exclusive(Play& r) {
  const Play::Two c = r.Connected();
  const int e = Epoll(r);
  const int f = Epoll(r);
  r.Note("add", Control(r, e, EPOLL_CTL_ADD, c.server, EPOLLIN | EPOLLEXCLUSIVE, 1));
  r.Note("add second", Control(r, f, EPOLL_CTL_ADD, c.server, EPOLLIN | EPOLLEXCLUSIVE, 2));
  r.Note("mod of it", Control(r, e, EPOLL_CTL_MOD, c.server, EPOLLIN, 1));
  r.Note("mod to it", Control(r, e, EPOLL_CTL_MOD, c.server, EPOLLIN | EPOLLEXCLUSIVE, 1));
  r.Note("with RDHUP", Control(r, e, EPOLL_CTL_ADD, c.client, EPOLLRDHUP | EPOLLEXCLUSIVE, 1));
  r.Note("with ONESHOT",
         Control(r, e, EPOLL_CTL_ADD, c.client, EPOLLIN | EPOLLONESHOT | EPOLLEXCLUSIVE, 1));
  r.Note("of an epoll", Control(r, e, EPOLL_CTL_ADD, f, EPOLLIN | EPOLLEXCLUSIVE, 1));
  r.Send(c.client, "a");
  Wait(r, "first", e);
  Wait(r, "second", f);
}

void Nested(Play& r) {
  const Play::Two c = r.Connected();
  const int inner = Epoll(r);
  const int outer = Epoll(r);
  Control(r, inner, EPOLL_CTL_ADD, c.server, EPOLLIN, 1);
  r.Note("nest", Control(r, outer, EPOLL_CTL_ADD, inner, EPOLLIN, 2));
  r.Note("loop", Control(r, inner, EPOLL_CTL_ADD, outer, EPOLLIN, 3));
  Wait(r, "outer idle", outer);
  pollfd fd{inner, POLLIN | POLLOUT, 0};
  r.Note("poll idle", r.m.poll(&fd, 1, 0));
  r.Send(c.client, "x");
  Wait(r, "outer", outer);
  r.Note("poll", r.m.poll(&fd, 1, 0));
  r.Say("revents " + Play::BitNames(static_cast<unsigned>(fd.revents)));
  Wait(r, "inner", inner);
  r.Receive("all", c.server);
  Wait(r, "outer after", outer);
  int below = outer;
  for (int depth = 0; depth < 6; ++depth) {
    const int above = Epoll(r);
    r.Note("stack " + std::to_string(depth), Control(r, above, EPOLL_CTL_ADD, below, EPOLLIN, 4));
    below = above;
  }
  r.Close(inner);
  Wait(r, "inner closed", outer);
}

// What is watched is the open file: it stays until the last handle of it is closed.
void Duplicates(Play& r) {
  const Play::Two c = r.Connected();
  const int e = Epoll(r);
  const int copy = r.Keep(r.m.fcntl(c.server, F_DUPFD, 0));
  r.Note("add", Control(r, e, EPOLL_CTL_ADD, c.server, EPOLLIN, 1));
  r.Note("add copy", Control(r, e, EPOLL_CTL_ADD, copy, EPOLLIN, 2));
  r.Send(c.client, "x");
  Wait(r, "both", e);
  r.Close(c.server);
  Wait(r, "one closed", e);
  r.Note("del closed", Control(r, e, EPOLL_CTL_DEL, c.server, 0));
  r.Note("del copy", Control(r, e, EPOLL_CTL_DEL, copy, 0));
  Wait(r, "the closed one stays", e);
  r.Close(copy);
  Wait(r, "all closed", e);
}

void Connecting(Play& r) {
  const int e = Epoll(r);
  const int l = r.Tcp();
  r.Bind(l, r.Own());
  r.m.listen(l, 5);
  const int s = r.Tcp();
  Control(r, e, EPOLL_CTL_ADD, s, EPOLLOUT | EPOLLET, 1);
  Wait(r, "new", e);
  r.Connect(s, r.Own());
  Wait(r, "connected", e);
  Wait(r, "told", e);
  const int t = r.Tcp();
  Control(r, e, EPOLL_CTL_ADD, t, EPOLLOUT | EPOLLIN, 2);
  r.Connect(t, r.Own(5));
  Wait(r, "refused", e);
  r.Note("SO_ERROR", r.Get(t, SOL_SOCKET, SO_ERROR));
  Wait(r, "error fetched", e);
}

}  // namespace

std::vector<Script> EpollScripts() {
  return {{"EpollErrors", Errors},
          {"EpollLevel", Level},
          {"EpollEdge", Edge},
          {"EpollEdgeWritable", EdgeWritable},
          {"EpollOneShot", OneShot},
          {"EpollExclusive", Exclusive},
          {"EpollNested", Nested},
          {"EpollDuplicates", Duplicates},
          {"EpollConnecting", Connecting}};
}

}  // namespace estab_test
