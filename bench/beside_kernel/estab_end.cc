#include <algorithm>
#include <optional>

#include "base/prng.h"
#include "bench/traffic.h"
#include "beside_kernel/addresses.h"
#include "beside_kernel/end.h"
#include "estab/stack.h"
#include "observe/format.h"

namespace beside_kernel {
namespace {

using estab::SocketId;
using estab::Stack;

constexpr std::size_t kBlock = 65536;
constexpr std::uint32_t kUnsent = 4 * kBlock;
constexpr int kBlocksAStep = 16;

// Packets leave as they are made.
class Taker final : public estab::PacketSink {
 public:
  explicit Taker(const End::PacketTaker& take) : take_(take) {}
  estab::SinkCapabilities Capabilities(estab::LinkId) const override { return {}; }
  estab::SinkResult Send(const estab::TxPacket& packet) override {
    bytes_.assign(packet.header.begin(), packet.header.end());
    for (const estab::Slice& slice : packet.payload) {
      bytes_.insert(bytes_.end(), slice.data, slice.data + slice.size);
    }
    take_(bytes_);
    return estab::SinkResult::kSent;
  }

 private:
  const End::PacketTaker& take_;
  std::vector<std::byte> bytes_;
};

class EstabEnd final : public End {
 public:
  EstabEnd(Role role, Stack stack, estab::LinkId link)
      : role_(role), stack_(std::move(stack)), link_(link), block_(kBlock) {}

  void Begin(Time now) override {
    const auto socket = stack_.Open(false);
    if (!socket) return Fail("open", socket.error());
    socket_ = *socket;
    if (role_ == Role::kReceiver) {
      if (auto done = stack_.Bind(socket_, AddressOf(role_)); !done) Fail("bind", done.error());
      if (auto done = stack_.Listen(now, socket_, 1); !done) Fail("listen", done.error());
      return;
    }
    estab::SocketOptions options;
    options.unsent_low_water = kUnsent;
    static_cast<void>(stack_.SetOptions(now, socket_, options));
    const auto done = stack_.Connect(now, socket_, AddressOf(Role::kReceiver));
    if (!done && done.error() != estab::Error::kInProgress) Fail("connect", done.error());
  }

  void Step(Time now) override {
    stack_.Advance(now);
    if (role_ == Role::kSender) return Send(now);
    if (!connection_) {
      if (const auto accepted = stack_.Accept(now, socket_)) connection_ = *accepted;
    }
    if (connection_) Receive(now);
  }

  void Collect(Time now, const PacketTaker& take) override {
    Taker taker(take);
    stack_.Transmit(now, taker);
  }

  void Deliver(Time now, std::span<const std::byte> packet) override {
    estab::RxPacket in;
    in.data = packet;
    in.link = link_;
    stack_.Receive(now, std::span<const estab::RxPacket>(&in, 1));
  }

  Time NextDeadline() override { return stack_.NextDeadline(); }
  void AddDescriptors(std::vector<pollfd>&) const override {}
  std::uint64_t received() const override { return received_; }
  std::string failure() const override { return failure_; }

 private:
  void Fail(const char* what, estab::Error error) {
    if (failure_.empty()) failure_ = fmt::format("estab: {}: {}", what, estab::Describe(error));
  }

  void Send(Time now) {
    for (int i = 0; i < kBlocksAStep; ++i) {
      const auto ready = stack_.GetReadiness(socket_);
      if (!ready || (*ready & estab::kWritable) == 0) return;
      const auto sent = stack_.Send(now, socket_, block_);
      if (!sent && sent.error() == estab::Error::kWouldBlock) return;
      if (!sent) return Fail("send", sent.error());
    }
  }

  void Receive(Time now) {
    for (int i = 0; i < kBlocksAStep; ++i) {
      const auto got = stack_.Read(now, *connection_, block_);
      if (!got && got.error() == estab::Error::kWouldBlock) return;
      if (!got) return Fail("read", got.error());
      received_ += *got;
    }
  }

  Role role_;
  Stack stack_;
  estab::LinkId link_;
  SocketId socket_;
  std::optional<SocketId> connection_;
  std::vector<std::byte> block_;
  std::uint64_t received_ = 0;
  std::string failure_;
};

}  // namespace

MadeEnd MakeEstabEnd(const EndConfig& config) {
  estab::StackConfig with;
  estab::Prng prng(config.seed * 2 + (config.role == Role::kSender));
  for (std::uint8_t& byte : with.secret) byte = static_cast<std::uint8_t>(prng.Next());
  auto stack = Stack::Create(with);
  if (!stack) return std::unexpected("no memory for a stack");
  auto settings = estab::bench::BufferSettings(config.buffer);
  settings.emplace_back("net.ipv4.tcp_congestion_control", config.cc);
  for (const auto& [name, value] : settings) {
    if (stack->SetSetting(name, value)) continue;
    return std::unexpected(fmt::format("estab refuses {} = {}", name, value));
  }
  const auto link = stack->AddLink({kMtu});
  if (!link || !stack->AddAddress(*link, {AddressOf(config.role).address, 24})) {
    return std::unexpected("estab refuses its link");
  }
  return std::make_unique<EstabEnd>(config.role, *std::move(stack), *link);
}

}  // namespace beside_kernel
