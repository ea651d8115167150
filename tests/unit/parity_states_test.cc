// What calls answer, and what poll says, in every state and after every end.
#include "parity_scripts.h"

namespace estab_test {
namespace {

// Everything that can be asked of a socket without changing it much.
void Ask(Play& r, const std::string& when, int s) {
  r.Bits(when, s);
  r.Note("SIOCINQ " + when, r.Count(s, SIOCINQ));
  r.Note("SIOCATMARK " + when, r.Count(s, SIOCATMARK));
  r.Note("SO_ACCEPTCONN " + when, r.Get(s, SOL_SOCKET, SO_ACCEPTCONN));
  sockaddr_storage name{};
  socklen_t size = sizeof(name);
  r.Note("getpeername " + when, r.m.getpeername(s, reinterpret_cast<sockaddr*>(&name), &size));
  size = sizeof(name);
  r.Note("getsockname " + when, r.m.getsockname(s, reinterpret_cast<sockaddr*>(&name), &size));
}

// What the calls of a user answer, the harmless ones first.
void Use(Play& r, const std::string& when, int s) {
  r.Receive("oob " + when, s, 1, MSG_OOB);
  r.Receive("none " + when, s, 0);
  r.Receive("peek " + when, s, 10, MSG_PEEK);
  r.Receive(when, s, 10);
  r.Receive("again " + when, s, 10);
  r.Note("send nothing " + when, r.Send(s, ""));
  r.Note("send " + when, r.Send(s, "x"));
  r.Note("send again " + when, r.Send(s, "x"));
  r.Note("SO_ERROR " + when, r.Get(s, SOL_SOCKET, SO_ERROR));
  r.Note("accept " + when, r.Accept(s));
  r.Note("listen " + when, r.m.listen(s, 1));
  r.Bits("afterwards " + when, s);
}

void Fresh(Play& r) {
  const int s = r.Tcp();
  Ask(r, "new", s);
  Use(r, "new", s);  // ends as a listener
  const int t = r.Tcp();
  r.Note("shutdown RD", r.m.shutdown(t, SHUT_RD));
  r.Note("shutdown WR", r.m.shutdown(t, SHUT_WR));
  r.Note("shutdown RDWR", r.m.shutdown(t, SHUT_RDWR));
  r.Note("shutdown 7", r.m.shutdown(t, 7));
  Ask(r, "after shutdown", t);
  r.Note("disconnect", r.Disconnect(t));
  r.Note("bind", r.Bind(t, r.Own()));
  Ask(r, "bound", t);
  r.Note("disconnect bound", r.Disconnect(t));
  sockaddr_in name{};
  socklen_t size = sizeof(name);
  r.m.getsockname(t, reinterpret_cast<sockaddr*>(&name), &size);
  r.Say("port kept " + std::to_string(name.sin_port == r.Own().sin_port));
}

void Listening(Play& r) {
  const int s = r.Tcp();
  r.Bind(s, r.Own());
  r.Note("listen", r.m.listen(s, 2));
  Ask(r, "listening", s);
  r.Receive("oob", s, 1, MSG_OOB);
  r.Receive("listening", s);
  r.Note("send", r.Send(s, "x"));
  r.Note("connect", r.Connect(s, r.Own(1)));
  r.Note("bind", r.Bind(s, r.Own(1)));
  r.Note("listen again", r.m.listen(s, 3));
  r.Note("accept", r.Accept(s));
  r.Note("shutdown WR", r.m.shutdown(s, SHUT_WR));
  Ask(r, "after SHUT_WR", s);
  const int c = r.Tcp();
  r.Note("client", r.Connect(c, r.Own()));
  Ask(r, "one waits", s);
  r.Note("shutdown RD", r.m.shutdown(s, SHUT_RD));
  r.m.Settle();
  Ask(r, "after SHUT_RD", s);
  Ask(r, "reset before accept", c);
  Use(r, "reset before accept", c);
  r.Note("listen anew", r.m.listen(s, 1));
  Ask(r, "anew", s);
  r.Note("disconnect", r.Disconnect(s));
  Ask(r, "disconnected", s);
}

void Refused(Play& r) {
  const int s = r.Tcp();
  r.Note("connect", r.Connect(s, r.Own()));
  Ask(r, "refused", s);
  r.Note("connect again", r.Connect(s, r.Own()));
  Ask(r, "told", s);
  const int t = r.Tcp();
  r.Connect(t, r.Own());
  r.Note("SO_ERROR", r.Get(t, SOL_SOCKET, SO_ERROR));
  r.Note("SO_ERROR again", r.Get(t, SOL_SOCKET, SO_ERROR));
  Ask(r, "error fetched", t);
  r.Note("connect after SO_ERROR", r.Connect(t, r.Own()));
  r.Note("connect after that", r.Connect(t, r.Own()));
  const int u = r.Tcp();
  r.Connect(u, r.Own());
  Use(r, "refused", u);
  const int v = r.Tcp();
  r.Connect(v, r.Own());
  r.Note("send first", r.Send(v, "x"));
  r.Note("send second", r.Send(v, "x"));
  r.Receive("after send", v);
}

void Opening(Play& r) {
  // The accept queue of the listener is full, so that its SYN is not answered.
  const int l = r.Tcp();
  r.Bind(l, r.Own());
  r.m.listen(l, 0);
  const int first = r.Tcp();
  r.Note("first", r.Connect(first, r.Own()));
  const int s = r.Tcp();
  r.Note("connect", r.Connect(s, r.Own()));
  Ask(r, "SYN_SENT", s);
  r.Note("connect again", r.Connect(s, r.Own()));
  r.Receive("oob", s, 1, MSG_OOB);
  r.Receive("SYN_SENT", s);
  r.Note("send", r.Send(s, "x"));
  r.Note("listen", r.m.listen(s, 1));
  r.Note("accept", r.Accept(s));
  r.Note("bind", r.Bind(s, r.Own(1)));
  r.Note("SO_ERROR", r.Get(s, SOL_SOCKET, SO_ERROR));
  r.Note("disconnect", r.Disconnect(s));
  Ask(r, "disconnected", s);
  const int t = r.Tcp();
  r.Connect(t, r.Own());
  r.Note("shutdown RD", r.m.shutdown(t, SHUT_RD));
  Ask(r, "SHUT_RD in SYN_SENT", t);
  const int u = r.Tcp();
  r.Connect(u, r.Own());
  r.Note("shutdown WR", r.m.shutdown(u, SHUT_WR));
  Ask(r, "SHUT_WR in SYN_SENT", u);
  r.Note("connect then", r.Connect(u, r.Own()));
  Use(r, "SHUT_WR in SYN_SENT", u);
}

void Open(Play& r) {
  const Play::Two c = r.Connected();
  Ask(r, "open", c.client);
  r.Note("connect", r.Connect(c.client, r.Own()));
  r.Note("connect again", r.Connect(c.client, r.Own()));
  r.Note("bind", r.Bind(c.client, r.Own(1)));
  r.Note("bind accepted", r.Bind(c.server, r.Own(1)));
  r.Note("connect accepted", r.Connect(c.server, r.Own(1)));
  r.Note("listen accepted", r.m.listen(c.server, 1));
  Use(r, "open", c.client);
  Ask(r, "data here", c.server);
  Use(r, "data here", c.server);
  r.Note("disconnect", r.Disconnect(c.client));
  r.m.Settle();
  Ask(r, "disconnected", c.client);
  Ask(r, "peer disconnected", c.server);
}

void HalfClosed(Play& r) {
  const Play::Two c = r.Connected();
  r.Note("shutdown WR", r.m.shutdown(c.client, SHUT_WR));
  r.m.Settle();
  Ask(r, "FIN_WAIT_2", c.client);
  Ask(r, "CLOSE_WAIT", c.server);
  r.Note("shutdown WR again", r.m.shutdown(c.client, SHUT_WR));
  Use(r, "FIN_WAIT_2", c.client);
  Use(r, "CLOSE_WAIT", c.server);
  r.Note("shutdown WR of the other", r.m.shutdown(c.server, SHUT_WR));
  r.m.Settle();
  Ask(r, "closed passively", c.server);
  r.Note("shutdown when closed", r.m.shutdown(c.server, SHUT_WR));
  r.Receive("rest", c.client);
  Ask(r, "TIME_WAIT", c.client);
  r.Note("shutdown in TIME_WAIT", r.m.shutdown(c.client, SHUT_RDWR));
  Use(r, "TIME_WAIT", c.client);
  Use(r, "closed passively", c.server);
  r.Note("connect after close", r.Connect(c.server, r.Own()));
}

void ShutReading(Play& r) {
  const Play::Two c = r.Connected();
  r.Note("send", r.Send(c.client, "abc"));
  r.Note("shutdown RD", r.m.shutdown(c.server, SHUT_RD));
  Ask(r, "SHUT_RD with data", c.server);
  r.Receive("part", c.server, 2);
  Ask(r, "SHUT_RD with less", c.server);
  r.Note("send more", r.Send(c.client, "de"));
  Use(r, "SHUT_RD", c.server);
  r.Note("shutdown RDWR", r.m.shutdown(c.server, SHUT_RDWR));
  r.m.Settle();
  Ask(r, "SHUT_RDWR", c.server);
  Ask(r, "peer of SHUT_RDWR", c.client);
  r.Note("send to the closed", r.Send(c.client, "f"));
  Ask(r, "peer after that", c.client);
  Use(r, "peer after that", c.client);
}

void ResetOpen(Play& r) {
  const Play::Two c = r.Connected();
  r.Send(c.server, "last");
  r.Reset(c.server);
  Ask(r, "reset with data", c.client);
  Use(r, "reset with data", c.client);
  const Play::Two d = r.Connected(1);
  r.Reset(d.server);
  Ask(r, "reset", d.client);
  r.Note("SO_ERROR", r.Get(d.client, SOL_SOCKET, SO_ERROR));
  Ask(r, "reset, told", d.client);
  Use(r, "reset, told", d.client);
  const Play::Two e = r.Connected(2);
  r.Reset(e.server);
  r.Note("send to reset", r.Send(e.client, "x"));
  r.Note("send again", r.Send(e.client, "x"));
  r.Receive("after", e.client);
  r.Note("shutdown", r.m.shutdown(e.client, SHUT_WR));
  r.Note("connect", r.Connect(e.client, r.Own(2)));
  Ask(r, "connected anew", e.client);
}

void ResetHalfClosed(Play& r) {
  const Play::Two c = r.Connected();
  r.m.shutdown(c.client, SHUT_WR);
  r.m.Settle();
  r.Reset(c.server);
  Ask(r, "reset in FIN_WAIT_2", c.client);
  Use(r, "reset in FIN_WAIT_2", c.client);
  const Play::Two d = r.Connected(1);
  r.m.shutdown(d.client, SHUT_WR);
  r.m.Settle();
  r.Reset(d.client);
  Ask(r, "reset in CLOSE_WAIT", d.server);
  Use(r, "reset in CLOSE_WAIT", d.server);
  const Play::Two e = r.Connected(2);
  r.Send(e.client, "unread");
  r.Close(e.server);
  Ask(r, "closed unread", e.client);
  Use(r, "closed unread", e.client);
}

void AfterClose(Play& r) {
  const Play::Two c = r.Connected();
  r.Close(c.server);
  Ask(r, "peer closed", c.client);
  r.Note("send", r.Send(c.client, "x"));
  Ask(r, "answered by a reset", c.client);
  Use(r, "answered by a reset", c.client);
  r.Note("close", r.Close(c.client));
  r.Note("close again", r.Close(c.client));
  r.Note("send closed", r.Send(c.client, "x"));
  r.Note("bind closed", r.Bind(c.client, r.Own()));
}

void BindRules(Play& r) {
  const int s = r.Tcp();
  r.Note("bind", r.Bind(s, r.Own()));
  r.Note("bind twice", r.Bind(s, r.Own(1)));
  const int t = r.Tcp();
  r.Note("same", r.Bind(t, r.Own()));
  r.Note("wildcard", r.Bind(t, r.Any()));
  r.Set(s, SOL_SOCKET, SO_REUSEADDR, 1);
  r.Note("one reuses", r.Bind(t, r.Own()));
  r.Set(t, SOL_SOCKET, SO_REUSEADDR, 1);
  r.Note("both reuse", r.Bind(t, r.Own()));
  r.Note("listen", r.m.listen(s, 1));
  r.Note("listen second", r.m.listen(t, 1));
  const int u = r.Tcp();
  r.Set(u, SOL_SOCKET, SO_REUSEADDR, 1);
  r.Note("reuse of a listener", r.Bind(u, r.Own()));
  const int v = r.Tcp();
  r.Note("not our address", r.Bind(v, Play::In("203.0.113.9", 5)));
  r.Note("multicast", r.Bind(v, Play::In("224.0.0.1", 5)));
  r.Note("wrong family", r.Bind(v, r.Own6()));
  const sockaddr_in own = r.Own(3);
  r.Note("short", r.m.bind(v, reinterpret_cast<const sockaddr*>(&own), 8));
  r.Note("long", r.m.bind(v, reinterpret_cast<const sockaddr*>(&own), 4096));
  sockaddr_in unspecified = r.Any(3);
  unspecified.sin_family = AF_UNSPEC;
  r.Note("AF_UNSPEC any", r.Bind(r.Tcp(), unspecified));
  const int w = r.Tcp();
  sockaddr_in unspecified_own = r.Own(4);
  unspecified_own.sin_family = AF_UNSPEC;
  r.Note("AF_UNSPEC own", r.Bind(w, unspecified_own));
  r.Note("port 0", r.Bind(w, Play::In("0.0.0.0", 0)));
  r.Note("listen unbound", r.m.listen(r.Tcp(), 1));
}

void ReusePort(Play& r) {
  const int s = r.Tcp();
  const int t = r.Tcp();
  const int u = r.Tcp();
  r.Note("set", r.Set(s, SOL_SOCKET, SO_REUSEPORT, 1));
  r.Note("get", r.Get(s, SOL_SOCKET, SO_REUSEPORT));
  r.Note("bind", r.Bind(s, r.Own()));
  r.Note("without", r.Bind(t, r.Own()));
  r.Set(t, SOL_SOCKET, SO_REUSEPORT, 1);
  r.Note("with", r.Bind(t, r.Own()));
  r.Note("listen", r.m.listen(s, 4));
  r.Note("listen second", r.m.listen(t, 4));
  r.Set(u, SOL_SOCKET, SO_REUSEPORT, 1);
  r.Note("a third beside listeners", r.Bind(u, r.Own()));
  r.Note("listen third", r.m.listen(u, 4));
  r.Note("close", r.Close(s));
  r.Note("close second", r.Close(t));
  const int c = r.Tcp();
  r.Connect(c, r.Own());
  r.Note("accept from the third", r.Accept(u));
  const int v = r.Tcp();
  r.Set(v, SOL_SOCKET, SO_REUSEADDR, 1);
  r.Note("reuse address only", r.Bind(v, r.Own()));
}

void DualStack(Play& r) {
  const int s = r.Tcp(AF_INET6);
  r.Note("V6ONLY at first", r.Get(s, IPPROTO_IPV6, IPV6_V6ONLY));
  r.Note("bind", r.Bind(s, r.Any6()));
  r.Note("V6ONLY bound", r.Set(s, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  r.Note("listen", r.m.listen(s, 4));
  const int t = r.Tcp();
  r.Note("IPv4 beside it", r.Bind(t, r.Any()));
  const int c = r.Tcp();
  r.Note("connect by IPv4", r.Connect(c, r.Own()));
  sockaddr_in6 name{};
  socklen_t size = sizeof(name);
  const int a = r.Keep(r.m.accept4(s, reinterpret_cast<sockaddr*>(&name), &size, SOCK_NONBLOCK));
  r.Say("family " + std::to_string(name.sin6_family) + " mapped " +
        std::to_string(IN6_IS_ADDR_V4MAPPED(&name.sin6_addr)) + " size " + std::to_string(size));
  r.Note("domain", r.Get(a, SOL_SOCKET, SO_DOMAIN));
  const int only = r.Tcp(AF_INET6);
  r.Note("V6ONLY", r.Set(only, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  r.Note("bind V6ONLY", r.Bind(only, r.Any6(1)));
  r.Note("IPv4 beside V6ONLY", r.Bind(t, r.Any(1)));
  r.Note("listen V6ONLY", r.m.listen(only, 4));
  const int d = r.Tcp();
  r.Note("IPv4 to V6ONLY", r.Connect(d, r.Own(1)));
  r.Note("told", r.Connect(d, r.Own(1)));
  const int e = r.Tcp(AF_INET6);
  r.Note("IPv6 to V6ONLY", r.Connect(e, r.Own6(1)));
  r.Note("IPv4 address to an IPv6 socket", r.Connect(r.Tcp(AF_INET6), r.Own(1)));
  const int f = r.Tcp(AF_INET6);
  std::string mapped = std::string("::ffff:") + r.m.own4();
  r.Note("mapped", r.Connect(f, Play::In6(mapped.c_str(), ntohs(r.Own().sin_port))));
  const int g = r.Tcp(AF_INET6);
  r.Set(g, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  r.Note("mapped with V6ONLY", r.Connect(g, Play::In6(mapped.c_str(), ntohs(r.Own().sin_port))));
  r.Note("bind mapped with V6ONLY", r.Bind(g, Play::In6(mapped.c_str(), 0)));
}

void Making(Play& r) {
  const auto make = [&](const char* what, int domain, int type, int protocol) {
    const int fd = r.m.socket(domain, type, protocol);
    r.Note(what, fd < 0 ? fd : 0);
    if (fd >= 0) r.m.close(fd);
  };
  make("no domain", 12345, SOCK_STREAM, 0);
  make("no type", AF_INET, 99, 0);
  make("type 7", AF_INET, 7, 0);
  make("TCP", AF_INET, SOCK_STREAM, IPPROTO_TCP);
  make("UDP as stream", AF_INET, SOCK_STREAM, IPPROTO_UDP);
  make("protocol 77", AF_INET, SOCK_STREAM, 77);
  make("protocol -1", AF_INET, SOCK_STREAM, -1);
  make("protocol 1000", AF_INET, SOCK_STREAM, 1000);
  make("flags", AF_INET, SOCK_STREAM | 0x40000000, 0);
  const int s = r.Keep(r.m.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  r.Note("F_GETFD", r.m.fcntl(s, F_GETFD, 0));
  r.Note("F_GETFL", r.m.fcntl(s, F_GETFL, 0));
  const int t = r.Keep(r.m.socket(AF_INET, SOCK_STREAM, 0));
  r.Note("F_GETFD of the plain", r.m.fcntl(t, F_GETFD, 0));
  r.Note("F_GETFL of the plain", r.m.fcntl(t, F_GETFL, 0));
  r.Note("F_SETFD", r.m.fcntl(t, F_SETFD, FD_CLOEXEC));
  r.Note("F_GETFD then", r.m.fcntl(t, F_GETFD, 0));
  r.Note("F_SETFL", r.m.fcntl(t, F_SETFL, O_NONBLOCK));
  r.Note("F_GETFL then", r.m.fcntl(t, F_GETFL, 0));
  int off = 0;
  r.Note("FIONBIO", r.m.ioctl(t, FIONBIO, &off));
  r.Note("F_GETFL at last", r.m.fcntl(t, F_GETFL, 0));
  r.Note("F_DUPFD -1", r.m.fcntl(t, F_DUPFD, -1));
  const int high = r.m.fcntl(t, F_DUPFD_CLOEXEC, 300);
  r.Say("F_DUPFD_CLOEXEC 300 = " + std::to_string(high));
  r.Note("F_GETFD of the copy", r.m.fcntl(high, F_GETFD, 0));
  r.Note("F_SETFL of the copy", r.m.fcntl(high, F_SETFL, O_NONBLOCK));
  r.Note("F_GETFL is shared", r.m.fcntl(t, F_GETFL, 0));
  r.m.close(high);
  const Play::Two c = r.Connected();
  const int l = c.listener;
  r.Note("accept4 flags", r.m.accept4(l, nullptr, nullptr, 0x1000));
  r.Note("accept4 of no listener", r.m.accept4(c.client, nullptr, nullptr, 0));
  r.Note("F_GETFL accepted", r.m.fcntl(c.server, F_GETFL, 0));
  r.Note("bad handle", r.m.listen(9999, 1));
  r.Note("bad handle, bad flags", r.m.accept4(9999, nullptr, nullptr, 0x1000));
  r.Note("shutdown bad", r.m.shutdown(9999, 9));
  r.Note("fcntl bad", r.m.fcntl(9999, F_GETFL, 0));
  pollfd bad[] = {{9999, POLLIN, 0}, {-5, POLLIN, 7}};
  r.Note("poll bad", r.m.poll(bad, 2, 0));
  r.Say("revents " + Play::BitNames(static_cast<unsigned>(bad[0].revents)) + " " +
        Play::BitNames(static_cast<unsigned>(bad[1].revents)));
}

}  // namespace

std::vector<Script> StateScripts() {
  return {{"Fresh", Fresh},
          {"Listening", Listening},
          {"Refused", Refused},
          {"Opening", Opening},
          {"Open", Open},
          {"HalfClosed", HalfClosed},
          {"ShutReading", ShutReading},
          {"ResetOpen", ResetOpen},
          {"ResetHalfClosed", ResetHalfClosed},
          {"AfterClose", AfterClose},
          {"BindRules", BindRules},
          {"ReusePort", ReusePort},
          {"DualStack", DualStack},
          {"Making", Making}};
}

}  // namespace estab_test
