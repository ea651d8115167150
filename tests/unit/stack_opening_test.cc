// Binding, listening and connecting: queues and their limits, ports and who may have them,
// TIME_WAIT in the way.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "matrix/raw_peer.h"
#include "stack/socket.h"

namespace estab::test {
namespace {

class Opening : public testing::TestWithParam<bool> {
 protected:
  // A whole handshake from the peer's port `port`.
  void Handshake(std::uint16_t port) {
    peer.port = port;
    peer.Segment(kSyn, peer.irs, 0);
    const auto sent = peer.Take();
    if (sent.size() != 1 || sent[0].segment.flags != (kSyn | kAck)) return;
    peer.iss = sent[0].segment.seq;
    peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  }
  SocketId New(bool reuse) {
    const SocketId id = *peer.stack->Open(peer.v6);
    SocketOptions options;
    options.reuse_address = reuse;
    EXPECT_TRUE(peer.stack->SetOptions(peer.now, id, options));
    return id;
  }
  IpAddress Any() const { return peer.v6 ? IpAddress::AnyV6() : IpAddress::AnyV4(); }
  Error BindError(SocketId id, const Endpoint& local) {
    const auto result = peer.stack->Bind(id, local);
    return result ? Error{} : result.error();
  }
  // A connection of ours that ends in TIME_WAIT.
  void TimeWaitOf(SocketId id) {
    ASSERT_TRUE(peer.stack->Close(peer.now, id));
    peer.Take();
    peer.Segment(kFin | kAck, peer.irs + 1, peer.iss + 2);
    peer.Take();
  }
  std::string LastRule() { return peer.rules.fired.back().name(); }

  RawPeer peer{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Families, Opening, testing::Bool(),
                         [](const auto& p) { return p.param ? "Ipv6" : "Ipv4"; });

TEST_P(Opening, AcceptQueueHoldsOneMoreThanTheBacklog) {
  const SocketId listener = peer.Listen(2);
  for (std::uint16_t p = 0; p < 3; ++p) Handshake(static_cast<std::uint16_t>(4000 + p));
  EXPECT_EQ(peer.stack->GetInfo(peer.now, listener)->accept_queue, 3u);
  peer.Take();
  // A fourth SYN is dropped.
  peer.port = 4100;
  peer.Segment(kSyn, peer.irs, 0);
  EXPECT_TRUE(peer.Take().empty());
  EXPECT_EQ(LastRule(), "listen-accept-queue-full");
  ASSERT_TRUE(peer.stack->Accept(peer.now, listener));
  peer.Segment(kSyn, peer.irs, 0);
  EXPECT_EQ(peer.Take().size(), 1u);
}

TEST_P(Opening, FinalAckMeetsAFullQueue) {
  for (bool abort : {false, true}) {
    RawPeer p(peer.v6);
    p.Set("net.ipv4.tcp_abort_on_overflow", abort ? "1" : "0");
    const SocketId listener = p.Listen(0);
    p.port = 1;
    p.HalfOpen();
    const std::uint32_t first = p.iss;
    const std::uint32_t first_ts = p.last_ts;
    p.port = 2;
    p.HalfOpen();
    p.Segment(kAck, p.irs + 1, p.iss + 1);
    p.port = 1;
    p.last_ts = first_ts;
    p.Segment(kAck, p.irs + 1, first + 1);
    const auto sent = p.Take();
    if (abort) {
      ASSERT_EQ(sent.size(), 1u);
      EXPECT_EQ(sent[0].segment.flags, kRst);
      EXPECT_EQ(p.stack->Counters().half_open, 0u);
      continue;
    }
    EXPECT_TRUE(sent.empty());
    EXPECT_EQ(p.stack->Counters().half_open, 1u);
    p.Pass(milliseconds(1001));
    EXPECT_EQ(p.Take().size(), 1u);  // SYN|ACK goes on
    ASSERT_TRUE(p.stack->Accept(p.now, listener));
    p.Segment(kAck, p.irs + 1, first + 1);
    EXPECT_TRUE(p.stack->Accept(p.now, listener));
  }
}

TEST_P(Opening, BacklogIsCutToSomaxconnAndCanBeChanged) {
  peer.Set("net.core.somaxconn", "7");
  const SocketId listener = peer.Listen(1000);
  EXPECT_EQ(peer.stack->GetInfo(peer.now, listener)->backlog, 7u);
  ASSERT_TRUE(peer.stack->Listen(peer.now, listener, 3));
  EXPECT_EQ(peer.stack->GetInfo(peer.now, listener)->backlog, 3u);
  ASSERT_TRUE(peer.stack->Listen(peer.now, listener, -1));
  EXPECT_EQ(peer.stack->GetInfo(peer.now, listener)->backlog, 7u);
}

TEST_P(Opening, ListenerCloseResetsQueuedAndForgetsHalfOpen) {
  const SocketId listener = peer.Listen();
  Handshake(4000);
  Handshake(4001);
  peer.Segment(kFin | kAck, peer.irs + 1, peer.iss + 1);  // one of them in CLOSE_WAIT
  peer.Pass(milliseconds(100));
  peer.Take();
  peer.port = 4002;
  peer.HalfOpen();
  ASSERT_TRUE(peer.stack->Close(peer.now, listener));
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 2u);
  for (const Sent& s : sent) EXPECT_TRUE(s.segment.Has(kRst));
  EXPECT_EQ(peer.stack->Counters().sockets, 0u);
  EXPECT_EQ(peer.stack->Counters().half_open, 0u);
  EXPECT_EQ(peer.stack->NextDeadline(), kNever);
}

TEST_P(Opening, ConnectionResetBeforeAccept) {
  const SocketId listener = peer.Listen();
  Handshake(4000);
  peer.Segment(kRst, peer.irs + 1, 0);
  const auto accepted = peer.stack->Accept(peer.now, listener);
  ASSERT_TRUE(accepted);
  EXPECT_EQ(peer.StateOf(*accepted), State::kClosed);
  EXPECT_EQ(*peer.stack->TakeError(*accepted), std::optional(Error::kConnectionReset));
  ASSERT_TRUE(peer.stack->Close(peer.now, *accepted));
  EXPECT_EQ(peer.stack->Counters().sockets, 1u);
}

TEST_P(Opening, AcceptedSocketsInheritOptions) {
  const SocketId listener = New(true);
  SocketOptions options = *peer.stack->GetOptions(listener);
  options.keepalive = true;
  options.tos = 0x10;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, listener, options));
  ASSERT_TRUE(peer.stack->Bind(listener, {Any(), 80}));
  ASSERT_TRUE(peer.stack->Listen(peer.now, listener, 5));
  Handshake(4000);
  const auto accepted = peer.stack->Accept(peer.now, listener);
  ASSERT_TRUE(accepted);
  EXPECT_TRUE(*peer.stack->GetOptions(*accepted) == options);
  EXPECT_NE(peer.stack->NextDeadline(), kNever);  // keepalive runs
}

// IP_BIND_ADDRESS_NO_PORT: the port is chosen with the peer, so that one serves several.
TEST_P(Opening, BindingToAnAddressAloneTakesNoPort) {
  peer.Set("net.ipv4.ip_local_port_range", "40000 40000");
  const IpAddress second = peer.Address(7);
  peer.stack->AddAddress(0, {second, static_cast<std::uint8_t>(peer.v6 ? 64 : 24)});
  const auto bound = [&](bool address_only) -> SocketId {
    const SocketId id = New(false);
    SocketOptions options;
    options.bind_address_only = address_only;
    EXPECT_TRUE(peer.stack->SetOptions(peer.now, id, options));
    EXPECT_EQ(BindError(id, {second, 0}), Error{});
    EXPECT_EQ(peer.stack->GetInfo(peer.now, id)->tuple.local,
              (Endpoint{second, static_cast<std::uint16_t>(address_only ? 0 : 40000)}));
    return id;
  };
  const SocketId ids[] = {bound(true), bound(true)};
  for (std::uint16_t i = 0; i < 2; ++i) {
    const Endpoint to{peer.theirs(), static_cast<std::uint16_t>(81 + i)};
    EXPECT_EQ(peer.stack->Connect(peer.now, ids[i], to).error(), Error::kInProgress);
    const auto sent = peer.Take();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].tuple.local, (Endpoint{second, 40000}));
    // The address stays when an attempt has failed.
    wire::Segment refusal;
    refusal.flags = kRst | kAck;
    refusal.ack = sent[0].segment.seq + 1;
    refusal.source_port = to.port;
    refusal.destination_port = 40000;
    peer.Inject(Pack(peer.theirs(), second, refusal, {}));
    EXPECT_EQ(*peer.stack->TakeError(ids[i]), std::optional(Error::kConnectionRefused));
    EXPECT_EQ(peer.stack->Connect(peer.now, ids[i], to).error(), Error::kInProgress);
    EXPECT_EQ(peer.Take().at(0).tuple.local.address, second);
  }
  EXPECT_EQ(BindError(New(false), {second, 0}), Error::kAddressInUse);
}

// IP_LOCAL_PORT_RANGE: a bound counts where it lies within ip_local_port_range.
TEST_P(Opening, ASocketMayNarrowTheRangeOfPorts) {
  peer.Set("net.ipv4.ip_local_port_range", "40000 40009");
  struct Case {
    std::uint16_t least, most, from, to;
  };
  const Case cases[] = {{40003, 40003, 40003, 40003},
                        {40008, 0, 40008, 40009},
                        {0, 40001, 40000, 40001},
                        {30000, 40000, 40000, 40000},
                        {40009, 50000, 40009, 40009}};
  for (const Case& c : cases) {
    for (const bool bind : {false, true}) {
      const SocketId id = New(false);
      SocketOptions options;
      options.port_min = c.least;
      options.port_max = c.most;
      ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
      if (bind) {
        ASSERT_EQ(BindError(id, {peer.ours(), 0}), Error{});
      } else {
        const Endpoint to{peer.theirs(), 4000};
        ASSERT_EQ(peer.stack->Connect(peer.now, id, to).error(), Error::kInProgress);
      }
      const std::uint16_t port = peer.stack->GetInfo(peer.now, id)->tuple.local.port;
      EXPECT_GE(port, c.from);
      EXPECT_LE(port, c.to);
      ASSERT_TRUE(peer.stack->Close(peer.now, id));
      peer.Take();
    }
  }
}

// As on Linux: each family's packets have its own TOS and TTL, whatever the socket's family.
TEST_P(Opening, TosAndTtlAreOfThePacketsFamily) {
  const SocketId id = *peer.stack->Open(true);
  SocketOptions options;
  options.tos = 0x10;
  options.ttl = 33;
  options.traffic_class = 0x20;
  options.hop_limit = 44;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  const auto expect_own = [&] {
    const auto sent = peer.Take();
    ASSERT_EQ(sent.size(), 1u);
    const auto ip = *wire::DecodeIp(sent[0].packet);
    EXPECT_EQ(ip.tos, peer.v6 ? 0x20 : 0x10);
    EXPECT_EQ(ip.ttl, peer.v6 ? 44 : 33);
    peer.iss = sent[0].segment.seq;
  };
  EXPECT_EQ(peer.stack->Connect(peer.now, id, {peer.theirs(), peer.port}).error(),
            Error::kInProgress);
  expect_own();
  ASSERT_TRUE(peer.stack->Close(peer.now, id));
  const SocketId listener = *peer.stack->Open(true);
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, listener, options));
  ASSERT_TRUE(peer.stack->Bind(listener, {IpAddress::AnyV6(), 80}));
  ASSERT_TRUE(peer.stack->Listen(peer.now, listener, 5));
  peer.Segment(kSyn, peer.irs, 0);
  expect_own();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  const std::uint32_t iss = peer.iss;
  const auto child = peer.stack->Accept(peer.now, listener);
  ASSERT_TRUE(child);
  ASSERT_TRUE(peer.stack->Close(peer.now, *child));
  expect_own();
  peer.Segment(kFin | kAck, peer.irs + 1, iss + 2);  // the ACK of TIME_WAIT
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(wire::DecodeIp(sent[0].packet)->tos, peer.v6 ? 0x20 : 0x10);
}

TEST_P(Opening, ListenersSynCountLimitsSynAcks) {
  const SocketId listener = New(false);
  SocketOptions options;
  options.syn_count = 2;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, listener, options));
  ASSERT_TRUE(peer.stack->Bind(listener, {Any(), 80}));
  ASSERT_TRUE(peer.stack->Listen(peer.now, listener, 5));
  peer.HalfOpen();
  const Time start = peer.now;
  peer.Pass(seconds(60));
  EXPECT_EQ(peer.Take().size(), 2u);
  EXPECT_EQ(peer.rules.fired.back().at, start + seconds(7));
}

// --- Bind, as Linux has it -----------------------------------------------------------------------

TEST_P(Opening, BindConflicts) {
  struct Case {
    bool first_reuse, second_reuse, listening;
    bool first_any, second_any;
    bool allowed;
  };
  const Case cases[] = {
      {false, false, false, true, true, false},  {true, true, false, true, true, true},
      {true, false, false, true, true, false},   {false, true, false, true, true, false},
      {true, true, true, true, true, false},  // a listener shares with nobody
      {false, false, false, true, false, false}, {false, false, false, false, true, false},
      {true, true, false, false, true, true},    {true, true, true, false, true, false},
  };
  for (const Case& c : cases) {
    RawPeer p(peer.v6);
    const auto make = [&](bool reuse) {
      const SocketId id = *p.stack->Open(p.v6);
      SocketOptions o;
      o.reuse_address = reuse;
      EXPECT_TRUE(p.stack->SetOptions(p.now, id, o));
      return id;
    };
    const SocketId one = make(c.first_reuse);
    const SocketId two = make(c.second_reuse);
    ASSERT_TRUE(p.stack->Bind(one, {c.first_any ? Any() : p.ours(), 80}));
    if (c.listening) {
      ASSERT_TRUE(p.stack->Listen(p.now, one, 1));
    }
    const auto bound = p.stack->Bind(two, {c.second_any ? Any() : p.ours(), 80});
    EXPECT_EQ(bound.has_value(), c.allowed) << &c - cases;
    if (!bound) {
      EXPECT_EQ(bound.error(), Error::kAddressInUse);
    }
    // After the first has gone there is nothing in the way.
    if (bound) continue;
    ASSERT_TRUE(p.stack->Close(p.now, one));
    EXPECT_TRUE(p.stack->Bind(two, {c.second_any ? Any() : p.ours(), 80})) << &c - cases;
  }
}

TEST_P(Opening, TwoBoundOneListens) {
  const SocketId one = New(true);
  const SocketId two = New(true);
  ASSERT_TRUE(peer.stack->Bind(one, {Any(), 80}));
  ASSERT_TRUE(peer.stack->Bind(two, {Any(), 80}));
  ASSERT_TRUE(peer.stack->Listen(peer.now, one, 1));
  EXPECT_EQ(peer.stack->Listen(peer.now, two, 1).error(), Error::kAddressInUse);
}

// A listen() that fails leaves a socket that is bound, and no more.
TEST_P(Opening, AListenThatFailsDoesNotHoldThePortAsAListener) {
  const Endpoint at{Any(), 8082};
  SocketOptions options;
  options.reuse_address = true;
  options.reuse_port = true;
  const auto bound = [&] {
    const SocketId id = *peer.stack->Open(peer.v6);
    EXPECT_TRUE(peer.stack->SetOptions(peer.now, id, options));
    EXPECT_TRUE(peer.stack->Bind(id, at));
    return id;
  };
  std::vector<SocketId> listeners(8);
  for (SocketId& id : listeners) {
    id = bound();
    ASSERT_TRUE(peer.stack->Listen(peer.now, id, 1));
  }
  const SocketId one_too_many = bound();
  char limit[kSettingTextSize] = {};
  const auto kept = std::string(*peer.stack->GetSetting("estab.mem_limit", limit));
  peer.Set("estab.mem_limit", "1");
  EXPECT_EQ(peer.stack->Listen(peer.now, one_too_many, 1).error(), Error::kNoMemory);
  peer.Set("estab.mem_limit", kept.c_str());
  for (const SocketId& id : listeners) ASSERT_TRUE(peer.stack->Close(peer.now, id));
  options.reuse_port = false;
  EXPECT_TRUE(peer.stack->Listen(peer.now, bound(), 1));
  ASSERT_TRUE(peer.stack->Close(peer.now, one_too_many));
}

// SO_REUSEPORT: as many as there is memory for, and each has its share of the SYNs.
TEST_P(Opening, AGroupOfListenersGrows) {
  SocketOptions options;
  options.reuse_port = true;
  std::vector<SocketId> listeners(600);
  for (SocketId& id : listeners) {
    id = *peer.stack->Open(peer.v6);
    ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
    ASSERT_TRUE(peer.stack->Bind(id, {Any(), 80}));
    ASSERT_TRUE(peer.stack->Listen(peer.now, id, 50));
  }
  // Half of them go; those that stay share what comes.
  for (std::size_t i = 0; i < 300; ++i) ASSERT_TRUE(peer.stack->Close(peer.now, listeners[2 * i]));
  constexpr std::uint16_t kConnections = 1500;
  for (std::uint16_t i = 0; i < kConnections; ++i) {
    Handshake(static_cast<std::uint16_t>(2000 + i));
  }
  std::size_t served = 0;
  std::size_t accepted = 0;
  for (std::size_t i = 0; i < 300; ++i) {
    const std::size_t before = accepted;
    while (peer.stack->Accept(peer.now, listeners[2 * i + 1])) ++accepted;
    served += accepted != before ? 1 : 0;
  }
  EXPECT_EQ(accepted, kConnections);
  EXPECT_GT(served, 270u);  // of 300 with five each on average: all but a few
  for (std::size_t i = 0; i < 300; ++i) {
    ASSERT_TRUE(peer.stack->Close(peer.now, listeners[2 * i + 1]));
  }
  peer.stack->CheckInvariants();
}

TEST_P(Opening, BindErrors) {
  const SocketId id = New(false);
  EXPECT_EQ(BindError(id, {peer.theirs(), 80}), Error::kAddressNotAvailable);
  if (!peer.v6) {
    EXPECT_EQ(BindError(id, {*IpAddress::Parse("2001:db8::1"), 80}), Error::kFamilyNotSupported);
  }
  ASSERT_TRUE(peer.stack->Bind(id, {peer.ours(), 80}));
  EXPECT_EQ(BindError(id, {peer.ours(), 81}), Error::kInvalid);
}

TEST_P(Opening, BindToPortZeroChoosesEveryPortOnce) {
  peer.Set("net.ipv4.ip_local_port_range", "50000 50019");
  std::set<std::uint16_t> ports;
  for (int i = 0; i < 20; ++i) {
    const SocketId id = New(false);
    ASSERT_TRUE(peer.stack->Bind(id, {Any(), 0}));
    ports.insert(peer.stack->GetTuple(id)->local.port);
  }
  EXPECT_EQ(ports.size(), 20u);
  EXPECT_EQ(*ports.begin(), 50000);
  EXPECT_EQ(BindError(New(false), {Any(), 0}), Error::kAddressInUse);
}

TEST_P(Opening, EphemeralPortsRunOutPerDestination) {
  peer.Set("net.ipv4.ip_local_port_range", "40000 40009");
  std::set<std::uint16_t> ports;
  for (int i = 0; i < 10; ++i) {
    const SocketId id = New(false);
    ASSERT_EQ(peer.stack->Connect(peer.now, id, {peer.theirs(), 7}).error(), Error::kInProgress);
    ports.insert(peer.stack->GetTuple(id)->local.port);
  }
  EXPECT_EQ(ports.size(), 10u);
  const SocketId id = New(false);
  EXPECT_EQ(peer.stack->Connect(peer.now, id, {peer.theirs(), 7}).error(),
            Error::kAddressNotAvailable);
  EXPECT_EQ(peer.stack->Connect(peer.now, id, {peer.theirs(), 8}).error(), Error::kInProgress);
}

TEST_P(Opening, ConnectErrors) {
  const SocketId id = New(false);
  const IpAddress far = *IpAddress::Parse(peer.v6 ? "2001:db8:ffff::1" : "198.51.100.1");
  EXPECT_EQ(peer.stack->Connect(peer.now, id, {far, 7}).error(), Error::kNetworkUnreachable);
  EXPECT_EQ(peer.stack->Connect(peer.now, id, {peer.theirs(), 7}).error(), Error::kInProgress);
  EXPECT_EQ(peer.stack->Connect(peer.now, id, {peer.theirs(), 7}).error(), Error::kAlready);
  peer.Take();
  const SocketId open = peer.Established();
  EXPECT_EQ(peer.stack->Connect(peer.now, open, {peer.theirs(), 7}).error(), Error::kIsConnected);
}

// --- TIME_WAIT in the way
// ----------------------------------------------------------------------------

TEST_P(Opening, TimeWaitHoldsItsPortAgainstBind) {
  for (bool old_reuse : {false, true}) {
    for (bool new_reuse : {false, true}) {
      RawPeer p(peer.v6);
      const SocketId old = *p.stack->Open(p.v6);
      SocketOptions o;
      o.reuse_address = old_reuse;
      ASSERT_TRUE(p.stack->SetOptions(p.now, old, o));
      ASSERT_TRUE(p.stack->Bind(old, {p.ours(), 9000}));
      EXPECT_EQ(p.stack->Connect(p.now, old, {p.theirs(), p.port}).error(), Error::kInProgress);
      p.our_port = 9000;
      p.iss = p.Take()[0].segment.seq;
      p.Segment(kSyn | kAck, p.irs, p.iss + 1);
      ASSERT_TRUE(p.stack->Close(p.now, old));
      p.Take();
      p.Segment(kFin | kAck, p.irs + 1, p.iss + 2);
      ASSERT_EQ(p.stack->Counters().time_wait, 1u);
      const SocketId fresh = *p.stack->Open(p.v6);
      o.reuse_address = new_reuse;
      ASSERT_TRUE(p.stack->SetOptions(p.now, fresh, o));
      EXPECT_EQ(p.stack->Bind(fresh, {Any(), 9000}).has_value(), old_reuse && new_reuse);
      p.Pass(seconds(61));
      if (!(old_reuse && new_reuse)) {
        EXPECT_TRUE(p.stack->Bind(fresh, {Any(), 9000}));
      }
    }
  }
}

TEST_P(Opening, FourTupleInTimeWaitIsTaken) {
  peer.Set("net.ipv4.ip_local_port_range", "40000 40000");
  TimeWaitOf(peer.Established());
  const SocketId id = New(false);
  EXPECT_EQ(peer.stack->Connect(peer.now, id, {peer.theirs(), peer.port}).error(),
            Error::kAddressNotAvailable);
  EXPECT_EQ(peer.stack->Connect(peer.now, id, {peer.theirs(), 9}).error(), Error::kInProgress);
}

TEST_P(Opening, TwReuseTakesOverAfterItsDelay) {
  peer.Set("net.ipv4.ip_local_port_range", "40000 40000");
  peer.Set("net.ipv4.tcp_tw_reuse", "1");
  TimeWaitOf(peer.Established());
  const std::uint32_t old = peer.iss;
  peer.Pass(milliseconds(900));
  const SocketId id = New(false);
  EXPECT_EQ(peer.stack->Connect(peer.now, id, {peer.theirs(), peer.port}).error(),
            Error::kAddressNotAvailable);
  peer.Pass(milliseconds(100));
  EXPECT_EQ(peer.stack->Connect(peer.now, id, {peer.theirs(), peer.port}).error(),
            Error::kInProgress);
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_GT(static_cast<std::int32_t>(sent[0].segment.seq - old), 65535);
  EXPECT_EQ(peer.stack->Counters().time_wait, 0u);
}

// As Linux counts: from the entry. What restarts 2MSL does not put the taking over off.
TEST_P(Opening, TwReuseDelayCountsFromTheEntry) {
  peer.Set("net.ipv4.ip_local_port_range", "40000 40000");
  peer.Set("net.ipv4.tcp_tw_reuse", "1");
  TimeWaitOf(peer.Established());
  peer.Pass(milliseconds(900));
  peer.Segment(kFin | kAck, peer.irs + 1, peer.iss + 2);
  EXPECT_EQ(LastRule(), "time-wait-repeated-fin");
  const auto ack = peer.Take();
  ASSERT_EQ(ack.size(), 1u);
  EXPECT_EQ(ack[0].segment.flags, kAck);
  peer.Pass(milliseconds(99));
  const SocketId id = New(false);
  const Endpoint again{peer.theirs(), peer.port};
  EXPECT_EQ(peer.stack->Connect(peer.now, id, again).error(), Error::kAddressNotAvailable);
  peer.Pass(milliseconds(1));
  EXPECT_EQ(peer.stack->Connect(peer.now, id, again).error(), Error::kInProgress);
}

TEST_P(Opening, ReopenFromTimeWait) {
  struct Case {
    bool timestamps;
    std::int32_t ts_age, seq_offset;
    bool opens;
  };
  // Relative to RCV.NXT of the record.
  const Case cases[] = {
      {false, 0, 1, true},     {false, 0, 0, false}, {false, 0, -1, false},
      {true, 0, -50, true},    {true, 0, 50, true},  // later clock: whatever the number
      {true, 5000, 50, false},                       // an older timestamp never
  };
  for (const Case& c : cases) {
    RawPeer p(peer.v6);
    p.timestamps = c.timestamps;
    const SocketId listener = p.Listen();
    p.HalfOpen();
    p.Segment(kAck, p.irs + 1, p.iss + 1);
    const SocketId id = *p.stack->Accept(p.now, listener);
    ASSERT_TRUE(p.stack->Close(p.now, id));
    p.Take();
    p.Segment(kFin | kAck, p.irs + 1, p.iss + 2);
    ASSERT_EQ(p.stack->Counters().time_wait, 1u);
    p.Pass(seconds(2));
    p.Take();
    wire::Segment syn =
        p.Make(kSyn, p.irs + 2 + static_cast<std::uint32_t>(c.seq_offset), 0, {.ts_age = c.ts_age});
    p.Inject(Pack(p.theirs(), p.ours(), syn, {}));
    const auto sent = p.Take();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].segment.flags, c.opens ? kSyn | kAck : kAck) << &c - cases;
    EXPECT_EQ(p.stack->Counters().time_wait, c.opens ? 0u : 1u);
    if (c.opens) {
      EXPECT_GT(static_cast<std::int32_t>(sent[0].segment.seq - (p.iss + 2)), 65535);
    }
  }
}

TEST_P(Opening, Rfc1337) {
  peer.Set("net.ipv4.tcp_rfc1337", "1");
  TimeWaitOf(peer.Established());
  peer.Segment(kRst, peer.irs + 2, 0);
  EXPECT_EQ(peer.stack->Counters().time_wait, 1u);
  peer.Set("net.ipv4.tcp_rfc1337", "0");
  peer.Segment(kRst, peer.irs + 2, 0);
  EXPECT_EQ(peer.stack->Counters().time_wait, 0u);
}

TEST_P(Opening, TimeWaitRecordsHaveALimit) {
  peer.Set("net.ipv4.tcp_max_tw_buckets", "2");
  for (std::uint16_t i = 0; i < 4; ++i) {
    peer.port = static_cast<std::uint16_t>(4000 + i);
    TimeWaitOf(peer.Established());
  }
  EXPECT_EQ(peer.stack->Counters().time_wait, 2u);
  EXPECT_EQ(peer.stack->Counters().time_wait_overflows, 2u);
  EXPECT_EQ(peer.stack->Counters().sockets, 0u);
  EXPECT_EQ(LastRule(), "time-wait-refused");
}

TEST_P(Opening, OrphansHaveALimit) {
  peer.Set("net.ipv4.tcp_max_orphans", "1");
  const SocketId one = peer.Established();
  peer.port = 4001;
  const SocketId two = peer.Established();
  ASSERT_TRUE(peer.stack->Close(peer.now, one));
  EXPECT_TRUE(peer.Take()[0].segment.Has(kFin));
  ASSERT_TRUE(peer.stack->Close(peer.now, two));
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(sent[0].segment.Has(kRst));
  EXPECT_EQ(LastRule(), "too-many-orphans");
  EXPECT_EQ(peer.stack->Counters().orphans, 1u);
}

TEST_P(Opening, OldSynFirst) {
  peer.Listen();
  peer.irs = 90;
  peer.HalfOpen();
  EXPECT_EQ(peer.stack->Counters().half_open, 1u);
  // The new SYN, inside the window: a challenge that still acknowledges 91.
  peer.Segment(kSyn, 100, 0);
  auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.flags, kAck);
  EXPECT_EQ(sent[0].segment.ack, 91u);
  peer.Segment(kRst, 91, 0);
  EXPECT_EQ(peer.stack->Counters().half_open, 0u);
  peer.Segment(kSyn, 100, 0);
  sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.ack, 101u);
}

TEST_P(Opening, StrangeSourcesAndDestinations) {
  peer.Listen();
  const auto inject = [&](const IpAddress& from, const IpAddress& to) {
    peer.Inject(Pack(from, to, peer.Make(kSyn, 5, 0, {}), {}));
    return peer.Take().size();
  };
  EXPECT_EQ(inject(peer.ours(), peer.ours()), 0u);
  EXPECT_EQ(LastRule(), "bad-source");
  EXPECT_EQ(inject(*IpAddress::Parse(peer.v6 ? "ff02::1" : "224.0.0.1"), peer.ours()), 0u);
  EXPECT_EQ(inject(peer.theirs(), *IpAddress::Parse(peer.v6 ? "ff02::1" : "224.0.0.1")), 0u);
  if (!peer.v6) {
    EXPECT_EQ(inject(*IpAddress::Parse("192.0.2.255"), peer.ours()), 0u);
    EXPECT_EQ(inject(peer.theirs(), *IpAddress::Parse("192.0.2.255")), 0u);
    EXPECT_EQ(inject(*IpAddress::Parse("0.0.0.0"), peer.ours()), 0u);
  }
  EXPECT_EQ(peer.stack->Counters().half_open, 0u);
  EXPECT_EQ(inject(peer.theirs(), peer.ours()), 1u);
}

}  // namespace
}  // namespace estab::test
