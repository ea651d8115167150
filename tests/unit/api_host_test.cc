// The C++ door on the real clock: blocking streams in threads, a wire pumped by another thread.
#include "estab/host.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace estab {
namespace {

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// Two hosts, and a thread that carries packets between them.
class ApiHost : public ::testing::Test {
 protected:
  Host a = Host::Create().value();
  Host b = Host::Create().value();
  LinkId link_a = a.AddMemoryLink().value();
  LinkId link_b = b.AddMemoryLink().value();

  void SetUp() override {
    ASSERT_TRUE(a.AddAddress(link_a, "192.0.2.1/24"));
    ASSERT_TRUE(b.AddAddress(link_b, "192.0.2.2/24"));
    pump_ = std::thread([this] {
      while (!stop_) {
        const bool there = Carry(a, link_a, b, link_b);
        const bool back = Carry(b, link_b, a, link_a);
        if (!there && !back) std::this_thread::sleep_for(std::chrono::microseconds(200));
      }
    });
  }
  void TearDown() override {
    stop_ = true;
    pump_.join();
  }

  static bool Carry(Host& from, LinkId from_link, Host& to, LinkId to_link) {
    std::array<std::byte, 65536> packet;
    bool any = false;
    while (const std::size_t n = from.Collect(from_link, packet).value_or(0)) {
      EXPECT_TRUE(to.Inject(to_link, std::span(packet).first(n)));
      any = true;
    }
    return any;
  }

 private:
  std::atomic<bool> stop_ = false;
  std::thread pump_;
};

TEST_F(ApiHost, EchoOfManyClientsIsExact) {
  constexpr int kClients = 4;
  auto listener = b.Listen("0.0.0.0", 7).value();
  std::thread server([&] {
    std::vector<std::thread> sessions;
    for (int i = 0; i < kClients; ++i) {
      auto stream = listener.Accept();
      ASSERT_TRUE(stream);
      sessions.emplace_back([peer = *std::move(stream)]() mutable {
        std::array<std::byte, 4096> bytes;
        while (auto n = peer.Read(bytes).value_or(0)) {
          EXPECT_TRUE(peer.WriteAll(std::span(bytes).first(n)));
        }
      });
    }
    for (std::thread& session : sessions) session.join();
  });
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&, i] {
      auto stream = a.Connect("192.0.2.2", 7);
      ASSERT_TRUE(stream) << Describe(stream.error());
      std::string sent(100'000, '\0');
      for (std::size_t k = 0; k < sent.size(); ++k)
        sent[k] = static_cast<char>(k * 7 + k / 251) ^ static_cast<char>(i);
      std::string got;
      for (std::size_t at = 0; at < sent.size(); at += 10'000) {
        ASSERT_TRUE(stream->WriteAll(Bytes(std::string_view(sent).substr(at, 10'000))));
        while (got.size() < at + 10'000) {
          std::array<std::byte, 3000> part;
          const auto n = stream->Read(part);
          ASSERT_TRUE(n && *n > 0);
          got.append(reinterpret_cast<const char*>(part.data()), *n);
        }
      }
      EXPECT_TRUE(got == sent);
      EXPECT_TRUE(stream->ShutdownWrite());
      std::array<std::byte, 10> rest;
      EXPECT_EQ(stream->Read(rest).value_or(99), 0u);
    });
  }
  for (std::thread& client : clients) client.join();
  server.join();
  EXPECT_EQ(b.Counters().connections_accepted, 4u);
}

TEST_F(ApiHost, RefusedAndTimeouts) {
  const auto refused = a.Connect("192.0.2.2", 9);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Error::kConnectionRefused);
  const Time before = a.Now();
  const auto nobody = a.Connect("192.0.2.77", 9, std::chrono::milliseconds(150));
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error(), Error::kTimedOut);
  EXPECT_GE(a.Now() - before, std::chrono::milliseconds(150));
  EXPECT_LT(a.Now() - before, std::chrono::seconds(3));
  const auto wrong = a.Connect("192.0.2.777", 9);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error(), Error::kInvalid);
}

TEST_F(ApiHost, NonBlockingAndPoll) {
  auto listener = b.Listen("192.0.2.2", 7).value();
  auto stream = a.StartConnect({IpAddress::V4(0xC0000202), 7}).value();
  const auto ready = stream.Poll(kWritable, std::chrono::seconds(5));
  ASSERT_TRUE(ready);
  EXPECT_EQ(*ready, kWritable);
  auto peer = listener.Accept().value();
  std::array<std::byte, 4> bytes;
  const auto nothing = stream.Read(bytes);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error(), Error::kWouldBlock);
  ASSERT_TRUE(peer.SetTimeouts(std::chrono::milliseconds(30), Duration::max()));
  const auto late = peer.Read(bytes);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error(), Error::kWouldBlock);
  EXPECT_EQ(peer.Local().value(), stream.Remote().value());
  EXPECT_EQ(stream.Info().value().state, State::kEstablished);
  EXPECT_NE(stream.Why().value().find("ESTABLISHED"), std::string::npos);
  EXPECT_TRUE(stream.Abort());
  EXPECT_EQ(stream.Abort().error(), Error::kBadHandle);
  ASSERT_TRUE(peer.SetTimeouts(Duration::max(), Duration::max()));
  EXPECT_EQ(peer.Read(bytes).error(), Error::kConnectionReset);
}

TEST_F(ApiHost, StreamsMayOutliveTheirHost) {
  auto listener = b.Listen("192.0.2.2", 7).value();
  auto host = Host::Create().value();
  auto orphan = host.Listen("0.0.0.0", 8).value();
  std::thread waiting([&] {
    const auto accepted = orphan.Accept();
    EXPECT_EQ(accepted.error(), Error::kBadHandle);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  {
    const Host gone = std::move(host);
  }
  waiting.join();
  EXPECT_EQ(orphan.Accept().error(), Error::kBadHandle);
}

TEST(ApiHostVirtual, SameSeedSameSyn) {
  const auto first_syn = [](std::uint8_t seed_byte) {
    HostOptions options;
    options.virtual_clock = true;
    options.seed.emplace().fill(seed_byte);
    Host host = Host::Create(options).value();
    const LinkId link = host.AddMemoryLink().value();
    EXPECT_TRUE(host.AddAddress(link, "192.0.2.1/24"));
    const auto stream = host.StartConnect({IpAddress::V4(0xC0000202), 7});
    EXPECT_TRUE(stream);
    std::array<std::byte, 1500> packet{};
    const auto n = host.Collect(link, packet);
    return std::vector<std::byte>(packet.begin(),
                                  packet.begin() + static_cast<long>(n.value_or(0)));
  };
  EXPECT_GT(first_syn(1).size(), 40u);
  EXPECT_EQ(first_syn(1), first_syn(1));
  EXPECT_NE(first_syn(1), first_syn(2));
  EXPECT_NE(RandomSeed().value(), RandomSeed().value());
}

}  // namespace
}  // namespace estab
