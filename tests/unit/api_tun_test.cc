// TUN: errors that say what to do, and an echo to the kernel's own TCP in a namespace of our own.
#include <arpa/inet.h>
#include <errno.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "estab/group.h"
#include "estab/host.h"
#include "io/clock.h"
#include "io/event.h"
#include "io/tun.h"

namespace estab {
namespace {

/// Moves this process, which has one thread then, into a network namespace of its own.
bool OwnNetwork() {
  static const bool own = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
  return own && access("/dev/net/tun", R_OK | W_OK) == 0;
}

class ApiTun : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!OwnNetwork()) GTEST_SKIP() << "no TUN device or no network namespace here";
  }
};

TEST(ApiIo, ClockRunsForward) {
  const Time first = io::MonotonicNow();
  EXPECT_GT(first, Time{});
  EXPECT_GE(io::MonotonicNow(), first);
}

TEST(ApiIo, NamesThatCannotBe) {
  for (const char* name : {"", "a/b", "a b", "sixteen-letters-x", "tun%d"}) {
    const auto tun = io::Tun::Open(name);
    ASSERT_FALSE(tun) << name;
    EXPECT_EQ(tun.error().error, Error::kInvalid);
    EXPECT_NE(tun.error().message.find("1 to 15"), std::string::npos);
  }
}

TEST_F(ApiTun, BusyAndForeignDevices) {
  const auto first = io::Tun::Open("estab-t0");
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->Mtu().value(), 1500u);
  const auto second = io::Tun::Open("estab-t0");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().error, Error::kBusy);
  EXPECT_NE(second.error().message.find("in use"), std::string::npos);
  const auto loopback = io::Tun::Open("lo");
  ASSERT_FALSE(loopback);
  EXPECT_EQ(loopback.error().error, Error::kInvalid);
  EXPECT_NE(loopback.error().message.find("not a TUN"), std::string::npos);
}

TEST_F(ApiTun, BringUpSetsMtuAndAddresses) {
  auto tun = io::Tun::Open("estab-t1");
  ASSERT_TRUE(tun) << tun.error().message;
  io::Tun::Setup setup;
  setup.mtu = 1400;
  setup.kernel_addresses = {*Prefix::Parse("198.51.100.1/24"), *Prefix::Parse("2001:db8:1::1/64")};
  const auto up = tun->BringUp(setup);
  ASSERT_TRUE(up) << up.error().message;
  EXPECT_EQ(tun->Mtu().value(), 1400u);
  const int s = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in own{};
  own.sin_family = AF_INET;
  inet_pton(AF_INET, "198.51.100.1", &own.sin_addr);
  EXPECT_EQ(bind(s, reinterpret_cast<sockaddr*>(&own), sizeof(own)), 0);
  close(s);
}

// A datagram of the kernel's own to `port` of 192.0.2.2, which is behind the device.
void SendDatagram(std::uint16_t port) {
  const int s = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  inet_pton(AF_INET, "192.0.2.2", &to.sin_addr);
  EXPECT_EQ(sendto(s, "hello", 5, 0, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 5);
  close(s);
}

// How many packets of UDP there are to read, and whether each has its checksum vouched for.
std::size_t ReadDatagrams(io::Tun& tun, bool vouched) {
  std::size_t count = 0;
  for (const RxPacket& packet : tun.ReadBatch(7)) {
    EXPECT_EQ(packet.link, 7);
    if (packet.data[0] != std::byte{0x45} || packet.data[9] != std::byte{17}) continue;
    EXPECT_EQ(packet.data.size(), 20u + 8 + 5);
    EXPECT_EQ(packet.checksum_ok, vouched);
    ++count;
  }
  EXPECT_TRUE(tun.drained());
  return count;
}

TEST_F(ApiTun, WhatTheKernelSendsHasNoChecksumWithOffload) {
  for (const bool offload : {false, true}) {
    auto tun = io::Tun::Open("estab-t3", {.offload = offload});
    ASSERT_TRUE(tun) << tun.error().message;
    EXPECT_EQ(tun->Capabilities().checksum, offload);
    EXPECT_EQ(tun->Capabilities().max_size, offload ? 65535u : 0u);
    ASSERT_TRUE(tun->BringUp({.kernel_addresses = {*Prefix::Parse("192.0.2.1/24")}}));
    SendDatagram(9);
    EXPECT_EQ(ReadDatagrams(*tun, offload), 1u);
  }
}

TEST_F(ApiTun, ManyQueuesOfOneDevice) {
  auto queues = io::Tun::OpenQueues("estab-t4", 3, {.offload = true});
  ASSERT_TRUE(queues) << queues.error().message;
  ASSERT_EQ(queues->size(), 3u);
  // A program that wants one joins them, for the device was made for that.
  const auto another = io::Tun::Open("estab-t4");
  EXPECT_TRUE(another) << another.error().message;
  ASSERT_TRUE(queues->front().BringUp({.kernel_addresses = {*Prefix::Parse("192.0.2.1/24")}}));
  for (std::uint16_t port = 1; port <= 64; ++port) SendDatagram(port);
  std::size_t all = 0;
  std::size_t used = 0;
  for (io::Tun& queue : *queues) {
    const std::size_t n = ReadDatagrams(queue, true);
    all += n;
    if (n != 0) ++used;
  }
  EXPECT_GT(used, 1u);
  EXPECT_LE(all, 64u);
  const auto single = io::Tun::Open("estab-t5");
  ASSERT_TRUE(single);
  const auto more = io::Tun::OpenQueues("estab-t5", 2);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().error, Error::kInvalid);
  EXPECT_NE(more.error().message.find("multi_queue"), std::string::npos) << more.error().message;
}

// A server of the host's on a link, a client of the kernel's at its other side.
void EchoToTheKernel(Host& host, const Result<LinkId>& link, std::string& message) {
  ASSERT_TRUE(link) << message;
  const std::string_view kernel[] = {"192.0.2.1/24"};
  ASSERT_TRUE(host.BringUp(*link, kernel, &message)) << message;
  ASSERT_TRUE(host.AddAddress(*link, "192.0.2.2/24"));
  auto listener = host.Listen("0.0.0.0", 7).value();
  std::atomic<bool> all_read = false;
  std::thread server([&] {
    auto peer = listener.Accept();
    ASSERT_TRUE(peer);
    std::array<std::byte, 65536> bytes;
    while (auto n = peer->Read(bytes).value_or(0)) {
      EXPECT_TRUE(peer->WriteAll(std::span(bytes).first(n)));
    }
    EXPECT_TRUE(peer->Close());
    // What is still queued goes out only while somebody drives the host.
    while (!all_read) host.PollIo(std::chrono::milliseconds(10));
  });
  const int s = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(7);
  inet_pton(AF_INET, "192.0.2.2", &to.sin_addr);
  ASSERT_EQ(connect(s, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
  std::string sent(2'000'000, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 13 + i / 255);
  std::thread writer([&] {
    std::size_t at = 0;
    while (at < sent.size()) {
      const ssize_t n = write(s, sent.data() + at, sent.size() - at);
      if (n <= 0) break;
      at += static_cast<std::size_t>(n);
    }
    shutdown(s, SHUT_WR);
  });
  std::string got;
  std::array<char, 65536> part;
  for (ssize_t n = 0; (n = read(s, part.data(), part.size())) > 0;) {
    got.append(part.data(), static_cast<std::size_t>(n));
  }
  all_read = true;
  writer.join();
  server.join();
  close(s);
  EXPECT_EQ(got.size(), sent.size());
  EXPECT_TRUE(got == sent);
}

TEST_F(ApiTun, EchoesToTheKernel) {
  Host host = Host::Create().value();
  std::string message;
  const auto link = host.AddTun("estab-t2", &message);
  EchoToTheKernel(host, link, message);
}

TEST_F(ApiTun, EchoesToTheKernelOverEthernet) {
  Host host = Host::Create().value();
  std::string message;
  const auto link = host.AddTap("estab-t6", &message);
  EchoToTheKernel(host, link, message);
}

// A blocking connection of the kernel's that says a word and hears it again.
bool HearsEcho(std::string_view word) {
  const int s = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(7);
  inet_pton(AF_INET, "192.0.2.2", &to.sin_addr);
  std::string got(word.size(), '\0');
  const bool heard =
      connect(s, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0 &&
      send(s, word.data(), word.size(), 0) == static_cast<ssize_t>(word.size()) &&
      recv(s, got.data(), got.size(), MSG_WAITALL) == static_cast<ssize_t>(got.size());
  close(s);
  return heard && got == word;
}

TEST_F(ApiTun, AGroupServesTheKernel) {
  HostGroup group = HostGroup::Create(2).value();
  std::string message;
  const auto link = group.AddTun("estab-t8", &message);
  ASSERT_TRUE(link) << message;
  const std::string_view kernel[] = {"192.0.2.1/24"};
  ASSERT_TRUE(group.BringUp(*link, kernel, &message)) << message;
  ASSERT_TRUE(group.AddAddress(*link, "192.0.2.2/24"));
  std::atomic<bool> over = false;
  std::vector<std::thread> servers;
  for (std::size_t i = 0; i < group.size(); ++i) {
    servers.emplace_back([&over, listener = group[i].Listen("0.0.0.0", 7)]() mutable {
      ASSERT_TRUE(listener->SetTimeout(std::chrono::milliseconds(20)));
      while (!over) {
        auto peer = listener->Accept();
        if (!peer) continue;
        EXPECT_TRUE(peer->SetTimeouts(std::chrono::seconds(5), Duration::max()));
        std::array<std::byte, 64> bytes;
        while (const std::size_t n = peer->Read(bytes).value_or(0)) {
          EXPECT_TRUE(peer->WriteAll(std::span(bytes).first(n)));
        }
      }
    });
  }
  for (int i = 0; i < 64; ++i) ASSERT_TRUE(HearsEcho("hello " + std::to_string(i)));
  over = true;
  for (std::thread& server : servers) server.join();
  EXPECT_GT(group[0].Counters().connections_accepted, 8u);
  EXPECT_GT(group[1].Counters().connections_accepted, 8u);
  EXPECT_EQ(group.Counters().connections_accepted, 64u);
  EXPECT_EQ(group.Counters().hand_over_losses, 0u);
}

TEST_F(ApiTun, ANeighbourThatIsNotThere) {
  Host host = Host::Create().value();
  const auto link = host.AddTap("estab-t7");
  ASSERT_TRUE(link);
  const std::string_view kernel[] = {"198.51.100.1/24"};
  ASSERT_TRUE(host.BringUp(*link, kernel));
  ASSERT_TRUE(host.AddAddress(*link, "198.51.100.2/24"));
  const Time began = io::MonotonicNow();
  const auto stream = host.Connect("198.51.100.9", 7);
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error(), Error::kHostUnreachable);
  const Duration took = io::MonotonicNow() - began;
  EXPECT_GE(took, std::chrono::milliseconds(2900));
  EXPECT_LE(took, std::chrono::seconds(10));
}

}  // namespace
}  // namespace estab
