// What a hostile or merely strange peer does to the stack: each test is a bug that was once there.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "matrix/raw_peer.h"

namespace estab::test {
namespace {

constexpr std::uint64_t kSensible = 1 << 20;  // for a window of 128 KiB

char ByteAt(std::uint32_t offset) { return static_cast<char>('a' + offset % 23); }

// One byte of the peer's stream.
void OneByte(RawPeer& peer, std::uint32_t offset) {
  const char byte = ByteAt(offset);
  peer.Segment(kAck, peer.irs + 1 + offset, peer.iss + 1, {.data = {&byte, 1}});
}

void ExpectStream(const std::string& got, std::uint32_t size) {
  ASSERT_EQ(got.size(), size);
  for (std::uint32_t i = 0; i < size; ++i) ASSERT_EQ(got[i], ByteAt(i)) << i;
}

SocketId AcceptedOne(RawPeer& peer, SocketId listener) {
  peer.HalfOpen();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  return *peer.stack->Accept(peer.now, listener);
}

// Ends a connection in such a way that its TIME_WAIT stays with us.
void EndInTimeWait(RawPeer& peer, SocketId id) {
  const std::uint32_t before = peer.stack->Counters().time_wait;
  ASSERT_TRUE(peer.stack->Close(peer.now, id));
  peer.Flush();
  peer.Segment(kFin | kAck, peer.irs + 1, peer.iss + 2);
  peer.Take();
  peer.TakeRules();
  ASSERT_EQ(peer.stack->Counters().time_wait, before + 1);
}

// A duplicate of an old SYN: an older timestamp, but a number beyond the last connection's.
void ExpectOldSynIsRefused(RawPeer& peer) {
  auto syn = peer.Make(kSyn, peer.irs + 50'000, 0, {});
  syn.options.ts_value = peer.Clock() - 4000;
  peer.Inject(Pack(peer.theirs(), peer.ours(), syn, ""));
  const auto fired = peer.TakeRules();
  ASSERT_FALSE(fired.empty());
  EXPECT_EQ(fired[0].name(), "time-wait-old-syn");
  EXPECT_EQ(peer.stack->Counters().time_wait, 1u);
  EXPECT_EQ(peer.stack->Counters().half_open, 0u);
}

// Answers whatever is sent in the next `d` with a closed window; returns how many packets came.
int AnswerClosed(RawPeer& peer, Duration d) {
  int answered = 0;
  const Time end = peer.now + d;
  while (peer.stack->NextDeadline() <= end) {
    peer.Until(peer.stack->NextDeadline());
    if (peer.Take().empty()) continue;
    peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.window = 0});
    ++answered;
  }
  peer.Until(end);
  return answered;
}

// A socket with SO_REUSEADDR, bound to `port`; 0: any.
Result<SocketId> BoundWithReuse(RawPeer& peer, std::uint16_t port) {
  const SocketId id = *peer.stack->Open(peer.v6);
  SocketOptions options;
  options.reuse_address = true;
  EXPECT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  if (auto bound = peer.stack->Bind(id, {peer.ours(), port}); !bound) {
    EXPECT_TRUE(peer.stack->Close(peer.now, id));
    return std::unexpected(bound.error());
  }
  return id;
}

// What connect says. An attempt that has not begun is closed.
Error ConnectTo(RawPeer& peer, SocketId id) {
  const Error error = peer.stack->Connect(peer.now, id, {peer.theirs(), peer.port}).error();
  EXPECT_TRUE(error == Error::kInProgress || peer.stack->Close(peer.now, id));
  return error;
}

// The peer's answer to that.
void AnswerSegment(RawPeer& peer) {
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  peer.iss = sent[0].segment.seq;
  peer.our_port = sent[0].segment.source_port;
  peer.Segment(kSyn | kAck, peer.irs, peer.iss + 1);
}

class Hostile : public testing::TestWithParam<bool> {
 protected:
  RawPeer peer{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Families, Hostile, testing::Bool(),
                         [](const auto& p) { return p.param ? "Ipv6" : "Ipv4"; });

// --- Memory --------------------------------------------------------------------------------------

// Bug: each byte that came before its predecessor held a chunk of 4 KiB: 512 MiB for one window.
TEST_P(Hostile, BytesInDescendingOrderHoldLittleMemory) {
  peer.timestamps = false;
  const SocketId id = peer.Established();
  const std::uint64_t before = peer.stack->Counters().memory_in_use;
  const std::uint32_t window = peer.edge - (peer.irs + 1);
  ASSERT_GE(window, 131'072u);
  std::uint64_t most = 0;
  for (std::uint32_t k = window - 1; k > 0; --k) {
    OneByte(peer, k);
    if (k % 512 != 0) continue;
    peer.Take();
    peer.TakeRules();
    most = std::max(most, peer.stack->Counters().memory_in_use - before);
  }
  EXPECT_LT(most, kSensible);
  EXPECT_EQ(peer.ReadAll(id), "");
  OneByte(peer, 0);
  ExpectStream(peer.ReadAll(id), window);
  EXPECT_EQ(peer.stack->Counters().payload_chunks, 0u);
}

// Bug: the same in the receive queue, where two bytes in the wrong order held a chunk each.
TEST_P(Hostile, BytesInSwappedPairsHoldLittleMemory) {
  peer.timestamps = false;
  const SocketId id = peer.Established();
  const std::uint64_t before = peer.stack->Counters().memory_in_use;
  for (std::uint32_t k = 0; k < 30'000; k += 2) {
    OneByte(peer, k + 1);
    OneByte(peer, k);
    if (k % 512 == 0) peer.Take();
  }
  EXPECT_LT(peer.stack->Counters().memory_in_use - before, kSensible);
  ExpectStream(peer.ReadAll(id), 30'000);
}

// Bug: after a time-out, more lent chunks than one packet has pieces for: the stack aborted.
TEST_P(Hostile, ManySmallSendsRepeatedOverALinkThatHolds) {
  const SocketId id = peer.Established();
  SocketOptions options = *peer.stack->GetOptions(id);
  options.no_delay = true;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  std::uint32_t next = peer.iss + 1;
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes(std::string(40'000, 'w'))));
  for (auto sent = peer.Take(); !sent.empty(); sent = peer.Take()) {  // opens the send window
    next = sent.back().segment.seq + static_cast<std::uint32_t>(sent.back().payload.size());
    peer.Segment(kAck, peer.irs + 1, next);
  }
  peer.sink.holds = true;
  std::string text;
  for (std::uint32_t i = 0; i < 30; ++i) {
    text += ByteAt(i);
    ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes(text.substr(i))));
    peer.Flush();
  }
  ASSERT_EQ(peer.Take().size(), 30u);  // all lost
  std::string got;
  for (int i = 0; i < 100 && got.size() < text.size(); ++i) {
    peer.Until(peer.stack->NextDeadline());
    for (const Sent& s : peer.Take()) {
      if (s.segment.seq == next + static_cast<std::uint32_t>(got.size())) got += s.payload;
    }
    peer.Segment(kAck, peer.irs + 1, next + static_cast<std::uint32_t>(got.size()));
  }
  EXPECT_EQ(got, text);
  peer.stack->TransmitComplete(peer.sink.tokens);
  EXPECT_EQ(peer.stack->Counters().payload_chunks, 0u);
}

// --- The end of connections ----------------------------------------------------------------------

// Bug: a FIN held beyond a gap and an earlier one that acknowledged ours left an orphan in
// FIN_WAIT_1 for ever, without a timer.
TEST_P(Hostile, TwoFinsPinNoOrphan) {
  peer.Set("net.ipv4.tcp_max_orphans", "50");
  const SocketId listener = peer.Listen(64);
  for (std::uint16_t i = 0; i < 20; ++i) {
    peer.port = static_cast<std::uint16_t>(5000 + i);
    ASSERT_TRUE(peer.stack->Close(peer.now, AcceptedOne(peer, listener)));
    peer.Take();
    peer.Segment(kFin | kAck, peer.irs + 11, peer.iss + 1);
    peer.Segment(kFin | kAck, peer.irs + 1, peer.iss + 2);
    peer.Take();
  }
  peer.Pass(seconds(61));  // tcp_fin_timeout
  EXPECT_EQ(peer.stack->Counters().orphans, 0u);
  EXPECT_EQ(peer.stack->Counters().sockets, 1u);  // the listener
}

// Bug: the wheel rounds the record's end up, so that it seemed to have begun in the future, 49 days
// ago: PAWS was off, and a duplicate of an old SYN opened the connection again.
TEST_P(Hostile, OldSynNeverReopensTimeWait) {
  for (double ms : {0.0, 0.001, 0.5, 0.999}) {
    SCOPED_TRACE(ms);
    RawPeer p(peer.v6);
    p.now = At(ms);
    EndInTimeWait(p, AcceptedOne(p, p.Listen()));
    ExpectOldSynIsRefused(p);
  }
}

// Bug: an MSL that was lowered meanwhile put the beginning of TIME_WAIT into the future as well.
TEST_P(Hostile, LowerMslLeavesPawsOn) {
  EndInTimeWait(peer, AcceptedOne(peer, peer.Listen()));
  peer.Pass(seconds(1));
  peer.Set("estab.tcp_msl", "1s");
  ExpectOldSynIsRefused(peer);
}

// Bug: for the same reason tcp_tw_reuse_delay was over at once.
TEST_P(Hostile, TimeWaitIsNotReusedBeforeItsDelay) {
  for (double ms : {0.0, 0.25, 0.999}) {
    SCOPED_TRACE(ms);
    RawPeer p(peer.v6);
    p.Set("net.ipv4.tcp_tw_reuse", "1");
    p.now = At(ms);
    const SocketId first = *BoundWithReuse(p, 5000);
    ASSERT_EQ(ConnectTo(p, first), Error::kInProgress);
    AnswerSegment(p);
    EndInTimeWait(p, first);
    EXPECT_EQ(ConnectTo(p, *BoundWithReuse(p, 5000)), Error::kAddressNotAvailable);
    p.Pass(milliseconds(998));
    EXPECT_EQ(ConnectTo(p, *BoundWithReuse(p, 5000)), Error::kAddressNotAvailable);
    p.Pass(milliseconds(3));
    EXPECT_EQ(ConnectTo(p, *BoundWithReuse(p, 5000)), Error::kInProgress);
  }
}

// --- Closed windows ------------------------------------------------------------------------------

// Bug: a window that closed over data in flight was not a closed window but a dead peer: the
// connection timed out although every repeat was answered (RFC 9293 §3.8.6.1, MUST-37).
TEST_P(Hostile, WindowShrunkOverDataInFlightIsWaitedFor) {
  const SocketId id = peer.Established();
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes("hello")));
  ASSERT_EQ(peer.Take().size(), 1u);
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.window = 0});
  EXPECT_GT(AnswerClosed(peer, seconds(5000)), 30);
  ASSERT_EQ(peer.StateOf(id), State::kEstablished);
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes(", world")));
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  peer.Pass(seconds(121));
  std::string got;
  for (const Sent& s : peer.Take()) {
    if (s.segment.seq == peer.iss + 1 + static_cast<std::uint32_t>(got.size())) got += s.payload;
  }
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1 + static_cast<std::uint32_t>(got.size()));
  for (const Sent& s : peer.Take()) got += s.payload;
  EXPECT_EQ(got, "hello, world");
}

// A peer that falls silent behind the window that it shrank is given up all the same.
TEST_P(Hostile, WindowShrunkAndThenSilence) {
  const SocketId id = peer.Established();
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes("hello")));
  peer.Take();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.window = 0});
  AnswerClosed(peer, seconds(100));
  peer.Pass(seconds(3000));
  EXPECT_EQ(*peer.stack->TakeError(id), std::optional(Error::kTimedOut));
}

// Bug: TCP_USER_TIMEOUT ran from the first probe, answered or not (RFC 5482 §3).
TEST_P(Hostile, AnsweredProbesHoldOffTheUserTimeout) {
  const SocketId id = peer.Established();
  SocketOptions options;
  options.user_timeout_ms = 5000;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.window = 0});
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes("hello")));
  EXPECT_GT(AnswerClosed(peer, seconds(2000)), 15);
  EXPECT_EQ(peer.StateOf(id), State::kEstablished);
  EXPECT_EQ(*peer.stack->TakeError(id), std::optional<Error>());
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].payload, "hello");
}

// And unanswered ones do not.
TEST_P(Hostile, UnansweredProbesMeetTheUserTimeout) {
  const SocketId id = peer.Established();
  SocketOptions options;
  options.user_timeout_ms = 5000;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.window = 0});
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes("hello")));
  peer.Pass(milliseconds(4900));
  EXPECT_EQ(peer.StateOf(id), State::kEstablished);
  peer.Pass(milliseconds(2000));  // looked at when the next probe is due
  EXPECT_EQ(peer.StateOf(id), State::kClosed);
  EXPECT_EQ(*peer.stack->TakeError(id), std::optional(Error::kTimedOut));
}

// --- Sources, ports and times --------------------------------------------------------------------

class Counter final : public PacketSink {
 public:
  SinkCapabilities Capabilities(LinkId) const override { return {}; }
  SinkResult Send(const TxPacket&) override {
    ++packets;
    return SinkResult::kSent;
  }
  int packets = 0;
};

int RepliesToEcho(RawPeer& peer, const IpAddress& source) {
  std::array<std::byte, 28> packet{};
  wire::IpHeader ip;
  ip.source = source;
  ip.destination = peer.ours();
  ip.protocol = static_cast<std::uint8_t>(wire::Protocol::kIcmp);
  wire::EncodeIp(packet, ip, 8);
  packet[20] = std::byte{8};
  packet[22] = std::byte{0xf7};  // the checksum of all that
  packet[23] = std::byte{0xff};
  const RxPacket rx{.data = packet};
  peer.stack->Receive(peer.now, std::span(&rx, 1));
  Counter counter;
  peer.stack->Transmit(peer.now, counter);
  return counter.packets;
}

// Bug: an echo request "from" the network's broadcast address was answered to all of it, and one
// from our own address to ourselves.
TEST(HostileEcho, SourcesThatAreNoHostGetNoReply) {
  RawPeer peer;
  EXPECT_EQ(RepliesToEcho(peer, peer.theirs()), 1);
  EXPECT_EQ(RepliesToEcho(peer, peer.Address(255)), 0);
  EXPECT_EQ(RepliesToEcho(peer, peer.Address(0)), 0);
  EXPECT_EQ(RepliesToEcho(peer, IpAddress::V4(0xffffffff)), 0);
  EXPECT_EQ(RepliesToEcho(peer, IpAddress::V4(0xe0000001)), 0);
  EXPECT_EQ(RepliesToEcho(peer, IpAddress::AnyV4()), 0);
  EXPECT_EQ(RepliesToEcho(peer, peer.ours()), 0);
}

// Bug: bind looked through all records for each port that TIME_WAIT held, or chose such a port.
TEST_P(Hostile, BindToPortZeroPassesByTimeWait) {
  peer.Set("net.ipv4.ip_local_port_range", "40000 40007");
  for (int i = 0; i < 7; ++i) {
    const auto id = BoundWithReuse(peer, 0);
    ASSERT_TRUE(id);
    ASSERT_EQ(ConnectTo(peer, *id), Error::kInProgress);
    AnswerSegment(peer);
    EndInTimeWait(peer, *id);
  }
  const auto last = BoundWithReuse(peer, 0);
  ASSERT_TRUE(last);
  EXPECT_TRUE(peer.stack->Close(peer.now, *last));
  ASSERT_EQ(ConnectTo(peer, *BoundWithReuse(peer, 0)), Error::kInProgress);
  AnswerSegment(peer);
  EXPECT_EQ(BoundWithReuse(peer, 0).error(), Error::kAddressInUse);
  peer.Pass(seconds(60));
  EXPECT_TRUE(BoundWithReuse(peer, 0));
}

// Advances to one deadline after the other, just as told; returns how many there were until `end`.
int CountDeadlines(RawPeer& peer, Time end) {
  int count = 0;
  for (Time t = peer.stack->NextDeadline(); t <= end; t = peer.stack->NextDeadline()) {
    if (++count > 1000) return count;
    peer.now = t;
    peer.stack->Advance(peer.now);
    peer.Flush();
  }
  return count;
}

// Catches a wait that ends between two ticks and is filed at the one before: it would be told,
// found not to be due yet, and filed there again for ever.
TEST_P(Hostile, DeadlinesBetweenTicksEnd) {
  for (std::int64_t us : {0, 1, 300, 999}) {
    SCOPED_TRACE(us);
    RawPeer p(peer.v6);
    p.now = At(0) + std::chrono::microseconds(us);
    const SocketId id = p.Established();
    p.now += std::chrono::microseconds(12'345);
    ASSERT_TRUE(p.stack->Send(p.now, id, Bytes("hello")));
    p.Flush();
    p.now += std::chrono::microseconds(1'700);
    p.Segment(kAck, p.irs + 1, p.iss + 6, {.data = "x"});  // a round trip of no whole ms
    ASSERT_TRUE(p.stack->Send(p.now, id, Bytes("more")));
    p.Flush();
    EXPECT_LT(CountDeadlines(p, p.now + seconds(2000)), 40);
    EXPECT_EQ(p.StateOf(id), State::kClosed);
  }
}

// Bug: a time-out that is over when it is set, in the middle of a tick, was filed for ever: first
// by NextDeadline, then, told the tick's beginning and so gone back to it, by Advance.
TEST_P(Hostile, DeadlineThatIsNowEnds) {
  const SocketId id = peer.Established();
  peer.now += seconds(300) + std::chrono::microseconds(400);
  peer.stack->Advance(peer.now);
  SocketOptions options;
  options.keepalive = true;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  options.keepalive_idle = 100;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  EXPECT_LE(peer.stack->NextDeadline(), peer.now);
  EXPECT_LT(CountDeadlines(peer, peer.now + milliseconds(10)), 5);
  EXPECT_EQ(peer.Take().size(), 1u);  // the first probe
}

}  // namespace
}  // namespace estab::test
