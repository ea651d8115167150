// Groups of hosts: several stacks in threads of their own that are one host to their clients.
#include "estab/group.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace estab {
namespace {

constexpr const char* kServer = "192.0.2.2";

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// A group of two and a client, and a thread that carries packets between them: those of the client
/// come to the hosts of the group in turn, whosever they are.
class ApiGroup : public ::testing::Test {
 protected:
  static constexpr std::size_t kCount = 2;
  HostGroup group = HostGroup::Create(kCount).value();
  Host client = Host::Create().value();
  LinkId link = group.AddMemoryLink().value();
  LinkId client_link = client.AddMemoryLink().value();

  void SetUp() override {
    ASSERT_TRUE(group.AddAddress(link, "192.0.2.2/24"));
    ASSERT_TRUE(client.AddAddress(client_link, "192.0.2.1/24"));
    pump_ = std::thread([this] {
      while (!stop_) {
        if (!Carry()) std::this_thread::sleep_for(std::chrono::microseconds(200));
      }
    });
  }
  void TearDown() override {
    over_ = true;
    for (std::thread& server : servers_) server.join();
    stop_ = true;
    pump_.join();
  }

  /// Every host of the group echoes at port 7, each connection in a thread of its own.
  void ServeEcho() {
    for (std::size_t i = 0; i < kCount; ++i) {
      auto listener = group[i].Listen("0.0.0.0", 7).value();
      ASSERT_TRUE(listener.SetTimeout(std::chrono::milliseconds(20)));
      servers_.emplace_back([this, &host = group[i], listener = std::move(listener)]() mutable {
        std::vector<std::thread> sessions;
        while (!over_) {
          auto stream = listener.Accept();
          if (stream) sessions.emplace_back(Echo, *std::move(stream));
        }
        for (std::thread& session : sessions) session.join();
        while (host.PollIo(std::chrono::milliseconds(20)) != 0) {
        }
      });
    }
  }
  /// True if what is said to the server comes back.
  bool HearsEcho(const std::string& text) {
    auto stream = client.Connect(kServer, 7);
    if (!stream || !stream->WriteAll(Bytes(text)) || !stream->ShutdownWrite()) return false;
    std::string heard;
    std::array<std::byte, 4096> part;
    while (const std::size_t n = stream->Read(part).value_or(0)) {
      heard.append(reinterpret_cast<const char*>(part.data()), n);
    }
    return heard == text;
  }

 private:
  static void Echo(TcpStream stream) {
    EXPECT_TRUE(stream.SetTimeouts(Duration::max(), Duration::max()));  // the listener's otherwise
    std::array<std::byte, 4096> bytes;
    while (const std::size_t n = stream.Read(bytes).value_or(0)) {
      EXPECT_TRUE(stream.WriteAll(std::span(bytes).first(n)));
    }
  }
  bool Carry() {
    std::array<std::byte, 65536> packet;
    bool any = false;
    while (const std::size_t n = client.Collect(client_link, packet).value_or(0)) {
      EXPECT_TRUE(group[turn_++ % kCount].Inject(link, std::span(packet).first(n)));
      any = true;
    }
    for (std::size_t i = 0; i < kCount; ++i) {
      while (const std::size_t n = group[i].Collect(link, packet).value_or(0)) {
        EXPECT_TRUE(client.Inject(client_link, std::span(packet).first(n)));
        any = true;
      }
    }
    return any;
  }

  std::atomic<bool> over_ = false;
  std::atomic<bool> stop_ = false;
  std::size_t turn_ = 0;
  std::vector<std::thread> servers_;
  std::thread pump_;
};

TEST_F(ApiGroup, ServesItsClientsFromAllItsHosts) {
  ServeEcho();
  constexpr int kClients = 4;
  constexpr int kEach = 8;
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([this, c] {
      for (int i = 0; i < kEach; ++i) {
        EXPECT_TRUE(HearsEcho(std::string(20'000, static_cast<char>('a' + c * kEach + i))));
      }
    });
  }
  for (std::thread& thread : clients) thread.join();
  EXPECT_EQ(group.Counters().connections_accepted, std::uint64_t{kClients} * kEach);
  for (std::size_t i = 0; i < kCount; ++i) {
    EXPECT_GT(group[i].Counters().connections_accepted, 2u) << i;
    EXPECT_GT(group[i].Counters().handed_over, 0u) << i;
  }
}

TEST_F(ApiGroup, ConnectsFromEachOfItsHosts) {
  auto listener = client.Listen("0.0.0.0", 9).value();
  for (std::size_t i = 0; i < 2 * kCount; ++i) {
    auto stream = group[i % kCount].Connect("192.0.2.1", 9);
    ASSERT_TRUE(stream) << Describe(stream.error());
    auto peer = listener.Accept().value();
    ASSERT_TRUE(peer.WriteAll(Bytes("hello")));
    std::array<std::byte, 16> bytes;
    EXPECT_EQ(stream->Read(bytes).value(), 5u);
    const Tuple tuple{*stream->Local(), *stream->Remote()};
    EXPECT_EQ(group.HostOf(tuple), i % kCount);
    EXPECT_NE(group.Why(tuple).find("ESTABLISHED"), std::string::npos);
  }
}

TEST_F(ApiGroup, SettingsAreForAll) {
  ASSERT_TRUE(group.Set("net.ipv4.tcp_fin_timeout", "30"));
  for (std::size_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(group[i].Get("net.ipv4.tcp_fin_timeout").value(), "30");
  }
  EXPECT_EQ(group.Get("net.ipv4.tcp_fin_timeout").value(), "30");
  EXPECT_EQ(group.Set("net.ipv4.tcp_fin", "1").error(), Error::kNotFound);
  EXPECT_EQ(group.AddAddress(link, "nonsense").error(), Error::kInvalid);
}

TEST(HostGroup, WhatAGroupCannotHave) {
  EXPECT_EQ(HostGroup::Create(0).error(), Error::kInvalid);
  EXPECT_EQ(HostGroup::Create(HostGroup::kMost + 1).error(), Error::kInvalid);
  EXPECT_EQ(HostGroup::Create(2, {.virtual_clock = true}).error(), Error::kInvalid);
  class Nobody final : public Observer {
    unsigned Interests() const override { return 0; }
  } nobody;
  EXPECT_EQ(HostGroup::Create(2, {.observer = &nobody}).error(), Error::kInvalid);
}

}  // namespace
}  // namespace estab
