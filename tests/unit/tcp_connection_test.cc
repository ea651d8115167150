// One connection against a peer made by hand: sending, receiving, and the odd cases of both.
#include <gtest/gtest.h>

#include <string>

#include "matrix/raw_peer.h"

namespace estab::test {
namespace {

class Connection : public testing::TestWithParam<bool> {
 protected:
  void Open() {
    id = peer.Established();
    seq = peer.irs + 1;
    ack = peer.iss + 1;
  }
  std::size_t Write(std::size_t n) {
    const auto sent = peer.stack->Send(peer.now, id, Bytes(std::string(n, 'w')));
    peer.Flush();
    return sent ? *sent : 0;
  }
  // Payload of a full segment.
  std::uint32_t Mss() const { return peer.v6 ? 1428 : 1448; }
  std::string LastRule() { return peer.rules.fired.empty() ? "" : peer.rules.fired.back().name(); }

  RawPeer peer{GetParam()};
  SocketId id;
  std::uint32_t seq = 0;  // the peer's next
  std::uint32_t ack = 0;  // our first unacknowledged
};
INSTANTIATE_TEST_SUITE_P(Families, Connection, testing::Bool(),
                         [](const auto& p) { return p.param ? "Ipv6" : "Ipv4"; });

// --- FINs in odd places -------------------------------------------------------------------------

TEST_P(Connection, FinBehindAGapIsHeldUntilItIsFilled) {
  Open();
  peer.Segment(kAck | kFin, seq + 5, ack, {.data = "fghij"});
  EXPECT_EQ(peer.StateOf(id), State::kEstablished);
  peer.Segment(kAck, seq, ack, {.data = "abcde"});
  EXPECT_EQ(peer.StateOf(id), State::kCloseWait);
  EXPECT_EQ(peer.ReadAll(id), "abcdefghij");
  peer.Pass(milliseconds(100));
  EXPECT_EQ(peer.Take().back().segment.ack, seq + 11);
}

TEST_P(Connection, BareFinBehindAGapIsHeldToo) {
  Open();
  peer.Segment(kAck | kFin, seq + 5, ack);
  peer.Segment(kAck, seq, ack, {.data = "abcde"});
  EXPECT_EQ(peer.StateOf(id), State::kCloseWait);
  EXPECT_EQ(peer.ReadAll(id), "abcde");
}

TEST_P(Connection, DataBeyondAHeldFinIsDropped) {
  Open();
  peer.Segment(kAck | kFin, seq + 5, ack);
  peer.Segment(kAck, seq + 5, ack, {.data = "never"});
  peer.Segment(kAck, seq + 8, ack, {.data = "never"});
  peer.Segment(kAck, seq, ack, {.data = "abcde"});
  EXPECT_EQ(peer.StateOf(id), State::kCloseWait);
  EXPECT_EQ(peer.ReadAll(id), "abcde");
  peer.Pass(milliseconds(100));
  EXPECT_EQ(peer.Take().back().segment.ack, seq + 6);
  peer.stack->CheckInvariants();
}

TEST_P(Connection, FinBeforeDataThatIsHeldEndsTheStreamThere) {
  Open();
  peer.Segment(kAck, seq + 5, ack, {.data = "never"});
  peer.Segment(kAck | kFin, seq, ack, {.data = "abcde"});
  EXPECT_EQ(peer.StateOf(id), State::kCloseWait);
  EXPECT_EQ(peer.ReadAll(id), "abcde");
  peer.stack->CheckInvariants();
  ASSERT_TRUE(peer.stack->Close(peer.now, id));
  peer.Flush();
  peer.Segment(kAck, seq + 6, ack + 1);
  EXPECT_EQ(peer.stack->Counters().sockets, 0u);
  EXPECT_EQ(peer.stack->Counters().payload_chunks, 0u);
}

// --- Opening from both sides ---------------------------------------------------------------------

// After close() in SYN_RCVD our SYN is still unacknowledged: old ACKs must not look like duplicates
// that call for data which does not exist.
TEST_P(Connection, OldAcksAfterCloseInSynRcvd) {
  id = peer.Connect();
  peer.Segment(kSyn, peer.irs, 0);
  ASSERT_TRUE(peer.stack->Shutdown(peer.now, id, How::kWrite));
  EXPECT_EQ(peer.StateOf(id), State::kFinWait1);
  peer.Take();
  for (int i = 0; i < 5; ++i) peer.Segment(kAck, peer.irs + 1, peer.iss);
  peer.stack->CheckInvariants();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 2);
  EXPECT_EQ(peer.StateOf(id), State::kFinWait2);
}

TEST_P(Connection, CloseInSynRcvdSendsTheFinBehindTheSyn) {
  id = peer.Connect();
  peer.Segment(kSyn, peer.irs, 0);
  peer.Take();
  ASSERT_TRUE(peer.stack->Shutdown(peer.now, id, How::kWrite));
  auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.flags, kFin | kAck);
  EXPECT_EQ(sent[0].segment.seq, peer.iss + 1);
  // Lost: both come again, the SYN first.
  peer.Pass(milliseconds(1100));
  sent = peer.Take();
  ASSERT_GE(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.flags, kSyn | kAck);
  EXPECT_EQ(sent[0].segment.seq, peer.iss);
  peer.Segment(kAck, peer.irs + 1, peer.iss + 2);
  EXPECT_EQ(peer.StateOf(id), State::kFinWait2);
}

TEST_P(Connection, SimultaneousOpenCarriesData) {
  id = peer.Connect();
  peer.Segment(kSyn, peer.irs, 0);
  peer.Segment(kSyn | kAck, peer.irs, peer.iss + 1);
  EXPECT_EQ(peer.StateOf(id), State::kEstablished);
  seq = peer.irs + 1;
  ack = peer.iss + 1;
  peer.Take();
  EXPECT_EQ(Write(10), 10u);
  EXPECT_EQ(peer.Take().back().segment.seq, ack);
  peer.Segment(kAck, seq, ack + 10, {.data = "hello"});
  EXPECT_EQ(peer.ReadAll(id), "hello");
  // The window announced by the SYN|ACK was not scaled, nor is what is accepted.
  EXPECT_LT(peer.stack->GetInfo(peer.now, id)->receive_window, 200'000u);
}

// A repeated SYN|ACK that echoes nonsense must not be taken for a round trip of minutes.
TEST_P(Connection, NonsenseEchoOnSynAckIsNoRoundTrip) {
  id = peer.Connect();
  peer.Pass(milliseconds(1500));  // the SYN went out twice: only the echo could tell the time
  peer.Take();
  for (std::uint32_t echo : {0u, 0xdeadbeefu}) {
    peer.last_ts = echo;
    peer.Segment(kSyn | kAck, peer.irs, peer.iss + 1);
    EXPECT_LE(peer.stack->GetInfo(peer.now, id)->rto, seconds(3)) << echo;
    ASSERT_TRUE(peer.stack->Abort(peer.now, id));
    peer.Take();
    id = peer.Connect();
    peer.Pass(milliseconds(1500));
    peer.Take();
  }
}

// --- Sending
// ---------------------------------------------------------------------------------------

TEST_P(Connection, NagleHoldsOneSmallSegmentBehindAnother) {
  Open();
  Write(10);
  ASSERT_EQ(peer.Take().size(), 1u);
  Write(10);
  Write(10);
  EXPECT_TRUE(peer.Take().empty());
  peer.Segment(kAck, seq, ack + 10);
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].payload.size(), 20u);
  // Without Nagle, or at the end, nothing waits.
  SocketOptions options;
  options.no_delay = true;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  Write(5);
  EXPECT_EQ(peer.Take().size(), 1u);
}

TEST_P(Connection, NagleLetsFullSegmentsAndTheFinGo) {
  Open();
  Write(10);
  peer.Take();
  Write(Mss() + 7);
  auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].payload.size(), Mss());
  ASSERT_TRUE(peer.stack->Shutdown(peer.now, id, How::kWrite));
  sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].payload.size(), 7u);
  EXPECT_TRUE(sent[0].segment.Has(kFin));
}

TEST_P(Connection, SenderAvoidsSillyWindows) {
  Open();
  peer.Segment(kAck, seq, ack, {.window = 100});  // a sliver of a window that once was 60000
  Write(3000);
  EXPECT_TRUE(peer.Take().empty());
  // The persist timer overrides: what fits goes.
  peer.Pass(milliseconds(250));
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].payload.size(), 100u);
}

TEST_P(Connection, ReceiverOpensItsWindowInWorthwhileSteps) {
  SocketOptions options;
  options.receive_buffer = 4096;
  id = *peer.stack->Open(peer.v6);
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  EXPECT_EQ(peer.stack->Connect(peer.now, id, {peer.theirs(), peer.port}).error(),
            Error::kInProgress);
  const auto syn = peer.Take();
  peer.iss = syn[0].segment.seq;
  peer.our_port = syn[0].segment.source_port;
  peer.Segment(kSyn | kAck, peer.irs, peer.iss + 1);
  seq = peer.irs + 1;
  ack = peer.iss + 1;
  peer.Take();
  // Fill it: the edge never moves left.
  std::uint32_t edge = peer.edge;
  std::uint32_t sent_to = seq;
  while (static_cast<std::int32_t>(peer.edge - sent_to) > 0) {
    const std::string piece(std::min<std::uint32_t>(1000, peer.edge - sent_to), 'f');
    peer.Segment(kAck, sent_to, ack, {.data = piece});
    sent_to += static_cast<std::uint32_t>(piece.size());
    peer.Pass(milliseconds(50));
    EXPECT_GE(static_cast<std::int32_t>(peer.edge - edge), 0);
    edge = peer.edge;
    ASSERT_LT(sent_to - seq, 10'000u);
  }
  EXPECT_GE(sent_to - seq, 2800u);
  peer.Take();
  // One byte read is not worth an announcement; a segment's worth is.
  std::byte small[1];
  ASSERT_EQ(*peer.stack->Read(peer.now, id, small), 1u);
  EXPECT_TRUE(peer.Take().empty());
  EXPECT_EQ(peer.edge, edge);
  std::array<std::byte, 2800> much;
  ASSERT_EQ(*peer.stack->Read(peer.now, id, much), much.size());
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_GT(static_cast<std::int32_t>(peer.edge - edge), 1400);
}

TEST_P(Connection, ThreeDuplicateAcksRepeatTheOldestAtOnce) {
  peer.sack = false;
  Open();
  EXPECT_EQ(Write(10 * Mss()), 10 * Mss());
  ASSERT_EQ(peer.Take().size(), 10u);
  const Time before = peer.now;
  peer.Segment(kAck, seq, ack);
  peer.Segment(kAck, seq, ack);
  EXPECT_TRUE(peer.Take().empty());
  peer.Segment(kAck, seq, ack);
  auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.seq, ack);
  EXPECT_EQ(sent[0].at, before);
  // A partial ACK: the next hole at once (RFC 6582).
  peer.Segment(kAck, seq, ack + Mss() * 3);
  sent = peer.Take();
  ASSERT_GE(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.seq, ack + Mss() * 3);
  peer.Segment(kAck, seq, ack + Mss() * 10);
  EXPECT_EQ(peer.stack->GetInfo(peer.now, id)->slow_start_threshold, Mss() * 7);
  EXPECT_TRUE(*peer.stack->Drained(id));
}

TEST_P(Connection, ShrunkWindowGetsTheRepeatButNothingNew) {
  Open();
  Write(5000);
  peer.Take();
  peer.Segment(kAck, seq, ack, {.window = 0});
  Write(5000);
  EXPECT_TRUE(peer.Take().empty());
  peer.Pass(milliseconds(250));
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.seq, ack);
  EXPECT_LE(sent[0].payload.size(), 1448u);
}

TEST_P(Connection, MssIsTheSmallerOfBothLessTimestamps) {
  peer.mss = 1000;
  Open();
  EXPECT_EQ(peer.stack->GetInfo(peer.now, id)->send_mss, 988u);
  EXPECT_EQ(peer.stack->GetInfo(peer.now, id)->receive_mss, peer.v6 ? 1440u : 1460u);
  Write(3000);
  EXPECT_EQ(peer.Take()[0].payload.size(), 988u);
}

// --- Answers that are rationed
// ----------------------------------------------------------------------

TEST_P(Connection, ChallengesAreLimitedPerConnection) {
  Open();
  peer.Segment(kSyn, seq + 10, 0);
  peer.Segment(kSyn, seq + 10, 0);
  peer.Segment(kRst, seq + 10, 0);
  EXPECT_EQ(peer.Take().size(), 1u);
  peer.Pass(milliseconds(499));
  peer.Segment(kRst, seq + 10, 0);
  EXPECT_TRUE(peer.Take().empty());
  peer.Pass(milliseconds(1));
  peer.Segment(kRst, seq + 10, 0);
  EXPECT_EQ(peer.Take().size(), 1u);
  EXPECT_EQ(peer.stack->Counters().challenge_acks, 2u);
}

TEST_P(Connection, ChallengesAreLimitedPerStackAndSecond) {
  peer.Set("net.ipv4.tcp_challenge_ack_limit", "1");  // larger ones are drawn around their value
  peer.Set("net.ipv4.tcp_invalid_ratelimit", "0");
  Open();
  for (int i = 0; i < 5; ++i) peer.Segment(kSyn, seq + 10, 0);
  EXPECT_EQ(peer.Take().size(), 1u);
  EXPECT_EQ(peer.stack->Counters().challenge_acks_limited, 4u);
  peer.Pass(seconds(1));
  peer.Segment(kSyn, seq + 10, 0);
  EXPECT_EQ(peer.Take().size(), 1u);
}

TEST_P(Connection, OldDataIsAlwaysAnswered) {
  Open();
  for (int i = 0; i < 5; ++i) {
    peer.Segment(kAck, seq - 5, ack, {.data = "old"});
    EXPECT_EQ(peer.Take().size(), 1u);
  }
  for (int i = 0; i < 5; ++i) peer.Segment(kAck, seq - 5, ack);  // empty: rationed
  EXPECT_EQ(peer.Take().size(), 1u);
}

TEST_P(Connection, ResetAtTheEdgeOfASackedBlockIsExact) {
  Open();
  peer.Segment(kAck, seq + 10, ack, {.data = "ahead"});
  peer.Segment(kRst, seq + 12, 0);
  EXPECT_EQ(peer.StateOf(id), State::kEstablished);
  peer.Segment(kRst, seq + 15, 0);
  EXPECT_EQ(peer.StateOf(id), State::kClosed);
}

// --- Endings
// -------------------------------------------------------------------------------------------

TEST_P(Connection, ErrorComesOnceAndDataBeforeItStaysReadable) {
  Open();
  peer.Segment(kAck, seq, ack, {.data = "before"});
  peer.Segment(kRst, seq + 6, 0);
  EXPECT_EQ(peer.ReadAll(id), "before");  // ReadAll took the error as its end
  std::byte byte[1];
  EXPECT_EQ(*peer.stack->Read(peer.now, id, byte), 0u);
  EXPECT_EQ(peer.stack->Send(peer.now, id, byte).error(), Error::kBrokenPipe);
}

TEST_P(Connection, ResetInCloseWaitReadsAsTheEnd) {
  Open();
  peer.Segment(kAck | kFin, seq, ack);
  peer.Segment(kRst, seq + 1, 0);
  std::byte byte[1];
  EXPECT_EQ(*peer.stack->Read(peer.now, id, byte), 0u);
  EXPECT_EQ(peer.stack->Send(peer.now, id, byte).error(), Error::kBrokenPipe);
}

TEST_P(Connection, CloseWithUnreadDataResets) {
  Open();
  peer.Segment(kAck, seq, ack, {.data = "unread"});
  peer.Take();
  ASSERT_TRUE(peer.stack->Close(peer.now, id));
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(sent[0].segment.Has(kRst));
  EXPECT_EQ(sent[0].segment.seq, ack);
  EXPECT_EQ(LastRule(), "close-unread");
  EXPECT_EQ(peer.stack->Counters().sockets, 0u);
}

TEST_P(Connection, LingerZeroAborts) {
  Open();
  SocketOptions options;
  options.linger = true;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes("unsent")));
  ASSERT_TRUE(peer.stack->Close(peer.now, id));
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(sent[0].segment.Has(kRst));
  EXPECT_EQ(sent[0].segment.seq, ack);  // SND.NXT: the data never went out
  EXPECT_EQ(peer.stack->Counters().time_wait, 0u);
}

TEST_P(Connection, DataForAnOrphanDrawsReset) {
  for (bool acked : {false, true}) {
    RawPeer p(peer.v6);
    const SocketId s = p.Established();
    ASSERT_TRUE(p.stack->Close(p.now, s));
    p.Take();
    if (acked) p.Segment(kAck, p.irs + 1, p.iss + 2);
    p.Segment(kAck, p.irs + 1, p.iss + 2, {.data = "late"});
    const auto sent = p.Take();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].segment.flags, kRst);
    EXPECT_EQ(sent[0].segment.seq, p.iss + 2);
    EXPECT_EQ(p.rules.fired.back().name(), "data-for-orphan");
    EXPECT_EQ(p.stack->Counters().sockets, 0u);
  }
}

TEST_P(Connection, ShutReadDropsWhatIsThereAndDiscardsWhatComes) {
  Open();
  peer.Segment(kAck, seq, ack, {.data = "buffered"});
  ASSERT_TRUE(peer.stack->Shutdown(peer.now, id, How::kRead));
  std::byte byte[1];
  EXPECT_EQ(*peer.stack->Read(peer.now, id, byte), 0u);
  peer.Take();
  peer.Segment(kAck, seq + 8, ack, {.data = "later"});
  peer.Pass(milliseconds(100));
  EXPECT_EQ(peer.Take().back().segment.ack, seq + 13);
  EXPECT_EQ(*peer.stack->Read(peer.now, id, byte), 0u);
  EXPECT_EQ(peer.stack->Counters().payload_chunks, 0u);
}

TEST_P(Connection, CloseInSynSentSaysNothing) {
  id = peer.Connect();
  ASSERT_TRUE(peer.stack->Close(peer.now, id));
  EXPECT_TRUE(peer.Take().empty());
  EXPECT_EQ(peer.stack->Counters().sockets, 0u);
  peer.Segment(kSyn | kAck, peer.irs, peer.iss + 1);
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.flags, kRst);
}

}  // namespace
}  // namespace estab::test
