// Segments of a row are taken for more of the same as the first: what they do is what they would do
// one by one. A stack whose observer wants every verdict takes them so.
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "matrix/raw_peer.h"
#include "wire/checksum.h"
#include "wire/ip.h"

namespace estab::test {
namespace {

class Watcher final : public Observer {
 public:
  unsigned Interests() const override { return kVerdicts; }
};

// One client, and two servers that are told the same: one takes rows, the other none.
class Rows : public ::testing::TestWithParam<unsigned> {
 protected:
  static constexpr std::size_t kConnections = 3;

  struct Server {
    std::optional<Stack> stack;
    SocketId listener;
    std::vector<SocketId> sockets;
  };

  void SetUp() override {
    Make(client_, 1, nullptr);
    for (Server* server : {&plain_, &watched_}) {
      Make(server->stack, 2, server == &watched_ ? &watcher_ : nullptr);
      server->listener = *server->stack->Open(false);
      ASSERT_TRUE(server->stack->SetSetting("net.ipv4.tcp_ecn", "1"));
      ASSERT_TRUE(server->stack->SetSetting("net.ipv4.tcp_rmem", "4096 20000 60000"));
      ASSERT_TRUE(server->stack->Bind(server->listener, {Address(2), 80}));
      ASSERT_TRUE(server->stack->Listen(now_, server->listener, 16));
    }
    ASSERT_TRUE(client_->SetSetting("net.ipv4.tcp_ecn", GetParam() % 4 == 0 ? "1" : "0"));
  }

  static IpAddress Address(std::uint8_t host) { return IpAddress::V4(0xC0000200u + host); }
  static void Make(std::optional<Stack>& stack, std::uint8_t host, Observer* observer) {
    StackConfig config;
    config.secret[0] = host;
    config.observer = observer;
    stack.emplace(*Stack::Create(config));
    ASSERT_TRUE(stack->AddLink({}));
    ASSERT_TRUE(stack->AddAddress(0, {Address(host), 24}));
  }

  unsigned Draw(unsigned below) { return static_cast<unsigned>(random_() % below); }

  static std::vector<std::vector<std::byte>> Transmit(Stack& from, Time now) {
    Collector sink;
    sink.now = now;
    from.Transmit(now, sink);
    std::vector<std::vector<std::byte>> packets;
    for (Sent& s : sink.sent) packets.push_back(std::move(s.packet));
    return packets;
  }

  // What a router does to a packet that may be marked.
  static void MarkCongested(std::vector<std::byte>& packet) {
    constexpr auto kEcn = std::byte{3};
    if ((packet[1] & kEcn) == std::byte{0}) return;
    packet[1] |= kEcn;
    packet[10] = packet[11] = std::byte{0};
    wire::Checksum checksum;
    checksum.Add(std::span(packet).first(wire::kIpv4HeaderSize));
    Store16(&packet[10], checksum.Finish());
  }

  // Some are lost, some come twice, some are marked, some overtake each other.
  void Roughen(std::vector<std::vector<std::byte>>& packets) {
    if (Draw(3) != 0 || packets.empty()) return;
    const std::size_t i = Draw(static_cast<unsigned>(packets.size()));
    switch (Draw(4)) {
      case 0:
        packets.erase(packets.begin() + static_cast<std::ptrdiff_t>(i));
        break;
      case 1:
        packets.insert(packets.begin() + static_cast<std::ptrdiff_t>(i), packets[i]);
        break;
      case 2:
        MarkCongested(packets[i]);
        break;
      default:
        std::swap(packets[i], packets[Draw(static_cast<unsigned>(packets.size()))]);
    }
  }

  void ToBoth(const std::vector<std::vector<std::byte>>& packets) {
    std::vector<RxPacket> all;
    for (const auto& packet : packets) all.push_back({.data = packet});
    for (Server* server : {&plain_, &watched_}) {
      server->stack->Receive(now_, all);
      server->stack->CheckInvariants();
    }
  }
  void ToServers() {
    for (auto& packet : Transmit(*client_, now_)) on_the_way_.push_back(std::move(packet));
    if (Draw(2) == 0) return;  // they come together with later ones, that know more
    std::vector<std::vector<std::byte>> packets = std::exchange(on_the_way_, {});
    Roughen(packets);
    std::vector<RxPacket> all;
    for (const auto& packet : packets) all.push_back({.data = packet});
    for (std::span<const RxPacket> rest = all; !rest.empty();) {
      const auto some = rest.first(1 + Draw(static_cast<unsigned>(rest.size())));
      for (Server* server : {&plain_, &watched_}) {
        server->stack->Receive(now_, some);
        server->stack->CheckInvariants();
      }
      rest = rest.subspan(some.size());
    }
  }
  void ToClient() {
    const auto packets = Transmit(*plain_.stack, now_);
    ASSERT_EQ(packets, Transmit(*watched_.stack, now_));
    for (const auto& packet : packets) {
      const RxPacket one{.data = packet};
      client_->Receive(now_, std::span(&one, 1));
    }
  }
  void Pass(Duration time) {
    now_ += time;
    client_->Advance(now_);
    ASSERT_EQ(plain_.stack->Advance(now_), watched_.stack->Advance(now_));
  }
  void Connect() {
    for (std::size_t i = 0; i < kConnections; ++i) {
      clients_.push_back(*client_->Open(false));
      static_cast<void>(client_->Connect(now_, clients_.back(), {Address(2), 80}));
    }
    for (int i = 0; i < 3; ++i) {
      for (const auto& packet : Transmit(*client_, now_)) {
        const RxPacket one{.data = packet};
        for (Server* server : {&plain_, &watched_}) {
          server->stack->Receive(now_, std::span(&one, 1));
        }
      }
      ToClient();
    }
    for (Server* server : {&plain_, &watched_}) {
      while (const auto socket = server->stack->Accept(now_, server->listener)) {
        server->sockets.push_back(*socket);
      }
      ASSERT_EQ(server->sockets.size(), kConnections);
    }
  }
  void Use(std::size_t i) {
    const std::vector<std::byte> data(1 + Draw(Draw(4) == 0 ? 30000 : 3000), std::byte{7});
    static_cast<void>(client_->Send(now_, clients_[i], data));
    std::vector<std::byte> into(Draw(40000));
    const auto a = plain_.stack->Read(now_, plain_.sockets[i], into);
    const auto b = watched_.stack->Read(now_, watched_.sockets[i], into);
    ASSERT_EQ(a, b);
    if (Draw(4) != 0) return;
    const auto answer = std::span(data).first(std::min<std::size_t>(data.size(), 500));
    ASSERT_EQ(plain_.stack->Send(now_, plain_.sockets[i], answer),
              watched_.stack->Send(now_, watched_.sockets[i], answer));
    static_cast<void>(client_->Read(now_, clients_[i], into));
  }

  std::mt19937 random_{GetParam()};
  Time now_ = At(0);
  Watcher watcher_;
  std::optional<Stack> client_;
  Server plain_;
  Server watched_;
  std::vector<SocketId> clients_;
  std::vector<std::vector<std::byte>> on_the_way_;
};

TEST_P(Rows, AreWhatTheirSegmentsAreOneByOne) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  for (int turn = 0; turn < 300; ++turn) {
    ASSERT_NO_FATAL_FAILURE(Use(Draw(kConnections)));
    if (Draw(3) != 0) ToServers();
    if (Draw(3) != 0) {
      ASSERT_NO_FATAL_FAILURE(ToClient());
    }
    ASSERT_NO_FATAL_FAILURE(Pass(milliseconds(Draw(4) == 0 ? Draw(300) : Draw(3))));
  }
  const auto rules = plain_.stack->RuleCounters();
  const auto singly = watched_.stack->RuleCounters();
  EXPECT_EQ(std::vector(rules.begin(), rules.end()), std::vector(singly.begin(), singly.end()));
  for (std::size_t i = 0; i < kConnections; ++i) {
    const auto a = plain_.stack->GetInfo(now_, plain_.sockets[i]);
    const auto b = watched_.stack->GetInfo(now_, watched_.sockets[i]);
    EXPECT_EQ(a->segments_in, b->segments_in);
    EXPECT_EQ(a->bytes_received, b->bytes_received);
    EXPECT_GT(a->bytes_received, 20000u);
  }
}

// By hand: what no honest client sends, in rows.
TEST_P(Rows, OfAPeerThatHeedsNothingAreSoToo) {
  wire::Segment segment;
  segment.source_port = 4000;
  segment.destination_port = 80;
  segment.seq = 1000;
  segment.flags = kSyn;
  segment.window = 8000;
  ToBoth({Pack(Address(1), Address(2), segment, {})});
  const auto answers = Transmit(*plain_.stack, now_);
  ASSERT_EQ(answers, Transmit(*watched_.stack, now_));
  ASSERT_EQ(answers.size(), 1u);
  segment.ack = wire::DecodeTcp(wire::DecodeIp(answers[0])->payload)->seq + 1;
  segment.seq = 1001;
  segment.flags = kAck;
  ToBoth({Pack(Address(1), Address(2), segment, {})});
  for (Server* server : {&plain_, &watched_}) {
    server->sockets.push_back(*server->stack->Accept(now_, server->listener));
  }
  for (int turn = 0; turn < 100; ++turn) {
    std::vector<std::vector<std::byte>> packets;
    for (unsigned left = 1 + Draw(50); left != 0; --left) {
      if (Draw(6) == 0) segment.window = static_cast<std::uint16_t>(1 + Draw(9000));
      if (Draw(20) == 0) segment.seq += Draw(3) * 100 - 100;
      segment.flags = static_cast<std::uint16_t>(kAck | (Draw(3) == 0 ? kPsh : 0));
      const std::string data(Draw(8) == 0 ? 0 : 1 + Draw(1460), 'x');
      packets.push_back(Pack(Address(1), Address(2), segment, data, Draw(9) == 0 ? 3 : 0));
      segment.seq += static_cast<std::uint32_t>(data.size());
    }
    ToBoth(packets);
    std::vector<std::byte> into(Draw(20000));
    ASSERT_EQ(plain_.stack->Read(now_, plain_.sockets[0], into),
              watched_.stack->Read(now_, watched_.sockets[0], into));
    const auto acks = Transmit(*plain_.stack, now_);
    ASSERT_EQ(acks, Transmit(*watched_.stack, now_));
    const auto a = plain_.stack->GetInfo(now_, plain_.sockets[0]);
    const auto b = watched_.stack->GetInfo(now_, watched_.sockets[0]);
    ASSERT_EQ(a->send_window, b->send_window);
    ASSERT_EQ(a->segments_in, b->segments_in);
    ASSERT_EQ(a->ack_delay, b->ack_delay);
    const auto rules = plain_.stack->RuleCounters();
    ASSERT_TRUE(std::ranges::equal(rules, watched_.stack->RuleCounters()));
    // What did not fit comes again.
    for (const auto& ack : acks) {
      segment.seq = wire::DecodeTcp(wire::DecodeIp(ack)->payload)->ack;
    }
    ASSERT_NO_FATAL_FAILURE(Pass(milliseconds(Draw(60))));
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Rows, ::testing::Range(1u, 61u));

}  // namespace
}  // namespace estab::test
