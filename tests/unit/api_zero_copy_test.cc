// MSG_ZEROCOPY with its notices, and borrowed reading, through the C interface and the streams.
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/epoll.h>

#include <string>

#include "api_pair.h"
#include "estab/host.h"

namespace estab_test {
namespace {

struct Notice {
  ssize_t returned = 0;
  int error = 0;
  int flags = 0;
  int level = -1;
  int type = -1;
  std::size_t controllen = 0;
  sock_extended_err told{};
};

class ZeroCopy : public Pair {
 protected:
  Connected Open() {
    const Connected c = Connect();
    Allow(a, c.client);
    return c;
  }
  static void Allow(estab_stack* stack, int s, int on = 1) {
    EXPECT_EQ(estab_setsockopt(stack, s, SOL_SOCKET, SO_ZEROCOPY, &on, sizeof(on)), 0);
  }
  static Notice Fetch(estab_stack* stack, int s, std::size_t room = 256) {
    alignas(cmsghdr) char control[256];
    msghdr message{};
    message.msg_control = room != 0 ? control : nullptr;
    message.msg_controllen = room;
    Notice notice;
    notice.returned = estab_recvmsg(stack, s, &message, MSG_ERRQUEUE);
    notice.error = notice.returned < 0 ? errno : 0;
    if (notice.returned < 0) return notice;
    notice.flags = message.msg_flags;
    notice.controllen = message.msg_controllen;
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr) return notice;
    notice.level = header->cmsg_level;
    notice.type = header->cmsg_type;
    const std::size_t held = std::min(message.msg_controllen, std::size_t{header->cmsg_len});
    const std::size_t n = std::min(held - CMSG_LEN(0), sizeof(notice.told));
    std::memcpy(&notice.told, CMSG_DATA(header), n);
    return notice;
  }
  void ExpectNotice(int s, std::uint32_t first, std::uint32_t last) {
    const Notice notice = Fetch(a, s);
    EXPECT_EQ(notice.returned, 0);
    EXPECT_EQ(notice.told.ee_origin, SO_EE_ORIGIN_ZEROCOPY);
    EXPECT_EQ(notice.told.ee_errno, 0u);
    EXPECT_EQ(notice.told.ee_code, 0);
    EXPECT_EQ(notice.told.ee_info, first);
    EXPECT_EQ(notice.told.ee_data, last);
  }
  void ExpectNone(int s) {
    const Notice notice = Fetch(a, s);
    EXPECT_EQ(notice.returned, -1);
    EXPECT_EQ(notice.error, EAGAIN);
  }
  std::string ReadAll(int s) {
    std::string all;
    std::array<char, 65536> buffer;
    for (ssize_t n = 1; n > 0;) {
      n = estab_recv(b, s, buffer.data(), buffer.size(), 0);
      if (n > 0) all.append(buffer.data(), static_cast<std::size_t>(n));
    }
    return all;
  }
};

TEST_F(ZeroCopy, TheOptionIsKeptAndInherited) {
  const Connected c = Connect();
  const auto asked = [&](estab_stack* stack, int s) {
    int value = -1;
    socklen_t size = sizeof(value);
    EXPECT_EQ(estab_getsockopt(stack, s, SOL_SOCKET, SO_ZEROCOPY, &value, &size), 0);
    return value;
  };
  EXPECT_EQ(asked(a, c.client), 0);
  Allow(a, c.client);
  EXPECT_EQ(asked(a, c.client), 1);
  for (const int wrong : {-1, 2}) {
    EXPECT_EQ(estab_setsockopt(a, c.client, SOL_SOCKET, SO_ZEROCOPY, &wrong, sizeof(wrong)), -1);
    EXPECT_EQ(errno, EINVAL);
  }
  Allow(b, c.listener);
  const int another = StartConnect();
  Exchange();
  const int child = estab_accept4(b, c.listener, nullptr, nullptr, 0);
  EXPECT_EQ(asked(b, child), 1);
  EXPECT_EQ(estab_close(a, another), 0);
}

TEST_F(ZeroCopy, TheBytesLeaveFromWhereTheyLie) {
  const Connected c = Open();
  std::string text(4000, 'x');
  lose = [](bool from_a, const Packet& p) { return from_a && p.payload() > 0; };
  ASSERT_EQ(estab_send(a, c.client, text.data(), text.size(), MSG_ZEROCOPY), 4000);
  Exchange();  // all of it is lost
  text.assign(4000, 'y');
  lose = nullptr;
  Run(3 * kSecond);
  EXPECT_TRUE(ReadAll(c.server) == text);
  ExpectNotice(c.client, 0, 0);
}

TEST_F(ZeroCopy, WhatHasLeftButIsNotCollectedIsReadLater) {
  const Connected c = Open();
  std::string text(1400, 'x');
  ASSERT_EQ(estab_send(a, c.client, text.data(), text.size(), MSG_ZEROCOPY), 1400);
  text[0] = 'y';
  Exchange();
  EXPECT_TRUE(ReadAll(c.server) == text);
}

TEST_F(ZeroCopy, NoticesGrowUntilTheyAreFetched) {
  const Connected c = Open();
  const std::string text(100, 'x');
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(estab_send(a, c.client, text.data(), text.size(), MSG_ZEROCOPY), 100);
  }
  EXPECT_EQ(estab_send(a, c.client, text.data(), 0, MSG_ZEROCOPY), 0);  // does not count
  ExpectNone(c.client);
  EXPECT_EQ(a.Bits(c.client) & POLLERR, 0);
  Run(kSecond);
  EXPECT_NE(a.Bits(c.client) & POLLERR, 0);
  EXPECT_EQ(a.Error(c.client), 0);  // it is no error
  EXPECT_NE(a.Bits(c.client) & POLLERR, 0);
  ExpectNotice(c.client, 0, 2);
  EXPECT_EQ(a.Bits(c.client) & POLLERR, 0);
  ExpectNone(c.client);
  ASSERT_EQ(estab_send(a, c.client, text.data(), text.size(), MSG_ZEROCOPY), 100);
  Run(kSecond);
  ExpectNotice(c.client, 3, 3);
}

TEST_F(ZeroCopy, PiecesOfOneCallComeBackTogether) {
  const Connected c = Open();
  std::string first(1000, 'a');
  std::string second(500, 'b');
  iovec pieces[] = {{first.data(), first.size()}, {nullptr, 0}, {second.data(), second.size()}};
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = 3;
  ASSERT_EQ(estab_sendmsg(a, c.client, &message, MSG_ZEROCOPY), 1500);
  Run(kSecond);
  EXPECT_EQ(ReadAll(c.server), first + second);
  ExpectNotice(c.client, 0, 0);
  ExpectNone(c.client);
}

TEST_F(ZeroCopy, WithoutTheOptionTheFlagMeansNothing) {
  const Connected c = Connect();
  std::string text(4000, 'x');
  ASSERT_EQ(estab_send(a, c.client, text.data(), text.size(), MSG_ZEROCOPY), 4000);
  text.assign(4000, 'y');
  Run(kSecond);
  EXPECT_EQ(ReadAll(c.server), std::string(4000, 'x'));
  ExpectNone(c.client);
}

TEST_F(ZeroCopy, ToOurselvesItWasCopied) {
  const int listener = ListenOnB();
  const int client = b.Tcp(AF_INET, SOCK_NONBLOCK);
  sockaddr_in to = V4("192.0.2.2", kPort);
  estab_connect(b, client, Sa(to), sizeof(to));
  Advance(kMs);
  Allow(b, client);
  ASSERT_EQ(estab_send(b, client, "self", 4, MSG_ZEROCOPY), 4);
  Run(kSecond);
  const Notice notice = Fetch(b, client);
  EXPECT_EQ(notice.returned, 0);
  EXPECT_EQ(notice.told.ee_code, SO_EE_CODE_ZEROCOPY_COPIED);
  EXPECT_EQ(estab_close(b, listener), 0);
}

TEST_F(ZeroCopy, TheControlMessageIsLinuxs) {
  const Connected c = Open();
  const auto one = [&](std::size_t room) {
    EXPECT_EQ(estab_send(a, c.client, "x", 1, MSG_ZEROCOPY), 1);
    Run(kSecond);
    return Fetch(a, c.client, room);
  };
  const Notice whole = one(256);
  EXPECT_EQ(whole.level, SOL_IP);
  EXPECT_EQ(whole.type, IP_RECVERR);
  EXPECT_EQ(whole.flags, MSG_ERRQUEUE);
  EXPECT_EQ(whole.controllen, CMSG_SPACE(sizeof(sock_extended_err) + sizeof(sockaddr_in)));
  const Notice cut = one(20);
  EXPECT_EQ(cut.flags, MSG_ERRQUEUE | MSG_CTRUNC);
  EXPECT_EQ(cut.controllen, 20u);
  const Notice none = one(0);
  EXPECT_EQ(none.flags, MSG_ERRQUEUE | MSG_CTRUNC);
  EXPECT_EQ(none.controllen, 0u);
  ExpectNone(c.client);  // it was fetched all the same
  EXPECT_EQ(estab_send(a, c.client, "x", 1, MSG_ZEROCOPY), 1);
  Run(kSecond);
  EXPECT_EQ(estab_recv(a, c.client, nullptr, 0, MSG_ERRQUEUE), 0);
  EXPECT_EQ(estab_recv(a, c.client, nullptr, 0, MSG_ERRQUEUE), -1);
  EXPECT_EQ(errno, EAGAIN);
}

TEST_F(ZeroCopy, AnIpv6SocketsNoticeIsOfItsFamily) {
  const int listener = ListenOnB(8, AF_INET6);
  const int client = a.Tcp(AF_INET6, SOCK_NONBLOCK);
  sockaddr_in6 to = V6("2001:db8::2", kPort);
  estab_connect(a, client, Sa(to), sizeof(to));
  Exchange();
  Allow(a, client);
  ASSERT_EQ(estab_send(a, client, "x", 1, MSG_ZEROCOPY), 1);
  Run(kSecond);
  const Notice notice = Fetch(a, client);
  EXPECT_EQ(notice.level, SOL_IPV6);
  EXPECT_EQ(notice.type, IPV6_RECVERR);
  EXPECT_EQ(notice.controllen, CMSG_SPACE(sizeof(sock_extended_err) + sizeof(sockaddr_in6)));
  EXPECT_EQ(estab_close(b, listener), 0);
}

TEST_F(ZeroCopy, CloseGivesTheMemoryBack) {
  const Connected c = Open();
  std::string text(100'000, 'x');
  const int buffer = 100'000;
  ASSERT_EQ(estab_setsockopt(a, c.client, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)), 0);
  const ssize_t sent = estab_send(a, c.client, text.data(), text.size(), MSG_ZEROCOPY);
  ASSERT_GT(sent, 50'000);
  std::string received;
  for (int i = 0; i < 3; ++i) b.Inject(a.Collect());  // the rest is held by the link, and queued
  ASSERT_EQ(estab_close(a, c.client), 0);
  text.assign(text.size(), '#');
  for (int i = 0; i < 100; ++i) {
    Run(100 * kMs);
    received += ReadAll(c.server);
  }
  EXPECT_TRUE(received == std::string(static_cast<std::size_t>(sent), 'x'));
}

TEST_F(ZeroCopy, AResetGivesTheMemoryBackWithANotice) {
  const Connected c = Open();
  const std::string text(1000, 'x');
  ASSERT_EQ(estab_send(a, c.client, text.data(), text.size(), MSG_ZEROCOPY), 1000);
  const linger at_once{1, 0};
  ASSERT_EQ(estab_setsockopt(b, c.server, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
  ASSERT_EQ(estab_close(b, c.server), 0);
  Exchange();
  ExpectNotice(c.client, 0, 0);
}

TEST_F(ZeroCopy, TheStackMayEndWhileItIsReferredTo) {
  const Connected c = Open();
  const std::string text(10'000, 'x');
  ASSERT_EQ(estab_send(a, c.client, text.data(), text.size(), MSG_ZEROCOPY), 10'000);
  a.Destroy();
}

TEST_F(ZeroCopy, NoticesTakeMemoryUpToALimit) {
  const Connected c = Open();
  const std::string text(512 * 1024, 'x');
  const int buffer = 1 << 30;
  ASSERT_EQ(estab_sysctl_set(a, "net.core.wmem_max", "1073741824"), 0);
  ASSERT_EQ(estab_setsockopt(a, c.client, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)), 0);
  int calls = 0;
  while (calls < 1000) {
    // The last call is a small one: it would not fit the row of those before it.
    if (estab_send(a, c.client, text.data(), text.size(), MSG_ZEROCOPY) < 0) break;
    ++calls;
  }
  EXPECT_EQ(errno, ENOBUFS);
  EXPECT_EQ(calls, 131'072 / 576);
  EXPECT_EQ(estab_send(a, c.client, text.data(), 1, 0), 1);  // others go on
}

TEST_F(ZeroCopy, CallsInARowCountOnce) {
  const Connected c = Open();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(estab_send(a, c.client, "0123456789", 10, MSG_ZEROCOPY), 10) << i;
  }
  std::uint32_t next = 0;
  for (int i = 0; i < 100 && next < 1000; ++i) {
    Run(100 * kMs);
    const Notice notice = Fetch(a, c.client);
    if (notice.returned < 0) continue;
    EXPECT_EQ(notice.told.ee_info, next);
    next = notice.told.ee_data + 1;
  }
  EXPECT_EQ(next, 1000u);
}

TEST_F(ZeroCopy, EpollHearsOfANotice) {
  const Connected c = Open();
  const int epoll = estab_epoll_create1(a, 0);
  epoll_event event{};
  event.events = EPOLLET;
  ASSERT_EQ(estab_epoll_ctl(a, epoll, EPOLL_CTL_ADD, c.client, &event), 0);
  ASSERT_EQ(estab_send(a, c.client, "x", 1, MSG_ZEROCOPY), 1);
  EXPECT_EQ(estab_epoll_wait(a, epoll, &event, 1, 0), 0);
  Run(kSecond);
  EXPECT_EQ(estab_epoll_wait(a, epoll, &event, 1, 0), 1);
  EXPECT_EQ(event.events, static_cast<std::uint32_t>(EPOLLERR));
}

TEST_F(ZeroCopy, NotOnASyn) {
  const int s = a.Tcp(AF_INET, SOCK_NONBLOCK);
  Allow(a, s);
  sockaddr_in to = V4("192.0.2.2", kPort);
  EXPECT_EQ(estab_sendto(a, s, "x", 1, MSG_FASTOPEN | MSG_ZEROCOPY, Sa(to), sizeof(to)), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
}

// --- Borrowing -----------------------------------------------------------------------------------

TEST_F(ZeroCopy, BorrowsWhatHasArrived) {
  const Connected c = Connect();
  std::array<estab_loan, 4> loans{};
  EXPECT_EQ(estab_recv_borrow(b, c.server, loans.data(), loans.size(), 0), -1);
  EXPECT_EQ(errno, EAGAIN);
  ASSERT_EQ(estab_send(a, c.client, "borrowed", 8, 0), 8);
  Exchange();
  ASSERT_EQ(estab_recv_borrow(b, c.server, loans.data(), loans.size(), MSG_DONTWAIT), 1);
  EXPECT_EQ(std::string(static_cast<const char*>(loans[0].data), loans[0].size), "borrowed");
  ASSERT_EQ(estab_shutdown(a, c.client, SHUT_WR), 0);
  Exchange();
  EXPECT_EQ(estab_recv_borrow(b, c.server, &loans[1], 1, 0), 0);  // the end
  ASSERT_EQ(estab_close(b, c.server), 0);
  EXPECT_EQ(std::string(static_cast<const char*>(loans[0].data), loans[0].size), "borrowed");
  EXPECT_EQ(estab_recv_return(b, loans.data(), 1), 0);
  EXPECT_EQ(estab_recv_return(b, loans.data(), 1), -1);
  EXPECT_EQ(errno, EINVAL);
}

TEST_F(ZeroCopy, BorrowingRefusesWhatMakesNoSense) {
  const Connected c = Connect();
  estab_loan loan{};
  EXPECT_EQ(estab_recv_borrow(b, c.server, &loan, 0, 0), -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(estab_recv_borrow(b, c.server, nullptr, 1, 0), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(estab_recv_borrow(b, c.server, &loan, 1, MSG_PEEK), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
  EXPECT_EQ(estab_recv_borrow(b, 999, &loan, 1, 0), -1);
  EXPECT_EQ(errno, EBADF);
  EXPECT_EQ(estab_recv_return(b, nullptr, 1), -1);
  EXPECT_EQ(errno, EFAULT);
  EXPECT_EQ(estab_recv_return(b, nullptr, 0), 0);
}

// --- Streams -------------------------------------------------------------------------------------

TEST(ZeroCopyStream, SendsByReferenceAndBorrows) {
  using namespace estab;
  HostOptions options;
  options.virtual_clock = true;
  auto host = Host::Create(options);
  ASSERT_TRUE(host);
  const LinkId link = *host->AddMemoryLink();
  ASSERT_TRUE(host->AddAddress(link, "192.0.2.2/24"));
  auto listener = host->Listen("192.0.2.2", 80);
  ASSERT_TRUE(listener);
  auto client = host->StartConnect({*IpAddress::Parse("192.0.2.2"), 80});
  ASSERT_TRUE(client);
  auto server = listener->Accept();
  ASSERT_TRUE(server);
  ASSERT_TRUE(server->SetNonBlocking(true));
  const std::string text = "from where it lies";
  for (std::uint32_t call = 0; call < 2; ++call) {
    const auto sent = client->WriteReference(std::as_bytes(std::span(text)));
    ASSERT_TRUE(sent);
    EXPECT_EQ(sent->bytes, text.size());
    EXPECT_EQ(sent->call, call);
  }
  std::array<BorrowedBytes, 4> pieces;
  const auto lent = server->Borrow(pieces);
  ASSERT_TRUE(lent);
  ASSERT_EQ(*lent, 1u);
  EXPECT_EQ(pieces[0].bytes.size(), 2 * text.size());
  EXPECT_EQ(std::memcmp(pieces[0].bytes.data(), text.data(), text.size()), 0);
  EXPECT_TRUE(server->GiveBack(std::span(pieces).first(1)));
  EXPECT_FALSE(server->GiveBack(std::span(pieces).first(1)));
  EXPECT_EQ(server->Borrow(pieces).error(), Error::kWouldBlock);
  ASSERT_TRUE(host->Advance(std::chrono::seconds(1)));
  EXPECT_NE(client->Poll(kReturned, Duration(0)).value() & kReturned, 0);
  const auto returned = client->TakeReturned();
  ASSERT_TRUE(returned && *returned);
  EXPECT_EQ((*returned)->first, 0u);
  EXPECT_EQ((*returned)->last, 1u);
  EXPECT_TRUE((*returned)->copied);  // to ourselves
  EXPECT_FALSE(client->TakeReturned().value());
}

}  // namespace
}  // namespace estab_test
