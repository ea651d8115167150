// Sending and receiving: flags, counts, errors, urgent data.
#include <time.h>

#include <linux/errqueue.h>

#include <array>

#include "parity_scripts.h"

namespace estab_test {
namespace {

void Flags(Play& r) {
  const Play::Two c = r.Connected();
  r.Note("send", r.Send(c.client, "abcdef"));
  r.Receive("peek", c.server, 3, MSG_PEEK);
  r.Receive("peek more", c.server, 100, MSG_PEEK);
  r.Receive("peek and count", c.server, 4, MSG_PEEK | MSG_TRUNC);
  r.Note("discard", r.m.recv(c.server, nullptr, 2, MSG_TRUNC));
  r.Receive("all, not there", c.server, 10, MSG_WAITALL | MSG_DONTWAIT);
  r.Receive("none left", c.server, 10, MSG_WAITALL);
  r.Receive("nothing asked", c.server, 0);
  r.Receive("error queue", c.server, 10, MSG_ERRQUEUE);
  r.Note("send more", r.Send(c.client, "x", MSG_MORE));
  r.Bits("corked", c.server);
  r.Note("send rest", r.Send(c.client, "y"));
  r.Receive("together", c.server);
  char byte = 0;
  r.Note("read nothing", r.m.read(c.server, &byte, 0));
  r.Note("read", r.m.read(c.server, &byte, 1));
  r.Note("write nothing", r.m.write(c.client, &byte, 0));
  r.Note("send NULL", r.m.send(c.client, nullptr, 1, 0));
  sockaddr_in to = r.Own(7);
  r.Note("sendto", r.m.sendto(c.client, "z", 1, 0, reinterpret_cast<sockaddr*>(&to), sizeof(to)));
  r.Note("sendto long", r.m.sendto(c.client, "z", 1, 0, reinterpret_cast<sockaddr*>(&to), 4000));
  r.m.Settle();
  sockaddr_in from{};
  socklen_t size = sizeof(from);
  r.Note("recvfrom",
         r.m.recvfrom(c.server, &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), &size));
  r.Say("size " + std::to_string(size));
  size = static_cast<socklen_t>(-1);
  r.Send(c.client, "q");
  r.Note("recvfrom -1",
         r.m.recvfrom(c.server, &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), &size));
  r.Note("bad handle", r.m.recv(9999, &byte, 1, 0));
  r.Note("bad handle send", r.m.send(9999, &byte, 1, 0));
}

std::string MessageOf(Play& r, int s, msghdr& message, int flags) {
  const ssize_t n = r.m.recvmsg(s, &message, flags);
  if (n < 0) return Play::ErrorName(errno);
  return std::to_string(n) + " flags " + std::to_string(message.msg_flags) + " name " +
         std::to_string(message.msg_namelen) + " control " + std::to_string(message.msg_controllen);
}

void Messages(Play& r) {
  const Play::Two c = r.Connected();
  char one[4] = {}, two[8] = {};
  std::array<iovec, 2> in{{{one, 3}, {two, 8}}};
  msghdr message{};
  message.msg_iov = in.data();
  message.msg_iovlen = in.size();
  message.msg_namelen = 9;
  message.msg_flags = 77;
  r.Say("nothing: " + MessageOf(r, c.server, message, 0));
  r.Send(c.client, "abcdef");
  r.Say("two pieces: " + MessageOf(r, c.server, message, 0));
  r.Say(std::string(one, 3) + std::string(two, 3));
  sockaddr_in name{};
  message.msg_name = &name;
  message.msg_namelen = sizeof(name);
  alignas(cmsghdr) char control[100] = {};
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  r.Send(c.client, "abcdef");
  r.Say("with name: " + MessageOf(r, c.server, message, MSG_CMSG_CLOEXEC));
  r.Note("TCP_INQ", r.Set(c.server, IPPROTO_TCP, TCP_INQ, 1));
  for (const std::size_t room : {sizeof(control), std::size_t{20}, std::size_t{18}, std::size_t{16},
                                 std::size_t{3}, std::size_t{0}}) {
    r.Send(c.client, "0123456789abcdef");
    message.msg_control = control;
    message.msg_controllen = room;
    r.Say("queue in " + std::to_string(room) + ": " + MessageOf(r, c.server, message, 0));
    if (message.msg_controllen >= 20) {
      cmsghdr header{};
      int value = 0;
      std::memcpy(&header, control, sizeof(header));
      std::memcpy(&value, control + CMSG_LEN(0), sizeof(value));
      r.Say("level " + std::to_string(header.cmsg_level) + " type " +
            std::to_string(header.cmsg_type) + " length " + std::to_string(header.cmsg_len) +
            " value " + std::to_string(value));
    }
  }
  r.m.shutdown(c.client, SHUT_WR);
  r.m.Settle();
  for (int i = 0; i < 12; ++i) {
    message.msg_controllen = sizeof(control);
    message.msg_control = control;
    const std::string told = MessageOf(r, c.server, message, 0);
    int value = 0;
    std::memcpy(&value, control + CMSG_LEN(0), sizeof(value));
    r.Say("to the end: " + told + " value " + std::to_string(value));
  }
  message.msg_iovlen = 2000;
  r.Say("too many pieces: " + MessageOf(r, c.server, message, 0));
  r.Note("send too many", r.m.sendmsg(c.client, &message, 0));
  r.Note("readv -1", r.m.readv(c.server, in.data(), -1));
  r.Note("readv many", r.m.readv(c.server, in.data(), 1025));
  r.Note("writev -1", r.m.writev(c.server, in.data(), -1));
  r.Note("writev of nothing", r.m.writev(c.server, in.data(), 0));
  r.Note("readv bad handle", r.m.readv(9999, in.data(), -1));
  std::array<iovec, 3> out{{{one, 1}, {nullptr, 0}, {two, 2}}};
  r.Note("writev", r.m.writev(c.server, out.data(), 3));
  r.m.Settle();
  r.Note("readv", r.m.readv(c.client, in.data(), 2));
}

// One notice of MSG_ZEROCOPY, if there is one, into so much room.
void Notice(Play& r, const char* what, int s, std::size_t room = 100) {
  alignas(cmsghdr) char control[100] = {};
  msghdr message{};
  message.msg_control = control;
  message.msg_controllen = room;
  r.Say(std::string(what) + ": " + MessageOf(r, s, message, MSG_ERRQUEUE));
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_len < CMSG_LEN(sizeof(sock_extended_err))) return;
  sock_extended_err e{};
  std::memcpy(&e, CMSG_DATA(header), sizeof(e));
  r.Say("level " + std::to_string(header->cmsg_level) + " type " +
        std::to_string(header->cmsg_type) + " length " + std::to_string(header->cmsg_len) +
        " errno " + std::to_string(e.ee_errno) + " origin " + std::to_string(e.ee_origin) +
        " code " + std::to_string(e.ee_code) + " calls " + std::to_string(e.ee_info) + " to " +
        std::to_string(e.ee_data));
}

void ZeroCopy(Play& r) {
  const Play::Two c = r.Connected();
  r.Note("without the option", r.Send(c.client, "abc", MSG_ZEROCOPY));
  Notice(r, "none", c.client);
  for (const int value : {-1, 2, 1}) {
    r.Note("SO_ZEROCOPY", r.Set(c.client, SOL_SOCKET, SO_ZEROCOPY, value));
  }
  r.Note("send", r.Send(c.client, "abc", MSG_ZEROCOPY));
  r.Note("send nothing", r.Send(c.client, "", MSG_ZEROCOPY));
  r.m.Settle();
  r.Bits("a notice", c.client);
  Notice(r, "one", c.client);
  r.Bits("fetched", c.client);
  for (int i = 0; i < 3; ++i) {
    r.Note("send", r.Send(c.client, "abc", MSG_ZEROCOPY));
    r.m.Settle();
  }
  Notice(r, "three in one", c.client);
  Notice(r, "no more", c.client);
  for (const std::size_t room :
       {std::size_t{40}, std::size_t{20}, std::size_t{3}, std::size_t{0}}) {
    r.Note("send", r.Send(c.client, "abc", MSG_ZEROCOPY));
    r.m.Settle();
    Notice(r, "little room", c.client, room);
  }
  r.Note("send", r.Send(c.client, "abc", MSG_ZEROCOPY));
  r.m.Settle();
  char byte = 0;
  r.Note("recv", r.m.recv(c.client, &byte, 1, MSG_ERRQUEUE));
  r.Note("recv again", r.m.recv(c.client, &byte, 1, MSG_ERRQUEUE));
  r.m.shutdown(c.client, SHUT_WR);
  r.Note("send late", r.Send(c.client, "abc", MSG_ZEROCOPY | MSG_NOSIGNAL));
  Notice(r, "no call", c.client);
}

// The urgent byte by itself, read out of band.
void Urgent(Play& r) {
  const Play::Two c = r.Connected();
  r.Receive("oob, none", c.server, 1, MSG_OOB);
  r.Note("send oob", r.Send(c.client, "abC", MSG_OOB));
  r.Note("send behind", r.Send(c.client, "def"));
  r.Bits("urgent", c.server);
  r.Note("SIOCINQ", r.Count(c.server, SIOCINQ));
  r.Note("SIOCATMARK", r.Count(c.server, SIOCATMARK));
  r.Receive("oob peek", c.server, 1, MSG_OOB | MSG_PEEK);
  r.Receive("oob", c.server, 10, MSG_OOB);
  r.Receive("oob again", c.server, 1, MSG_OOB);
  r.Bits("urgent read", c.server);
  r.Receive("up to the mark", c.server);
  r.Note("SIOCATMARK at it", r.Count(c.server, SIOCATMARK));
  r.Note("SIOCINQ at it", r.Count(c.server, SIOCINQ));
  r.Bits("at the mark", c.server);
  r.Receive("peek at the mark", c.server, 10, MSG_PEEK);
  r.Receive("behind the mark", c.server);
  r.Note("SIOCATMARK behind", r.Count(c.server, SIOCATMARK));
  r.Receive("oob behind", c.server, 1, MSG_OOB);
  r.Bits("behind", c.server);
}

void UrgentUnread(Play& r) {
  const Play::Two c = r.Connected();
  r.Send(c.client, "A", MSG_OOB);
  r.Bits("only an urgent byte", c.server);
  r.Note("SIOCATMARK", r.Count(c.server, SIOCATMARK));
  r.Receive("nothing else", c.server);
  r.Receive("oob then", c.server, 1, MSG_OOB);
  r.Bits("passed", c.server);
  r.Send(c.client, "xB", MSG_OOB);
  r.Send(c.client, "yC", MSG_OOB);
  r.Receive("the last counts", c.server, 1, MSG_OOB);
  r.Receive("stream", c.server);
  r.Receive("stream then", c.server);
  r.Send(c.client, "D", MSG_OOB);
  r.Receive("oob no room", c.server, 0, MSG_OOB);
  r.Receive("oob after that", c.server, 1, MSG_OOB);
  r.Send(c.client, "eF", MSG_OOB);
  r.m.shutdown(c.client, SHUT_WR);
  r.m.Settle();
  r.Receive("before the end", c.server, 1, MSG_OOB);
  r.Receive("first", c.server);
  r.Receive("second", c.server);
  r.Receive("oob at the end", c.server, 1, MSG_OOB);
}

void UrgentInline(Play& r) {
  const Play::Two c = r.Connected();
  r.Note("SO_OOBINLINE", r.Set(c.server, SOL_SOCKET, SO_OOBINLINE, 1));
  r.Send(c.client, "abC", MSG_OOB);
  r.Send(c.client, "def");
  r.Receive("oob", c.server, 1, MSG_OOB);
  r.Note("SIOCINQ", r.Count(c.server, SIOCINQ));
  r.Bits("inline", c.server);
  r.Receive("up to the mark", c.server);
  r.Note("SIOCATMARK", r.Count(c.server, SIOCATMARK));
  r.Bits("at the mark", c.server);
  r.Receive("the rest", c.server);
  r.Bits("passed", c.server);
}

void UrgentMessages(Play& r) {
  const Play::Two c = r.Connected();
  r.Send(c.client, "abC", MSG_OOB);
  char bytes[8] = {};
  iovec piece{bytes, 8};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  r.Say("plain: " + MessageOf(r, c.server, message, MSG_PEEK));
  r.Say("oob: " + MessageOf(r, c.server, message, MSG_OOB));
  r.Say("oob again: " + MessageOf(r, c.server, message, MSG_OOB));
}

void LowWater(Play& r) {
  const Play::Two c = r.Connected();
  r.Note("at first", r.Get(c.server, SOL_SOCKET, SO_RCVLOWAT));
  r.Note("set", r.Set(c.server, SOL_SOCKET, SO_RCVLOWAT, 5));
  r.Note("get", r.Get(c.server, SOL_SOCKET, SO_RCVLOWAT));
  r.Send(c.client, "abc");
  r.Bits("below", c.server);
  r.Receive("peek below", c.server, 100, MSG_PEEK);
  r.Send(c.client, "de");
  r.Bits("reached", c.server);
  r.Receive("all", c.server);
  r.Send(c.client, "f");
  r.Receive("below, not waiting", c.server);
  r.Send(c.client, "g");
  r.m.shutdown(c.client, SHUT_WR);
  r.m.Settle();
  r.Bits("below, ended", c.server);
  for (const int value : {0, -1, 1000, 1 << 30}) {
    r.Note("set " + std::to_string(value), r.Set(c.server, SOL_SOCKET, SO_RCVLOWAT, value));
    if (value >= 0 && value < 1 << 20) r.Note("get", r.Get(c.server, SOL_SOCKET, SO_RCVLOWAT));
  }
  r.Note("SO_SNDLOWAT", r.Get(c.server, SOL_SOCKET, SO_SNDLOWAT));
  r.Note("set SO_SNDLOWAT", r.Set(c.server, SOL_SOCKET, SO_SNDLOWAT, 5));
}

// TCP_CORK: what is not full waits, and goes with whatever ends it.
void Corked(Play& r) {
  const Play::Two c = r.Connected();
  r.Note("cork", r.Set(c.client, IPPROTO_TCP, TCP_CORK, 1));
  r.Note("get", r.Get(c.client, IPPROTO_TCP, TCP_CORK));
  r.Send(c.client, "ab");
  r.Receive("held", c.server);
  r.Note("SIOCOUTQNSD", r.Count(c.client, SIOCOUTQNSD));
  r.Note("uncork", r.Set(c.client, IPPROTO_TCP, TCP_CORK, 0));
  r.m.Settle();
  r.Receive("let go", c.server);
  r.Set(c.client, IPPROTO_TCP, TCP_CORK, 1);
  r.Send(c.client, "cd");
  r.Note("TCP_NODELAY", r.Set(c.client, IPPROTO_TCP, TCP_NODELAY, 1));
  r.m.Settle();
  r.Receive("pushed", c.server);
  r.Send(c.client, "ef");
  r.Receive("held again", c.server);
  r.Note("TCP_NODELAY again", r.Set(c.client, IPPROTO_TCP, TCP_NODELAY, 1));
  r.m.Settle();
  r.Receive("pushed again", c.server);
  r.Send(c.client, "fg");
  r.Note("another option", r.Set(c.client, SOL_SOCKET, SO_KEEPALIVE, 1));
  r.m.Settle();
  r.Receive("held on", c.server);
  r.Note("urgent", r.Send(c.client, "G", MSG_OOB));
  r.Receive("overridden", c.server);
  r.Send(c.client, "hi");
  r.m.shutdown(c.client, SHUT_WR);
  r.m.Settle();
  r.Receive("with the FIN", c.server);
}

void SelfConnected(Play& r) {
  const int s = r.Tcp();
  r.Note("bind", r.Bind(s, r.Own()));
  r.Note("connect", r.Connect(s, r.Own()));
  r.Bits("connected to itself", s);
  r.Note("send", r.Send(s, "echo"));
  r.Receive("itself", s);
  r.Note("shutdown", r.m.shutdown(s, SHUT_WR));
  r.m.Settle();
  r.Bits("shut", s);
  r.Receive("the end", s);
}

}  // namespace

std::vector<Script> DataScripts() {
  return {{"Flags", Flags},
          {"Messages", Messages},
          {"ZeroCopy", ZeroCopy},
          {"Urgent", Urgent},
          {"UrgentUnread", UrgentUnread},
          {"UrgentInline", UrgentInline},
          {"UrgentMessages", UrgentMessages},
          {"LowWater", LowWater},
          {"Corked", Corked},
          {"SelfConnected", SelfConnected}};
}

}  // namespace estab_test
