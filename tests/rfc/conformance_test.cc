// Requirements of the RFCs that no other test shows: each by real segments. docs/conformance.md
// names them.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

#include "matrix/raw_peer.h"
#include "unit/stack_pair.h"

namespace estab::test {
namespace {

class Conformance : public ::testing::Test {
 protected:
  void Send(SocketId id, std::string_view text) {
    ASSERT_TRUE(p.stack->Send(p.now, id, Bytes(text)));
    p.Flush();
  }
  void Options(SocketId id, const SocketOptions& options) {
    ASSERT_TRUE(p.stack->SetOptions(p.now, id, options));
    p.Flush();
  }
  // A byte of the IP header of a packet that was sent.
  static unsigned Byte(const Sent& sent, std::size_t at) {
    return std::to_integer<unsigned>(sent.packet[at]);
  }

  RawPeer p;
};

// MUST-60, MUST-61, SHLD-27: what is queued ends in one PSH, and goes without being pushed.
TEST_F(Conformance, PushOnlyOnTheLastSegment) {
  const SocketId id = p.Established();
  Send(id, std::string(3 * 1448, 'x'));
  const auto sent = p.Take();
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_FALSE(sent[0].segment.Has(kPsh));
  EXPECT_FALSE(sent[1].segment.Has(kPsh));
  EXPECT_TRUE(sent[2].segment.Has(kPsh));
  p.Segment(kAck, p.irs + 1, p.iss + 1 + 3 * 1448);
  Send(id, "y");
  const auto last = p.Take();
  ASSERT_EQ(last.size(), 1u);
  EXPECT_TRUE(last[0].segment.Has(kPsh));
}

// MUST-1, REC-1: 65535 is not -1, and with a scale windows pass 2^31 / 2.
TEST_F(Conformance, WindowsAreUnsigned) {
  const SocketId id = p.Established();
  p.Segment(kAck, p.irs + 1, p.iss + 1, {.window = 65535});
  EXPECT_EQ(p.stack->GetInfo(p.now, id)->send_window, 65535u);
  RawPeer scaled;
  const SocketId other = scaled.Connect();
  wire::Segment syn_ack = scaled.Make(kSyn | kAck, scaled.irs, scaled.iss + 1, {});
  syn_ack.options.window_scale = 14;
  scaled.Inject(Pack(scaled.theirs(), scaled.ours(), syn_ack, {}));
  scaled.Segment(kAck, scaled.irs + 1, scaled.iss + 1, {.window = 65535});
  EXPECT_EQ(scaled.stack->GetInfo(scaled.now, other)->send_window, 65535u << 14);
}

// Fills the window of a connection, which must not move left, up to its edge; returns that.
std::uint32_t CloseWindow(RawPeer& p, SocketId id) {
  SocketOptions options;
  options.receive_buffer = 4096;
  EXPECT_TRUE(p.stack->SetOptions(p.now, id, options));
  std::uint32_t seq = p.irs + 1;
  const std::string data(1000, 'x');
  for (int i = 0; i < 1000 && p.edge != seq; ++i) {
    const std::size_t n = std::min<std::size_t>(p.edge - seq, data.size());
    p.Segment(kAck, seq, p.iss + 1, {.data = std::string_view(data).substr(0, n)});
    seq += static_cast<std::uint32_t>(n);
    p.Pass(milliseconds(300));
  }
  EXPECT_EQ(p.edge, seq) << "the window is not closed";
  p.Take();
  return seq;
}

// MUST-66, MUST-32: our window is closed, and still a reset is one, and urgent data is told of.
TEST_F(Conformance, ResetIsTakenWithAZeroWindow) {
  const SocketId id = p.Established();
  const std::uint32_t seq = CloseWindow(p, id);
  p.Segment(kRst, seq, 0);
  EXPECT_EQ(p.StateOf(id), State::kClosed);
}
TEST_F(Conformance, UrgentPointerIsTakenWithAZeroWindow) {
  const SocketId id = p.Established();
  const std::uint32_t seq = CloseWindow(p, id);
  std::array<std::byte, 1> byte;
  EXPECT_EQ(p.stack->ReadUrgent(p.now, id, byte).error(), Error::kInvalid);  // there is none
  wire::Segment segment = p.Make(kAck | kUrg, seq, p.iss + 1, {});
  segment.urgent = 5;
  p.Inject(Pack(p.theirs(), p.ours(), segment, {}));
  EXPECT_EQ(p.stack->ReadUrgent(p.now, id, byte).error(), Error::kWouldBlock);  // it is to come
}

// MUST-32: urgent data raises POLLPRI when its byte is there.
TEST_F(Conformance, AnUrgentByteIsToldOf) {
  const SocketId id = p.Established();
  wire::Segment segment = p.Make(kAck | kUrg, p.irs + 1, p.iss + 1, {});
  segment.urgent = 3;
  p.Inject(Pack(p.theirs(), p.ours(), segment, "ab!"));
  EXPECT_NE(*p.stack->GetReadiness(id) & kUrgent, 0);
  std::array<ReadyEvent, 4> ready;
  ASSERT_EQ(p.stack->DrainReady(ready), 1u);
  EXPECT_NE(ready[0].readiness & kUrgent, 0);
  std::array<std::byte, 1> byte;
  EXPECT_EQ(p.stack->ReadUrgent(p.now, id, byte), 1u);
  EXPECT_EQ(byte[0], std::byte{'!'});
}

// MAY-3, MUST-65.
TEST_F(Conformance, MssOnSynsOnlyAndAlways) {
  p.Listen();
  p.Segment(kSyn, p.irs, 0);
  auto sent = p.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(sent[0].segment.options.has_mss);
  p.port = 5000;
  const SocketId id = *p.stack->Open(false);
  EXPECT_EQ(p.stack->Connect(p.now, id, {p.theirs(), p.port}).error(), Error::kInProgress);
  sent = p.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(sent[0].segment.options.has_mss);
  p.our_port = sent[0].segment.source_port;
  p.iss = sent[0].segment.seq;
  p.Segment(kSyn | kAck, p.irs, p.iss + 1);
  Send(id, "data");
  ASSERT_TRUE(p.stack->Close(p.now, id));
  for (const Sent& s : p.Take()) EXPECT_FALSE(s.segment.options.has_mss);
}

// MUST-11: a passive opener's reset is nobody's business, an active opener's is its error.
TEST_F(Conformance, ResetInSynRcvdGoesBackToWhereItCameFrom) {
  const SocketId listener = p.Listen();
  p.HalfOpen();
  p.Segment(kRst, p.irs + 1, 0);
  EXPECT_EQ(p.StateOf(listener), State::kListen);
  EXPECT_FALSE(p.stack->TakeError(listener)->has_value());
  EXPECT_EQ(p.stack->Counters().half_open, 0u);

  RawPeer active;
  const SocketId id = active.Connect();
  active.Segment(kSyn, active.irs, 0);
  ASSERT_EQ(active.StateOf(id), State::kSynRcvd);
  active.Segment(kRst, active.irs + 1, 0);
  EXPECT_EQ(active.StateOf(id), State::kClosed);
  EXPECT_EQ(*active.stack->TakeError(id), std::optional(Error::kConnectionReset));
}

// MUST-41: a listener on the port of an open connection changes nothing for it.
TEST_F(Conformance, ListeningDisturbsNobody) {
  const SocketId first = p.Listen();
  SocketOptions reuse;
  reuse.reuse_address = true;
  Options(first, reuse);
  p.HalfOpen();
  p.Segment(kAck, p.irs + 1, p.iss + 1);
  const auto id = p.stack->Accept(p.now, first);
  ASSERT_TRUE(id);
  ASSERT_TRUE(p.stack->Close(p.now, first));
  p.Take();
  const SocketId again = *p.stack->Open(false);
  Options(again, reuse);
  ASSERT_TRUE(p.stack->Bind(again, {IpAddress::AnyV4(), p.our_port}));
  ASSERT_TRUE(p.stack->Listen(p.now, again, 8));
  p.Segment(kAck, p.irs + 1, p.iss + 1, {.data = "still here"});
  EXPECT_EQ(p.ReadAll(*id), "still here");
  EXPECT_FALSE(p.stack->Accept(p.now, again));
}

// MUST-43, MUST-44, MUST-45: the address that the user bound, or the one of the route's link.
TEST_F(Conformance, SourceAddressIsTheRoutes) {
  const LinkId other = *p.stack->AddLink({});
  const IpAddress there = IpAddress::V4(0xC6336401);  // 198.51.100.1
  ASSERT_TRUE(p.stack->AddAddress(other, {there, 24}));
  p.Connect();
  EXPECT_EQ(p.stack->GetInfo(p.now, Tuple{{p.ours(), p.our_port}, {p.theirs(), p.port}})->state,
            State::kSynSent);
  const SocketId second = *p.stack->Open(false);
  EXPECT_EQ(p.stack->Connect(p.now, second, {IpAddress::V4(0xC6336402), 80}).error(),
            Error::kInProgress);
  EXPECT_EQ(p.stack->GetTuple(second)->local.address, there);
  const SocketId bound = *p.stack->Open(false);
  ASSERT_TRUE(p.stack->Bind(bound, {there, 0}));
  EXPECT_EQ(p.stack->Connect(p.now, bound, {p.theirs(), 81}).error(), Error::kInProgress);
  EXPECT_EQ(p.stack->GetTuple(bound)->local.address, there);
}

// MUST-46.
TEST_F(Conformance, NoConnectionToMulticast) {
  ASSERT_TRUE(p.stack->AddRoute(0, {IpAddress::AnyV4(), 0}, nullptr));
  for (const std::uint32_t address : {0xE0000001u, 0xFFFFFFFFu, 0xC00002FFu}) {
    const SocketId id = *p.stack->Open(false);
    const auto done = p.stack->Connect(p.now, id, {IpAddress::V4(address), 80});
    ASSERT_FALSE(done);
    EXPECT_NE(done.error(), Error::kInProgress) << std::hex << address;
  }
  EXPECT_TRUE(p.Take().empty());
}

// SHLD-2: a reset is one with data, too; its data is nobody's.
TEST_F(Conformance, ResetMayCarryData) {
  const SocketId id = p.Established();
  p.Segment(kRst, p.irs + 1, 0, {.data = "why"});
  EXPECT_EQ(p.StateOf(id), State::kClosed);
  EXPECT_EQ(p.ReadAll(id), "");
  EXPECT_TRUE(p.Take().empty());
}

// MUST-18: without timestamps the ACK of a segment that was repeated says nothing of the round
// trip.
TEST_F(Conformance, KarnTakesNoSampleOfARepeat) {
  p.timestamps = false;
  const SocketId id = p.Connect();
  p.Pass(milliseconds(20));
  p.Segment(kSyn | kAck, p.irs, p.iss + 1);
  const Duration before = p.stack->GetInfo(p.now, id)->srtt;
  ASSERT_NE(before, Duration{});
  Send(id, "x");
  p.Pass(milliseconds(600));  // repeated at 200 ms, by the RTO
  ASSERT_GE(p.Take().size(), 2u);
  p.Segment(kAck, p.irs + 1, p.iss + 2);
  EXPECT_EQ(p.stack->GetInfo(p.now, id)->srtt, before);
  Send(id, "y");
  p.Pass(milliseconds(100));
  p.Segment(kAck, p.irs + 1, p.iss + 3);
  EXPECT_NE(p.stack->GetInfo(p.now, id)->srtt, before);
}

// MUST-58, MUST-59: everything that has come is processed before one ACK goes.
TEST_F(Conformance, ABatchIsAcknowledgedOnce) {
  p.Established();
  std::vector<std::vector<std::byte>> packets;
  std::vector<RxPacket> batch;
  const std::string data(1000, 'x');
  for (std::uint32_t i = 0; i < 8; ++i) {
    packets.push_back(Pack(p.theirs(), p.ours(),
                           p.Make(kAck, p.irs + 1 + i * 1000, p.iss + 1, {.data = data}), data));
  }
  for (const auto& packet : packets) batch.push_back({.data = packet});
  p.stack->Receive(p.now, batch);
  const auto sent = p.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.ack, p.irs + 1 + 8000);
}

// MUST-48, MUST-49, SHLD-21, SHLD-22.
TEST_F(Conformance, TtlAndDiffservAreTheUsers) {
  p.Set("net.ipv4.ip_default_ttl", "77");
  const SocketId id = *p.stack->Open(false);
  SocketOptions options;
  options.tos = 0x28;
  Options(id, options);
  EXPECT_FALSE(p.stack->Connect(p.now, id, {p.theirs(), p.port}));
  auto sent = p.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(Byte(sent[0], 1), 0x28u);
  EXPECT_EQ(Byte(sent[0], 8), 77u);
  p.our_port = sent[0].segment.source_port;
  p.iss = sent[0].segment.seq;
  options.tos = 0xb8;
  options.ttl = 5;
  Options(id, options);
  p.Segment(kSyn | kAck, p.irs, p.iss + 1);
  sent = p.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(Byte(sent[0], 1), 0xb8u);
  EXPECT_EQ(Byte(sent[0], 8), 5u);
}

// MUST-17.
TEST_F(Conformance, NoDelayLetsSmallSegmentsGo) {
  const SocketId id = p.Established();
  Send(id, "a");
  Send(id, "b");
  EXPECT_EQ(p.Take().size(), 1u);
  SocketOptions options;
  options.no_delay = true;
  Options(id, options);
  Send(id, "c");
  std::string all;
  for (const Sent& s : p.Take()) all += s.payload;
  EXPECT_EQ(all, "bc");
}

// SHLD-9, as far as it goes: between the first repeat and the end the user can see the repeats.
TEST_F(Conformance, RepeatsCanBeSeenBeforeTheEnd) {
  const SocketId id = p.Established();
  Send(id, "x");
  p.Pass(seconds(10));
  const auto info = p.stack->GetInfo(p.now, id);
  EXPECT_GE(info->retransmits, 4u);
  EXPECT_EQ(info->timer, TimerKind::kRetransmit);
  EXPECT_EQ(info->repeats_left, std::optional(15 - info->retransmits));
}

// MUST-23, under the profile that keeps to the letter.
TEST_F(Conformance, RfcProfileTriesSynsForThreeMinutes) {
  p.Set("estab.profile", "rfc");
  const SocketId id = p.Connect();
  p.Pass(seconds(179));
  EXPECT_EQ(p.StateOf(id), State::kSynSent);
  p.Pass(seconds(200));
  EXPECT_EQ(p.StateOf(id), State::kClosed);
  EXPECT_EQ(*p.stack->TakeError(id), std::optional(Error::kTimedOut));
}

// MUST-25.
TEST_F(Conformance, KeepaliveIsOffUnlessAskedFor) {
  const SocketId id = p.Established();
  p.Pass(std::chrono::hours(24 * 7));
  EXPECT_TRUE(p.Take().empty());
  EXPECT_EQ(p.StateOf(id), State::kEstablished);
  EXPECT_EQ(p.stack->NextDeadline(), kNever);
}

// RFC 6191 §3, RFC 7323 §5.4: the clock of a four-tuple does not begin anew with each connection.
TEST_F(Conformance, TimestampsOfATupleGrowAcrossConnections) {
  const auto stamp = [&] {
    p.Segment(kSyn, p.irs, 0);
    const auto sent = p.Take();
    EXPECT_EQ(sent.size(), 1u);
    return sent.empty() ? 0 : sent[0].segment.options.ts_value;
  };
  p.Listen();
  const std::uint32_t first = stamp();
  p.Segment(kRst, p.irs + 1, 0);
  p.Take();
  p.Pass(seconds(3));
  p.irs += 1'000'000;
  const std::uint32_t second = stamp();
  EXPECT_EQ(second - first, 3000u);
}

// RFC 6056 §3.1: the next port cannot be told from the last one, for another destination.
TEST_F(Conformance, EphemeralPortsDoNotCount) {
  std::set<int> steps;
  int last = 0;
  for (std::uint16_t i = 0; i < 16; ++i) {
    p.port = static_cast<std::uint16_t>(2000 + i);
    p.Connect();
    steps.insert(p.our_port - last);
    last = p.our_port;
    EXPECT_GE(p.our_port, 32768);
    EXPECT_LE(p.our_port, 60999);
  }
  EXPECT_GT(steps.size(), 10u);
}

// RFC 7323 §2.2: the window of a SYN is what it says, whatever the scale.
TEST_F(Conformance, SynWindowsAreNotScaled) {
  const SocketId id = p.Connect();
  wire::Segment syn_ack = p.Make(kSyn | kAck, p.irs, p.iss + 1, {.window = 1000});
  syn_ack.options.window_scale = 7;
  p.Inject(Pack(p.theirs(), p.ours(), syn_ack, {}));
  EXPECT_EQ(p.stack->GetInfo(p.now, id)->send_window, 1000u);
  p.Segment(kAck, p.irs + 1, p.iss + 1, {.window = 1000});
  EXPECT_EQ(p.stack->GetInfo(p.now, id)->send_window, 128'000u);
}

// RFC 7323 §4.3: TS.Recent is that of the segment which moved the left edge.
TEST_F(Conformance, TimestampOfDataAheadIsNotEchoed) {
  p.Established();
  p.Pass(seconds(1));
  const std::uint32_t early = p.Clock();
  p.Segment(kAck, p.irs + 1, p.iss + 1, {.data = "a"});
  p.Pass(seconds(1));
  p.Take();
  p.Segment(kAck, p.irs + 3, p.iss + 1, {.data = "c"});  // "b" is missing
  auto sent = p.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.options.ts_echo, early);
  const std::uint32_t late = p.Clock();
  p.Segment(kAck, p.irs + 2, p.iss + 1, {.data = "b"});
  sent = p.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.options.ts_echo, late);
}

// Leads a connection under a profile into one of the synchronized states.
SocketId Reach(RawPeer& p, State state, const char* profile = "rfc") {
  p.Set("estab.profile", profile);
  const SocketId id = p.Established();
  const auto shutdown = [&] {
    EXPECT_TRUE(p.stack->Shutdown(p.now, id, How::kWrite));
    p.Take();
  };
  const bool passive = state == State::kCloseWait || state == State::kLastAck;
  if (passive) p.Segment(kFin | kAck, p.irs + 1, p.iss + 1);
  if (state != State::kEstablished && state != State::kCloseWait) shutdown();
  if (state == State::kFinWait2) p.Segment(kAck, p.irs + 1, p.iss + 2);
  if (state == State::kClosing) p.Segment(kFin | kAck, p.irs + 1, p.iss + 1);
  EXPECT_EQ(p.StateOf(id), state);
  p.Take();
  p.TakeRules();
  return id;
}

// RFC 7323 §3.2, to the letter: without the agreed timestamp a segment is dropped, a reset is not.
TEST(ConformanceToTheLetter, SegmentsWithoutTheAgreedTimestampAreDropped) {
  for (const State state : {State::kEstablished, State::kFinWait1, State::kFinWait2,
                            State::kCloseWait, State::kClosing, State::kLastAck}) {
    SCOPED_TRACE(StateName(state));
    RawPeer p;
    const SocketId id = Reach(p, state);
    const bool fin =
        state == State::kCloseWait || state == State::kClosing || state == State::kLastAck;
    const std::uint32_t next = p.irs + (fin ? 2 : 1);
    p.Segment(kAck, next, p.iss + 1, {.timestamp = false});
    const auto rules = p.TakeRules();
    ASSERT_EQ(rules.size(), 1u);
    EXPECT_EQ(rules[0].name(), "no-timestamp");
    EXPECT_EQ(p.StateOf(id), state);
    EXPECT_TRUE(p.Take().empty());
    p.Segment(kRst, next, 0, {.timestamp = false});
    EXPECT_EQ(p.StateOf(id), State::kClosed);
  }
}

// Over tcp_max_orphans, close() resets whatever state the connection is in by then.
TEST(ConformanceToTheLetter, OrphansOverTheLimitAreResetInEveryState) {
  for (const State state : {State::kEstablished, State::kFinWait1, State::kFinWait2,
                            State::kCloseWait, State::kClosing, State::kLastAck}) {
    SCOPED_TRACE(StateName(state));
    RawPeer p;
    const SocketId id = Reach(p, state, "default");
    p.Set("net.ipv4.tcp_max_orphans", "0");
    ASSERT_TRUE(p.stack->Close(p.now, id));
    const auto sent = p.Take();
    ASSERT_FALSE(sent.empty());
    EXPECT_TRUE(sent.back().segment.Has(kRst));
    EXPECT_EQ(p.TakeRules().back().name(), "too-many-orphans");
    EXPECT_EQ(p.stack->Counters().orphans, 0u);
  }
}

}  // namespace
}  // namespace estab::test
