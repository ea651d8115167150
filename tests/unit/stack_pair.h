// Two stacks joined by a wire of fixed delay, in virtual time.
#pragma once

#include <deque>
#include <functional>

#include "matrix/raw_peer.h"

namespace estab::test {

class Pair {
 public:
  struct Side {
    std::optional<Stack> stack;
    Collector sink;
  };

  /// What the wire does to a packet: how many copies arrive, and how much later than others.
  struct Fate {
    int copies = 1;
    Duration more{};
  };

  explicit Pair(bool ipv6 = false, Allocator* first = nullptr, Allocator* second = nullptr)
      : v6(ipv6) {
    Make(a, 1, first);
    Make(b, 2, second);
  }
  bool ok() const { return a.stack.has_value() && b.stack.has_value(); }

  IpAddress Address(std::uint8_t host) const {
    if (!v6) return IpAddress::V4(0xC0000200u + host);
    IpAddress address = *IpAddress::Parse("2001:db8::");
    address.bytes[15] = host;
    return address;
  }

  /// Sends what waits and delivers what has arrived, until nothing more happens at this moment.
  void Exchange() {
    for (;;) {
      Collect(a, true);
      Collect(b, false);
      if (wire_.empty() || wire_.front().at > now) return;
      const Flying f = std::move(wire_.front());
      wire_.pop_front();
      const RxPacket packet{.data = f.packet};
      (f.to_b ? b : a).stack->Receive(now, std::span(&packet, 1));
    }
  }
  /// The next moment at which anything happens.
  Time Next() {
    Time t = std::min(a.stack->NextDeadline(), b.stack->NextDeadline());
    if (!wire_.empty()) t = std::min(t, wire_.front().at);
    return t;
  }
  /// Lets time pass until `until`; `each` is called
  /// whenever something has happened.
  template <class Each>
  void Run(Time until, Each&& each) {
    Settle(each);
    for (Time t = Next(); t <= until; t = Next()) {
      now = std::max(now, t);
      a.stack->Advance(now);
      b.stack->Advance(now);
      Settle(each);
    }
    now = until;
  }
  void Pass(Duration d) {
    Run(now + d, [] {});
  }

  bool v6;
  Side a;
  Side b;
  Time now = At(0);
  Duration delay = milliseconds(5);
  std::function<Fate(bool to_b, std::size_t size)> rough;  // asked for each packet, if set

 private:
  struct Flying {
    Time at;
    bool to_b;
    std::vector<std::byte> packet;
  };

  // Lets stacks and applications take turns until neither has more to do now.
  template <class Each>
  void Settle(Each& each) {
    std::uint64_t before;
    do {
      before = PacketsOut();
      Exchange();
      each();
      Exchange();
    } while (PacketsOut() != before);
  }
  std::uint64_t PacketsOut() const {
    return a.stack->Counters().packets_out + b.stack->Counters().packets_out;
  }
  void Make(Side& side, std::uint8_t host, Allocator* allocator) {
    StackConfig config;
    config.secret[0] = host;
    config.allocator = allocator;
    auto made = Stack::Create(config);
    if (!made) return;
    side.stack.emplace(std::move(*made));
    side.stack->AddLink({});
    side.stack->AddAddress(0, {Address(host), static_cast<std::uint8_t>(v6 ? 64 : 24)});
  }
  void Collect(Side& side, bool to_b) {
    side.sink.now = now;
    side.stack->Transmit(now, side.sink);
    for (Sent& s : side.sink.sent) {
      const Fate fate = rough ? rough(to_b, s.packet.size()) : Fate{};
      for (int n = 0; n < fate.copies; ++n) Put({now + delay + fate.more, to_b, s.packet});
    }
    side.sink.sent.clear();
  }
  void Put(Flying flying) {
    auto place = wire_.end();
    while (place != wire_.begin() && std::prev(place)->at > flying.at) --place;
    wire_.insert(place, std::move(flying));
  }

  std::deque<Flying> wire_;
};

/// b listens, a connects; nullopt if either could not.
struct Ends {
  SocketId listener, client, server;
};
inline std::optional<Ends> OpenPair(Pair& pair, Duration patience = seconds(5)) {
  Ends ends;
  const auto listener = pair.b.stack->Open(pair.v6);
  if (!listener) return std::nullopt;
  ends.listener = *listener;
  const IpAddress any = pair.v6 ? IpAddress::AnyV6() : IpAddress::AnyV4();
  if (!pair.b.stack->Bind(ends.listener, {any, 80})) return std::nullopt;
  if (!pair.b.stack->Listen(pair.now, ends.listener, 5)) return std::nullopt;
  const auto client = pair.a.stack->Open(pair.v6);
  if (!client) return std::nullopt;
  ends.client = *client;
  if (pair.a.stack->Connect(pair.now, ends.client, {pair.Address(2), 80}).error() !=
      Error::kInProgress) {
    return std::nullopt;
  }
  pair.Pass(patience);
  const auto server = pair.b.stack->Accept(pair.now, ends.listener);
  if (!server) return std::nullopt;
  ends.server = *server;
  return ends;
}

}  // namespace estab::test
