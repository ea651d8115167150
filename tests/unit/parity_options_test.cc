// Every option: what it is at first, which lengths and values it takes, and what it says then.
#include "parity_scripts.h"

namespace estab_test {
namespace {

struct Option {
  const char* name;
  int level;
  int number;
};
#define OPTION(level, number) {#number, level, number}
constexpr Option kOptions[] = {
    OPTION(SOL_SOCKET, SO_REUSEADDR),
    OPTION(SOL_SOCKET, SO_REUSEPORT),
    OPTION(SOL_SOCKET, SO_KEEPALIVE),
    OPTION(SOL_SOCKET, SO_OOBINLINE),
    OPTION(SOL_SOCKET, SO_SNDBUF),
    OPTION(SOL_SOCKET, SO_RCVBUF),
    OPTION(SOL_SOCKET, SO_TYPE),
    OPTION(SOL_SOCKET, SO_DOMAIN),
    OPTION(SOL_SOCKET, SO_PROTOCOL),
    OPTION(SOL_SOCKET, SO_ACCEPTCONN),
    OPTION(SOL_SOCKET, SO_ERROR),
    OPTION(IPPROTO_TCP, TCP_NODELAY),
    OPTION(IPPROTO_TCP, TCP_CORK),
    OPTION(IPPROTO_TCP, TCP_MAXSEG),
    OPTION(IPPROTO_TCP, TCP_KEEPIDLE),
    OPTION(IPPROTO_TCP, TCP_KEEPINTVL),
    OPTION(IPPROTO_TCP, TCP_KEEPCNT),
    OPTION(IPPROTO_TCP, TCP_SYNCNT),
    OPTION(IPPROTO_TCP, TCP_LINGER2),
    OPTION(IPPROTO_TCP, TCP_USER_TIMEOUT),
    OPTION(IPPROTO_TCP, TCP_QUICKACK),
    OPTION(IPPROTO_TCP, TCP_NOTSENT_LOWAT),
    OPTION(IPPROTO_TCP, TCP_WINDOW_CLAMP),
    OPTION(IPPROTO_TCP, TCP_INQ),
    OPTION(IPPROTO_IP, IP_TOS),
    OPTION(IPPROTO_IP, IP_TTL),
    OPTION(IPPROTO_IP, IP_MTU_DISCOVER),
    OPTION(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),
    OPTION(IPPROTO_IP, 51),  // IP_LOCAL_PORT_RANGE
    OPTION(IPPROTO_IPV6, IPV6_TCLASS),
    OPTION(IPPROTO_IPV6, IPV6_UNICAST_HOPS),
    OPTION(IPPROTO_IPV6, IPV6_MTU_DISCOVER),
    OPTION(IPPROTO_IPV6, IPV6_V6ONLY),
    OPTION(IPPROTO_TCP, 9999),
    OPTION(SOL_SOCKET, 9999),
    OPTION(IPPROTO_IP, 9999),
    OPTION(9999, 1),
};

void AskEvery(Play& r, const std::string& what, int s) {
  for (const Option& option : kOptions) {
    r.Note(what + " " + option.name, r.Get(s, option.level, option.number));
  }
}

void AtFirst(Play& r) {
  AskEvery(r, "new", r.Tcp());
  AskEvery(r, "new IPv6", r.Tcp(AF_INET6));
}

// Values around every limit, and what the option says after each.
void Values(Play& r, int domain) {
  static constexpr int kValues[] = {-1000, -2,   -1,   0,    1,     2,     3,      7,      40,  87,
                                    88,    120,  121,  127,  128,   252,   255,    256,    257, 300,
                                    1151,  1152, 1153, 4607, 32767, 32768, 100000, 1 << 20};
  for (const Option& option : kOptions) {
    const int s = r.Tcp(domain);
    for (const int value : kValues) {
      const std::string text = std::string(option.name) + " " + std::to_string(value);
      r.Note("set " + text, r.Set(s, option.level, option.number, value));
      r.Note("get " + text, r.Get(s, option.level, option.number));
    }
  }
}
void Values4(Play& r) { Values(r, AF_INET); }
void Values6(Play& r) { Values(r, AF_INET6); }

void Lengths(Play& r) {
  for (const Option& option : kOptions) {
    const int s = r.Tcp(AF_INET6);
    for (const socklen_t length : {0u, 1u, 2u, 3u, 4u, 8u, 64u}) {
      int value[16] = {1};
      const std::string text = std::string(option.name) + " length " + std::to_string(length);
      r.Note("set " + text, r.m.setsockopt(s, option.level, option.number, value, length));
      int got[16] = {-1, -1};
      socklen_t size = length;
      const int result = r.m.getsockopt(s, option.level, option.number, got, &size);
      r.Note("get " + text, result);
      if (result == 0) r.Say(text + " is " + std::to_string(size) + " " + std::to_string(got[0]));
    }
    socklen_t negative = static_cast<socklen_t>(-1);
    int value = 0;
    r.Note(std::string("set negative ") + option.name,
           r.m.setsockopt(s, option.level, option.number, &value, negative));
    r.Note(std::string("get negative ") + option.name,
           r.m.getsockopt(s, option.level, option.number, &value, &negative));
    r.Note(std::string("set NULL ") + option.name,
           r.m.setsockopt(s, option.level, option.number, nullptr, 4));
    r.Note(std::string("get no length ") + option.name,
           r.m.getsockopt(s, option.level, option.number, &value, nullptr));
  }
}

void Structures(Play& r) {
  const int s = r.Tcp();
  linger on{1, 5};
  r.Note("SO_LINGER short", r.m.setsockopt(s, SOL_SOCKET, SO_LINGER, &on, 4));
  r.Note("SO_LINGER", r.m.setsockopt(s, SOL_SOCKET, SO_LINGER, &on, sizeof(on)));
  on = {0, 9};
  r.m.setsockopt(s, SOL_SOCKET, SO_LINGER, &on, sizeof(on));
  socklen_t size = sizeof(on);
  r.Note("get SO_LINGER", r.m.getsockopt(s, SOL_SOCKET, SO_LINGER, &on, &size));
  r.Say(std::to_string(on.l_onoff) + " " + std::to_string(on.l_linger));
  for (const int name : {SO_RCVTIMEO, SO_SNDTIMEO, 66, 67}) {
    const std::string text = "timeout " + std::to_string(name);
    timeval time{2, 500000};
    r.Note(text, r.m.setsockopt(s, SOL_SOCKET, name, &time, sizeof(time)));
    timeval got{};
    size = sizeof(got);
    r.Note(text + " get", r.m.getsockopt(s, SOL_SOCKET, name, &got, &size));
    r.Say(std::to_string(got.tv_sec) + " " + std::to_string(got.tv_usec) + " " +
          std::to_string(size));
    time = {1, 1000000};
    r.Note(text + " usec", r.m.setsockopt(s, SOL_SOCKET, name, &time, sizeof(time)));
    time = {1, -1};
    r.Note(text + " negative usec", r.m.setsockopt(s, SOL_SOCKET, name, &time, sizeof(time)));
    time = {-1, 0};
    r.Note(text + " negative", r.m.setsockopt(s, SOL_SOCKET, name, &time, sizeof(time)));
    r.Note(text + " short", r.m.setsockopt(s, SOL_SOCKET, name, &time, 8));
  }
  unsigned char byte = 16;
  r.Note("IP_TOS byte", r.m.setsockopt(s, IPPROTO_IP, IP_TOS, &byte, 1));
  unsigned char got = 0;
  size = 1;
  r.Note("IP_TOS get byte", r.m.getsockopt(s, IPPROTO_IP, IP_TOS, &got, &size));
  r.Say(std::to_string(got) + " " + std::to_string(size));
}

// Options of a connection, and those that an accepted socket has from its listener.
void Inherited(Play& r) {
  const int l = r.Tcp();
  r.Set(l, SOL_SOCKET, SO_KEEPALIVE, 1);
  r.Set(l, SOL_SOCKET, SO_OOBINLINE, 1);
  r.Set(l, SOL_SOCKET, SO_RCVLOWAT, 3);
  r.Set(l, SOL_SOCKET, SO_REUSEPORT, 1);
  r.Set(l, IPPROTO_TCP, TCP_NODELAY, 1);
  r.Set(l, IPPROTO_TCP, TCP_CORK, 1);
  r.Set(l, IPPROTO_TCP, TCP_KEEPIDLE, 77);
  r.Set(l, IPPROTO_TCP, TCP_LINGER2, 7);
  r.Set(l, IPPROTO_TCP, TCP_USER_TIMEOUT, 777);
  r.Set(l, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 7777);
  r.Set(l, IPPROTO_TCP, TCP_INQ, 1);
  r.Set(l, IPPROTO_IP, IP_TTL, 77);
  const timeval time{3, 0};
  r.m.setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
  const linger on{1, 5};
  r.m.setsockopt(l, SOL_SOCKET, SO_LINGER, &on, sizeof(on));
  r.Bind(l, r.Own());
  r.m.listen(l, 5);
  const int c = r.Tcp();
  r.Connect(c, r.Own());
  r.Accept(l);
  const int s = r.Last();
  for (const Option& option : kOptions) {
    const bool depends = option.number == TCP_MAXSEG || option.number == TCP_WINDOW_CLAMP ||
                         option.number == SO_SNDBUF || option.number == SO_RCVBUF;
    if (option.level == IPPROTO_TCP && option.number == TCP_QUICKACK) continue;
    if (!depends || option.level == IPPROTO_IP) {
      r.Note(std::string("accepted ") + option.name, r.Get(s, option.level, option.number));
    }
  }
  r.Note("accepted SO_RCVLOWAT", r.Get(s, SOL_SOCKET, SO_RCVLOWAT));
  timeval got{};
  socklen_t size = sizeof(got);
  r.m.getsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &got, &size);
  r.Say("SO_RCVTIMEO " + std::to_string(got.tv_sec));
  linger lingers{};
  size = sizeof(lingers);
  r.m.getsockopt(s, SOL_SOCKET, SO_LINGER, &lingers, &size);
  r.Say("SO_LINGER " + std::to_string(lingers.l_onoff) + " " + std::to_string(lingers.l_linger));
}

void QuickAck(Play& r) {
  const Play::Two c = r.Connected();
  r.Note("0", r.Set(c.server, IPPROTO_TCP, TCP_QUICKACK, 0));
  r.Note("get", r.Get(c.server, IPPROTO_TCP, TCP_QUICKACK));
  r.Send(c.client, "abc");
  r.Note("not acknowledged yet", r.Count(c.client, SIOCOUTQ));
  r.Note("1", r.Set(c.server, IPPROTO_TCP, TCP_QUICKACK, 1));
  r.m.Settle();
  r.Note("acknowledged", r.Count(c.client, SIOCOUTQ));
  r.Note("get then", r.Get(c.server, IPPROTO_TCP, TCP_QUICKACK));
  r.Note("2", r.Set(c.server, IPPROTO_TCP, TCP_QUICKACK, 2));
  r.Note("get at last", r.Get(c.server, IPPROTO_TCP, TCP_QUICKACK));
}

void NotSentLowWater(Play& r) {
  const Play::Two c = r.Connected();
  r.Set(c.server, SOL_SOCKET, SO_RCVBUF, 4096);
  r.Set(c.client, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1);
  r.Note("send", r.Send(c.client, "abc"));
  r.Bits("sent", c.client);
}

// What TCP_CONGESTION says with so much room for it.
void AskCongestion(Play& r, const std::string& what, int s, socklen_t room) {
  char name[64];
  std::memset(name, '?', sizeof(name));
  socklen_t size = room;
  const int result = r.m.getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &size);
  const std::string text = what + " in " + std::to_string(room);
  r.Note("get " + text, result);
  if (result != 0) return;
  std::string shown(name, sizeof(name));
  for (char& c : shown) c = c == '\0' ? '0' : c;
  r.Say(text + " is " + std::to_string(size) + " " + shown);
}

// Reno is the one that every kernel lets everybody have.
void CongestionNames(Play& r) {
  const int s = r.Tcp();
  const auto choose = [&](int t, const std::string& name) {
    return r.m.setsockopt(t, IPPROTO_TCP, TCP_CONGESTION, name.data(),
                          static_cast<socklen_t>(name.size()));
  };
  r.Note("reno", choose(s, "reno"));
  for (const socklen_t room : {0u, 1u, 3u, 4u, 5u, 15u, 16u, 17u, 64u}) {
    AskCongestion(r, "reno", s, room);
  }
  const std::string zero(1, '\0');
  const std::string names[] = {"",
                               zero,
                               "reno" + zero,
                               "reno" + zero + "more",
                               "ren",
                               "renos",
                               "Reno",
                               " reno",
                               "reno ",
                               "no-such-control",
                               "no-such-control-1",
                               "reno" + std::string(60, '\0'),
                               std::string(64, 'x'),
                               "0123456789abcdef" + zero,
                               "reno\n",
                               "*"};
  for (std::size_t n = 0; n < std::size(names); ++n) {
    r.Note("name " + std::to_string(n), choose(s, names[n]));
    AskCongestion(r, "after name " + std::to_string(n), s, 16);
  }
  r.Note("NULL", r.m.setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, nullptr, 4));
  socklen_t size = 16;
  r.Note("get NULL", r.m.getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, nullptr, &size));
  Play::Two c = r.Connected();
  r.Note("listener", choose(c.listener, "reno"));
  c.client = r.Tcp();
  r.Connect(c.client, r.Own());
  r.Accept(c.listener);
  c.server = r.Last();
  AskCongestion(r, "accepted", c.server, 16);
  r.Note("connected", choose(c.client, "reno"));
  r.Note("connected, unknown", choose(c.client, "vegas"));
  AskCongestion(r, "connected", c.client, 16);
  r.Close(c.server);
  r.Note("after the peer's FIN", choose(c.client, "reno"));
  AskCongestion(r, "after the peer's FIN", c.client, 16);
}

void ReuseAfterUse(Play& r) {
  const Play::Two c = r.Connected();
  r.Close(c.client);
  r.Close(c.server);
  r.Close(c.listener);
  const int s = r.Tcp();
  r.Note("TIME_WAIT without", r.Bind(s, r.Own()));
  r.Set(s, SOL_SOCKET, SO_REUSEADDR, 1);
  r.Note("TIME_WAIT with", r.Bind(s, r.Own()));
  r.Note("listen", r.m.listen(s, 1));
}

}  // namespace

std::vector<Script> OptionScripts() {
  return {{"OptionsAtFirst", AtFirst},      {"OptionValues", Values4},
          {"OptionValues6", Values6},       {"OptionLengths", Lengths},
          {"OptionStructures", Structures}, {"OptionsInherited", Inherited},
          {"QuickAck", QuickAck},           {"NotSentLowWater", NotSentLowWater},
          {"ReuseAfterUse", ReuseAfterUse}, {"CongestionNames", CongestionNames}};
}

}  // namespace estab_test
