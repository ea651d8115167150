// Fuzz target: the Ethernet layer against arbitrary frames, between packets of our own and time.
//
// The input is a program: an operation a byte, its operands behind it.
#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "stack/ethernet.h"
#include "wire/ip.h"

namespace {

using namespace estab;
using wire::MacAddress;

constexpr MacAddress kOurs{{2, 0, 0, 0, 0, 1}};

class Program final : private stack::FrameSink {
 public:
  explicit Program(std::span<const std::uint8_t> bytes) : left_(bytes) {
    ESTAB_CHECK(ethernet_.AddAddress({Ours(false), 24}).has_value());
    ESTAB_CHECK(ethernet_.AddAddress({Ours(true), 64}).has_value());
  }

  void Go() {
    while (!left_.empty()) {
      Step(Byte());
      ESTAB_CHECK(ethernet_.neighbours().count() <= stack::Neighbours::kMost);
    }
    busy_ = false;
    // Whatever has come: after a while nothing is waited for any more.
    for (int i = 0; i < 20; ++i) Pass(std::chrono::seconds(1));
    ESTAB_CHECK(ethernet_.NextDeadline() == kNever);
    ESTAB_CHECK(!ethernet_.WantsTransmit());
  }

 private:
  static IpAddress Ours(bool v6) { return v6 ? V6(1) : IpAddress::V4(0xc0000201); }
  static IpAddress V6(std::uint8_t host) {
    IpAddress a = *IpAddress::Parse("2001:db8::");
    a.bytes[15] = host;
    return a;
  }
  std::uint8_t Byte() {
    if (left_.empty()) return 0;
    const std::uint8_t b = left_[0];
    left_ = left_.subspan(1);
    return b;
  }
  std::vector<std::byte> Take(std::size_t n) {
    const auto part = std::as_bytes(left_.first(std::min(n, left_.size())));
    left_ = left_.subspan(part.size());
    return {part.begin(), part.end()};
  }

  void Step(std::uint8_t op) {
    switch (op % 8) {
      case 0:
        return Frame(Take(Byte()));  // as it is
      case 1:
      case 2:
        return Addressed(wire::kEtherTypeArp, Take(28));
      case 3:
        return Neighbourly();
      case 4:
      case 5:
        return Send((op & 16) != 0, Byte());
      case 6:
        return Pass(std::chrono::milliseconds(Byte() * 16));
      default:
        busy_ = (op & 16) != 0;
        return ethernet_.Transmit(*this);
    }
  }
  void Addressed(std::uint16_t type, std::vector<std::byte> payload) {
    constexpr std::array<MacAddress, 4> kTo{
        kOurs, wire::kBroadcastMac, MacAddress{{0x33, 0x33, 0xff, 0, 0, 1}}, MacAddress{{2, 9}}};
    const std::uint8_t how = Byte();
    std::vector<std::byte> frame(wire::kEthernetHeaderSize);
    wire::EncodeEthernet(frame, {kTo[how % 4], {{2, 0, 0, 0, 1, how}}, type});
    // Most ARP is of the kind that is understood.
    if (type == wire::kEtherTypeArp && payload.size() == 28 && (how & 64) != 0) {
      constexpr std::array<std::byte, 7> kBegin{std::byte{0}, std::byte{1}, std::byte{8},
                                                std::byte{0}, std::byte{6}, std::byte{4},
                                                std::byte{0}};
      std::copy(kBegin.begin(), kBegin.end(), payload.begin());
    }
    frame.insert(frame.end(), payload.begin(), payload.end());
    Frame(frame);
  }
  // A message that is valid but for what is in it.
  void Neighbourly() {
    const std::uint8_t how = Byte();
    wire::NeighbourMessage m;
    m.answer = (how & 1) != 0;
    m.solicited = (how & 2) != 0;
    m.overrides = (how & 4) != 0;
    m.source = (how & 8) != 0 ? IpAddress::AnyV6() : V6(Byte());
    m.target = V6(Byte());
    m.destination = (how & 16) != 0 ? V6(1) : wire::SolicitedNode(m.target);
    if ((how & 32) != 0) m.mac = MacAddress{{2, 0, 0, 0, 2, Byte()}};
    std::vector<std::byte> packet(wire::kMostNeighbourMessage);
    packet.resize(wire::EncodeNeighbour(packet, m));
    Addressed(wire::kEtherTypeIpv6, packet);
  }
  void Frame(const std::vector<std::byte>& frame) {
    const auto packet = ethernet_.Receive(now_, {.data = frame});
    if (!packet) return;
    ESTAB_CHECK(packet->data.data() == frame.data() + wire::kEthernetHeaderSize);
    ESTAB_CHECK(packet->data.size() == frame.size() - wire::kEthernetHeaderSize);
  }
  void Send(bool v6, std::uint8_t host) {
    std::array<std::byte, 80> bytes{};
    wire::IpHeader ip;
    ip.source = Ours(v6);
    ip.destination = v6 ? V6(host) : IpAddress::V4(0xc0000200u + host);
    ip.protocol = 6;
    const std::size_t size = wire::EncodeIp(bytes, ip, 20) + 20;
    TxPacket packet;
    packet.header = std::span(bytes).first(size);
    (void)ethernet_.Send(now_, packet, *this);
  }
  void Pass(Duration d) {
    now_ += d;
    std::array<std::byte, 1280> message;
    while (const auto packet = ethernet_.Advance(now_, message)) {
      ESTAB_CHECK(wire::DecodeIp(packet->data).has_value());
    }
    ethernet_.Transmit(*this);
  }
  SinkResult SendFrame(std::span<const std::byte> header, const TxPacket& packet) override {
    if (busy_) return SinkResult::kBusy;
    const auto frame = wire::DecodeEthernet(header);
    ESTAB_CHECK(frame && frame->source == kOurs && frame->destination != kOurs);
    ESTAB_CHECK(!packet.header.empty() && packet.size() <= 1600);
    return SinkResult::kSent;
  }

  std::span<const std::uint8_t> left_;
  stack::Ethernet ethernet_{kOurs, SipKey{7}};
  Time now_{std::chrono::seconds(1000)};
  bool busy_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Program({data, size}).Go();
  return 0;
}
