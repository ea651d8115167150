// One stack and, across its link, a peer made by hand: every segment is crafted here and goes in
// through Stack::Receive; everything the stack sends is decoded and kept with its time.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "estab/stack.h"
#include "wire/icmp.h"
#include "wire/ip.h"
#include "wire/tcp.h"

namespace estab::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// The moment `ms` milliseconds after a test began. Not zero, so that "never" shows.
inline Time At(double ms) {
  return Time{} + seconds(1000) + std::chrono::microseconds(static_cast<std::int64_t>(ms * 1000));
}
inline double MsOf(Time t) { return static_cast<double>((t - At(0)).count()) / 1e6; }

/// A segment that the stack sent. `segment.payload` is not to be used: `payload` is.
struct Sent {
  Time at;
  Tuple tuple;
  wire::Segment segment;
  std::string payload;
  std::vector<std::byte> packet;
};

/// A rule that fired.
struct Fired {
  Time at;
  RuleId rule;
  State from;
  State to;
  std::string name() const { return GetRule(rule).name; }
};

/// Writes down rules.
class RuleLog final : public Observer {
 public:
  unsigned Interests() const override { return kVerdicts | kTransitions; }
  void OnRule(const RuleEvent& event) override {
    // What is told of one connection hangs together: each rule begins where the last one led.
    if (event.number != 0) {
      const auto [last, first] = state_.try_emplace(event.number, event.from);
      EXPECT_STREQ(StateName(event.from), StateName(last->second)) << GetRule(event.rule).name;
      last->second = event.to;
    }
    fired.push_back({event.at, event.rule, event.from, event.to});
  }
  std::vector<Fired> fired;

 private:
  std::map<ConnectionNumber, State> state_;
};

/// A packet as bytes, checksums filled in.
inline std::vector<std::byte> Pack(const IpAddress& from, const IpAddress& to,
                                   const wire::Segment& segment, std::string_view payload,
                                   std::uint8_t tos = 0) {
  const std::size_t ip_size = wire::IpHeaderSize(to);
  const std::size_t tcp_size = wire::TcpHeaderSize(segment);
  std::vector<std::byte> packet(ip_size + tcp_size + payload.size());
  wire::IpHeader ip;
  ip.source = from;
  ip.destination = to;
  ip.tos = tos;
  ip.protocol = static_cast<std::uint8_t>(wire::Protocol::kTcp);
  wire::EncodeIp(packet, ip, tcp_size + payload.size());
  const std::span<std::byte> tcp(packet.data() + ip_size, tcp_size);
  wire::EncodeTcp(tcp, segment);
  if (!payload.empty()) {
    std::memcpy(packet.data() + ip_size + tcp_size, payload.data(), payload.size());
  }
  const Slice slice{packet.data() + ip_size + tcp_size, payload.size()};
  wire::StoreTcpChecksum(tcp, wire::TcpChecksum(from, to, tcp, std::span(&slice, 1)));
  return packet;
}

/// Takes everything, or as much as it is told to.
class Collector final : public PacketSink {
 public:
  SinkCapabilities Capabilities(LinkId) const override { return {.holds = holds}; }
  SinkResult Send(const TxPacket& packet) override {
    if (room == 0) return SinkResult::kBusy;
    if (room != SIZE_MAX) --room;
    std::vector<std::byte> bytes(packet.header.begin(), packet.header.end());
    for (const Slice& s : packet.payload) bytes.insert(bytes.end(), s.data, s.data + s.size);
    const auto ip = wire::DecodeIp(bytes);
    EXPECT_TRUE(ip.has_value());
    if (!ip->Is(wire::Protocol::kTcp) || ip->fragment) {
      others.push_back(std::move(bytes));
      return SinkResult::kSent;
    }
    EXPECT_TRUE(wire::TcpChecksumValid(*ip));
    const auto segment = wire::DecodeTcp(ip->payload);
    EXPECT_TRUE(segment.has_value());
    Sent s{now,
           {{ip->source, segment->source_port}, {ip->destination, segment->destination_port}},
           *segment,
           {},
           std::move(bytes)};
    s.payload.assign(reinterpret_cast<const char*>(segment->payload.data()),
                     segment->payload.size());
    sent.push_back(std::move(s));
    if (!holds || packet.token == 0) return SinkResult::kSent;
    tokens.push_back(packet.token);
    return SinkResult::kHeld;
  }

  Time now{};
  std::size_t room = SIZE_MAX;
  bool holds = false;
  std::vector<std::uint64_t> tokens;
  std::vector<Sent> sent;
  std::vector<std::vector<std::byte>> others;  // what is no TCP segment
};

/// What a crafted segment carries besides numbers.
struct Extra {
  std::string_view data = {};
  std::uint16_t window = 60000;
  bool timestamp = true;    // only if the connection agreed on them
  std::int32_t ts_age = 0;  // how much older than the clock the timestamp is
  std::vector<wire::SackBlock> sack = {};
  std::uint8_t tos = 0;
};

/// The stack under test with its address and link, the peer's numbers, and the log.
class RawPeer {
 public:
  explicit RawPeer(bool ipv6 = false, Allocator* allocator = nullptr) : v6(ipv6) {
    StackConfig config;
    config.secret[0] = 7;
    config.observer = &rules;
    config.allocator = allocator;
    stack.emplace(std::move(*Stack::Create(config)));
    stack->AddLink({});
    stack->AddAddress(0, {ours(), static_cast<std::uint8_t>(v6 ? 64 : 24)});
  }

  IpAddress ours() const { return Address(1); }
  IpAddress theirs() const { return Address(2); }
  IpAddress Address(std::uint8_t host) const {
    if (!v6) return IpAddress::V4(0xC0000200u + host);
    IpAddress a = *IpAddress::Parse("2001:db8::");
    a.bytes[15] = host;
    return a;
  }

  void Set(const char* name, const char* value) {
    ASSERT_TRUE(stack->SetSetting(name, value)) << name << " = " << value;
  }

  /// What the peer's SYN offers.
  wire::TcpOptions SynOptions() const {
    wire::TcpOptions o;
    o.has_mss = true;
    o.mss = mss;
    o.sack_permitted = sack;
    o.has_timestamp = timestamps;
    o.ts_value = Clock();
    o.has_window_scale = scaling;
    o.window_scale = 0;
    return o;
  }
  std::uint32_t Clock() const {
    return static_cast<std::uint32_t>(now.time_since_epoch() / milliseconds(1)) + 5000;
  }

  wire::Segment Make(unsigned flags, std::uint32_t seq, std::uint32_t ack, const Extra& x) const {
    wire::Segment s;
    s.source_port = port;
    s.destination_port = our_port;
    s.flags = static_cast<std::uint16_t>(flags);
    s.seq = seq;
    s.ack = ack;
    s.window = x.window;
    if ((flags & kSyn) != 0) {
      s.options = SynOptions();
    } else if (timestamps && x.timestamp) {
      s.options.has_timestamp = true;
    }
    for (const wire::SackBlock& block : x.sack) s.options.sack[s.options.sack_count++] = block;
    if (s.options.has_timestamp) {
      s.options.ts_value = Clock() - static_cast<std::uint32_t>(x.ts_age);
      s.options.ts_echo = (flags & kAck) != 0 ? last_ts : 0;
    }
    return s;
  }

  /// Gives the stack a packet, as it is.
  void Inject(std::span<const std::byte> packet) {
    const RxPacket rx{.data = packet};
    stack->Receive(now, std::span(&rx, 1));
    Flush();
  }
  /// Gives it a segment with these numbers.
  void Segment(unsigned flags, std::uint32_t seq, std::uint32_t ack, const Extra& x = {}) {
    Inject(Pack(theirs(), ours(), Make(flags, seq, ack, x), x.data, x.tos));
  }

  /// Gives it an ICMP error of its family about a segment of its own with sequence number `seq`, as
  /// a router on the way would send it. `rest`: its second word, such as an MTU; `payload`: how
  /// much of it the segment had.
  void Icmp(std::uint8_t type, std::uint8_t code, std::uint32_t seq, std::uint32_t rest = 0,
            std::size_t payload = 0) {
    wire::Segment quoted;
    quoted.source_port = our_port;
    quoted.destination_port = port;
    quoted.flags = kAck;
    quoted.seq = seq;
    const auto offending = Pack(ours(), theirs(), quoted, std::string(payload, 'w'));
    std::array<std::byte, 576> packet;
    const std::size_t size =
        wire::EncodeIcmpError(*wire::DecodeIp(offending), type, code, rest, Address(9), packet);
    ASSERT_NE(size, 0u);
    Inject({packet.data(), size});
  }

  /// Takes what the stack wants to send.
  void Flush() {
    sink.now = now;
    stack->Transmit(now, sink);
    for (std::size_t i = seen_; i < sink.sent.size(); ++i) Note(sink.sent[i].segment);
    seen_ = sink.sent.size();
  }
  /// What a peer learns from a segment: the timestamp to echo, the window's right edge.
  void Note(const wire::Segment& s) {
    if (s.options.has_timestamp) last_ts = s.options.ts_value;
    if (s.Has(kSyn)) our_scale = s.options.has_window_scale && scaling ? s.options.window_scale : 0;
    if (!s.Has(kAck) || s.Has(kRst)) return;
    edge = s.ack + (std::uint32_t{s.window} << (s.Has(kSyn) ? 0 : our_scale));
  }
  /// Lets time pass; every deadline is met at its own moment.
  void Until(Time t) {
    for (Time d = stack->NextDeadline(); d <= t; d = stack->NextDeadline()) {
      now = d;
      stack->Advance(now);
      Flush();
    }
    now = t;
  }
  void Pass(Duration d) { Until(now + d); }

  /// What was sent since this was last called.
  std::vector<Sent> Take() {
    Flush();
    std::vector<Sent> out = std::move(sink.sent);
    sink.sent.clear();
    seen_ = 0;
    return out;
  }
  /// What was sent besides segments since this was last called.
  std::vector<std::vector<std::byte>> TakeOthers() {
    Flush();
    return std::exchange(sink.others, {});
  }
  /// The rules since this was last called.
  std::vector<Fired> TakeRules() { return std::exchange(rules.fired, {}); }

  // --- The usual ways into a connection ---

  SocketId Listen(int backlog = 8) {
    const SocketId id = *stack->Open(v6);
    EXPECT_TRUE(stack->Bind(id, {v6 ? IpAddress::AnyV6() : IpAddress::AnyV4(), our_port}));
    EXPECT_TRUE(stack->Listen(now, id, backlog));
    return id;
  }
  /// The peer's SYN to our listener; our ISS is in `iss` afterwards.
  void HalfOpen() {
    Segment(kSyn, irs, 0);
    const auto sent = Take();
    ASSERT_EQ(sent.size(), 1u);
    iss = sent[0].segment.seq;
    ASSERT_EQ(sent[0].segment.flags, kSyn | kAck);
  }
  /// Starts connecting; our ISS and port are known afterwards.
  SocketId Connect() {
    const SocketId id = *stack->Open(v6);
    EXPECT_EQ(stack->Connect(now, id, {theirs(), port}).error(), Error::kInProgress);
    const auto sent = Take();
    EXPECT_EQ(sent.size(), 1u);
    if (sent.size() != 1) return id;
    iss = sent[0].segment.seq;
    our_port = sent[0].segment.source_port;
    EXPECT_EQ(sent[0].segment.flags, kSyn);
    return id;
  }
  /// An open connection by connect.
  SocketId Established() {
    const SocketId id = Connect();
    Segment(kSyn | kAck, irs, iss + 1);
    EXPECT_EQ(Take().size(), 1u);
    return id;
  }

  State StateOf(SocketId id) { return stack->GetInfo(now, id)->state; }
  std::string ReadAll(SocketId id) {
    std::string out;
    std::array<std::byte, 4096> buffer;
    for (;;) {
      const auto n = stack->Read(now, id, buffer);
      if (!n || *n == 0) return out;
      out.append(reinterpret_cast<const char*>(buffer.data()), *n);
    }
  }

  bool v6;
  RuleLog rules;
  std::optional<Stack> stack;
  Collector sink;
  Time now = At(0);
  std::uint16_t port = 4000;
  std::uint16_t our_port = 80;
  std::uint16_t mss = 1460;
  bool timestamps = true;
  bool sack = true;
  bool scaling = true;
  std::uint32_t irs = 700'000;
  std::uint32_t iss = 0;
  std::uint32_t last_ts = 0;
  std::uint8_t our_scale = 0;
  std::uint32_t edge = 0;  // what the stack last announced: the right edge of its window

 private:
  std::size_t seen_ = 0;
};

}  // namespace estab::test
