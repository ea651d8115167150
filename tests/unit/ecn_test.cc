// Explicit congestion notification (RFC 3168) with a peer made by hand. A segment has 1000 bytes;
// segments are named by their number, from 0.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "matrix/raw_peer.h"

namespace estab::test {
namespace {

constexpr std::uint32_t kEcnMss = 1000;
constexpr unsigned kAsk = kSyn | kEce | kCwr;
constexpr int kNotEct = 0;
constexpr int kEct1 = 1;
constexpr int kEct0 = 2;
constexpr int kCe = 3;

int EcnOf(const Sent& s) { return wire::DecodeIp(s.packet)->tos & 3; }
int DscpOf(const Sent& s) { return wire::DecodeIp(s.packet)->tos & 0xfc; }
unsigned EcnFlagsOf(const Sent& s) { return s.segment.flags & (kEce | kCwr); }

class Ecn : public testing::TestWithParam<bool> {
 protected:
  Ecn() : peer(GetParam()) {
    peer.mss = kEcnMss + 12;
    peer.Set("net.ipv4.tcp_congestion_control", "reno");
    peer.Set("net.ipv4.tcp_wmem", "4096 262144 4194304");
  }
  // Connects; the flags of our SYN are told.
  unsigned Connect() {
    id = *peer.stack->Open(peer.v6);
    EXPECT_FALSE(peer.stack->Connect(peer.now, id, {peer.theirs(), peer.port}));
    const auto sent = peer.Take();
    if (sent.size() != 1) return 0;
    EXPECT_EQ(EcnOf(sent[0]), kNotEct);
    peer.iss = sent[0].segment.seq;
    peer.our_port = sent[0].segment.source_port;
    return sent[0].segment.flags;
  }
  // A connection that has agreed on ECN; the round trip is 100 ms.
  void Open() {
    peer.Set("net.ipv4.tcp_ecn", "1");
    ASSERT_EQ(Connect(), kAsk);
    peer.Pass(milliseconds(100));
    peer.Segment(kSyn | kAck | kEce, peer.irs, peer.iss + 1);
    const auto sent = peer.Take();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].segment.flags, kAck);
    EXPECT_EQ(EcnOf(sent[0]), kNotEct);
  }
  ConnectionInfo Info() { return *peer.stack->GetInfo(peer.now, id); }
  std::uint32_t Window() { return Info().congestion_window / kEcnMss; }
  std::uint32_t Threshold() { return Info().slow_start_threshold / kEcnMss; }
  // What the peer's SYN draws from our listener.
  unsigned Answer(unsigned flags, int ecn = kNotEct) {
    Extra extra;
    extra.tos = static_cast<std::uint8_t>(ecn);
    peer.port++;
    peer.Segment(flags, peer.irs, 0, extra);
    const auto sent = peer.Take();
    if (sent.size() != 1) return 0;
    EXPECT_EQ(EcnOf(sent[0]), kNotEct);
    peer.iss = sent[0].segment.seq;
    return sent[0].segment.flags;
  }
  void Write(std::size_t segments) {
    const auto sent = peer.stack->Send(peer.now, id, Bytes(std::string(segments * kEcnMss, 'w')));
    ASSERT_TRUE(sent && *sent == segments * kEcnMss);
  }
  std::uint32_t Seq(int segment) const {
    return peer.iss + 1 + static_cast<std::uint32_t>(segment) * kEcnMss;
  }
  // The peer has everything before segment `next`, and perhaps tells of congestion.
  std::vector<Sent> Ack(int next, unsigned flags = 0) {
    peer.Segment(kAck | flags, peer.irs + 1, Seq(next));
    return peer.Take();
  }
  // The peer's next data, marked so; our ACK, which is due at once, is told.
  std::vector<Sent> Data(int ecn, unsigned flags = 0) {
    const std::string text(100, 'd');
    Extra extra;
    extra.data = text;
    extra.tos = static_cast<std::uint8_t>(0x48 | ecn);
    peer.Segment(kAck | kPsh | flags, peer.irs + 1 + received, peer.iss + 1, extra);
    received += 100;
    return peer.Take();
  }

  RawPeer peer;
  SocketId id;
  std::uint32_t received = 0;
};

INSTANTIATE_TEST_SUITE_P(Families, Ecn, testing::Bool(),
                         [](const auto& p) { return p.param ? "Ipv6" : "Ipv4"; });

// --- Negotiation ---------------------------------------------------------------------------------

TEST_P(Ecn, IsAskedForIfTheSettingSaysSo) {
  EXPECT_EQ(Connect(), kSyn);
  peer.Set("net.ipv4.tcp_ecn", "0");
  EXPECT_EQ(Connect(), kSyn);
  peer.Set("net.ipv4.tcp_ecn", "1");
  EXPECT_EQ(Connect(), kAsk);
}

TEST_P(Ecn, AnAnswerAgreesWithEceAlone) {
  peer.Set("net.ipv4.tcp_ecn", "1");
  for (const auto& [flags, agreed] : {std::pair{0u, false},
                                      {unsigned{kEce}, true},
                                      {unsigned{kCwr}, false},
                                      {kEce | kCwr, false}}) {
    Connect();
    peer.Segment(kSyn | kAck | flags, peer.irs, peer.iss + 1);
    EXPECT_EQ(Info().ecn, agreed) << flags;
    peer.Take();
    Write(1);
    EXPECT_EQ(EcnOf(peer.Take().at(0)), agreed ? kEct0 : kNotEct);
  }
}

TEST_P(Ecn, AnAnswerThatAgreesToWhatWasNotAskedMeansNothing) {
  EXPECT_EQ(Connect(), kSyn);
  peer.Segment(kSyn | kAck | kEce, peer.irs, peer.iss + 1);
  EXPECT_FALSE(Info().ecn);
  peer.Take();
  Write(1);
  EXPECT_EQ(EcnOf(peer.Take().at(0)), kNotEct);
}

TEST_P(Ecn, ARepeatedSynDoesNotAsk) {
  peer.Set("net.ipv4.tcp_ecn", "1");
  EXPECT_EQ(Connect(), kAsk);
  peer.Pass(seconds(1));
  EXPECT_EQ(peer.Take().at(0).segment.flags, kSyn);
  // The answer may still be to the first.
  peer.Segment(kSyn | kAck | kEce, peer.irs, peer.iss + 1);
  EXPECT_TRUE(Info().ecn);
  peer.Take();
  Write(1);
  EXPECT_EQ(EcnFlagsOf(peer.Take().at(0)), unsigned{kCwr});  // the loss has reduced the window
}

TEST_P(Ecn, ARepeatedSynAsksIfItIsNotToFallBack) {
  peer.Set("net.ipv4.tcp_ecn", "1");
  peer.Set("net.ipv4.tcp_ecn_fallback", "0");
  EXPECT_EQ(Connect(), kAsk);
  peer.Pass(seconds(1));
  EXPECT_EQ(peer.Take().at(0).segment.flags, kAsk);
}

TEST_P(Ecn, AListenerAgreesToASynThatAsks) {
  peer.Listen();
  EXPECT_EQ(Answer(kAsk), kSyn | kAck | kEce);
  EXPECT_EQ(Answer(kAsk | kAe), kSyn | kAck | kEce);  // it would rather have more accurate feedback
  EXPECT_EQ(Answer(kSyn), kSyn | kAck);
  EXPECT_EQ(Answer(kSyn | kEce), kSyn | kAck);
  EXPECT_EQ(Answer(kSyn | kCwr), kSyn | kAck);
  for (const int ecn : {kEct0, kEct1, kCe}) EXPECT_EQ(Answer(kAsk, ecn), kSyn | kAck);
  peer.Set("net.ipv4.tcp_ecn", "1");
  EXPECT_EQ(Answer(kAsk), kSyn | kAck | kEce);
  peer.Set("net.ipv4.tcp_ecn", "0");
  EXPECT_EQ(Answer(kAsk), kSyn | kAck);
}

TEST_P(Ecn, WhatAListenerAgreedToHoldsForTheConnection) {
  const SocketId listener = peer.Listen();
  EXPECT_EQ(Answer(kAsk), kSyn | kAck | kEce);
  peer.Pass(seconds(1));
  EXPECT_EQ(peer.Take().at(0).segment.flags, kSyn | kAck | kEce);  // once more
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  id = *peer.stack->Accept(peer.now, listener);
  EXPECT_TRUE(Info().ecn);
  Write(1);
  EXPECT_EQ(EcnOf(peer.Take().at(0)), kEct0);
}

TEST_P(Ecn, ACookieCarriesIt) {
  peer.Set("net.ipv4.tcp_syncookies", "2");
  const SocketId listener = peer.Listen();
  for (const bool asked : {true, false}) {
    EXPECT_EQ(Answer(asked ? kAsk : unsigned{kSyn}), kSyn | kAck | (asked ? unsigned{kEce} : 0u));
    peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
    id = *peer.stack->Accept(peer.now, listener);
    EXPECT_EQ(Info().ecn, asked);
  }
  // Nothing would bring it back.
  peer.timestamps = false;
  EXPECT_EQ(Answer(kAsk), kSyn | kAck);
}

TEST_P(Ecn, ACookieDoesNotBringBackWhatIsOffNow) {
  peer.Set("net.ipv4.tcp_syncookies", "2");
  const SocketId listener = peer.Listen();
  EXPECT_EQ(Answer(kAsk), kSyn | kAck | kEce);
  peer.Set("net.ipv4.tcp_ecn", "0");
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  id = *peer.stack->Accept(peer.now, listener);
  EXPECT_FALSE(Info().ecn);
}

TEST_P(Ecn, SynsThatCrossAgreeIfBothAsk) {
  peer.Set("net.ipv4.tcp_ecn", "1");
  for (const bool asks : {true, false}) {
    Connect();
    peer.Segment(asks ? kAsk : unsigned{kSyn}, peer.irs, 0);
    const auto sent = peer.Take();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].segment.flags, kSyn | kAck | (asks ? unsigned{kEce} : 0u));
    peer.Segment(kSyn | kAck, peer.irs, peer.iss + 1);
    EXPECT_EQ(peer.StateOf(id), State::kEstablished);
    EXPECT_EQ(Info().ecn, asks);
  }
}

// --- Who may be marked ---------------------------------------------------------------------------

TEST_P(Ecn, NewDataMayBeMarkedAndNothingElse) {
  Open();
  Write(2);
  auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 2u);
  for (const auto& s : sent) EXPECT_EQ(EcnOf(s), kEct0);
  peer.Pass(milliseconds(900));  // a loss probe, and the retransmission timer
  sent = peer.Take();
  ASSERT_FALSE(sent.empty());
  for (const auto& s : sent) EXPECT_EQ(EcnOf(s), kNotEct);
  Ack(2);
  EXPECT_EQ(EcnOf(Data(kEct0).at(0)), kNotEct);  // a pure ACK
  peer.ReadAll(id);
  ASSERT_TRUE(peer.stack->Close(peer.now, id));
  sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(sent[0].segment.Has(kFin));
  EXPECT_EQ(EcnOf(sent[0]), kNotEct);
}

TEST_P(Ecn, AWindowProbeMayNotBeMarked) {
  Open();
  Extra closed;
  closed.window = 0;
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1, closed);
  Write(1);
  EXPECT_TRUE(peer.Take().empty());
  peer.Pass(seconds(2));
  const auto sent = peer.Take();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(EcnOf(sent[0]), kNotEct);
  EXPECT_EQ(EcnFlagsOf(sent[0]), 0u);
}

TEST_P(Ecn, TheUsersClassOfServiceStaysBesideIt) {
  Open();
  SocketOptions options = *peer.stack->GetOptions(id);
  options.tos = options.traffic_class = 0xbb;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  Write(1);
  auto sent = peer.Take();
  EXPECT_EQ(DscpOf(sent.at(0)), 0xb8);
  EXPECT_EQ(EcnOf(sent[0]), kEct0);
  Ack(1);
  sent = Data(kCe);
  EXPECT_EQ(DscpOf(sent.at(0)), 0xb8);
  EXPECT_EQ(EcnOf(sent[0]), kNotEct);
}

// --- Receiving -----------------------------------------------------------------------------------

TEST_P(Ecn, AMarkIsEchoedUntilThePeerHasReduced) {
  Open();
  EXPECT_EQ(EcnFlagsOf(Data(kEct0).at(0)), 0u);
  EXPECT_TRUE(Info().ecn_seen);
  EXPECT_EQ(EcnFlagsOf(Data(kCe).at(0)), unsigned{kEce});
  EXPECT_EQ(EcnFlagsOf(Data(kEct0).at(0)), unsigned{kEce});
  EXPECT_EQ(EcnFlagsOf(Data(kEct0, kCwr).at(0)), 0u);
  EXPECT_EQ(EcnFlagsOf(Data(kEct0).at(0)), 0u);
  Data(kCe);
  Write(1);  // on data too
  const auto sent = peer.Take();
  EXPECT_EQ(EcnFlagsOf(sent.at(0)), unsigned{kEce});
  EXPECT_EQ(EcnOf(sent[0]), kEct0);
}

TEST_P(Ecn, AMarkedSegmentWithCwrBeginsAnotherEcho) {
  Open();
  Data(kCe);
  EXPECT_EQ(EcnFlagsOf(Data(kCe, kCwr).at(0)), unsigned{kEce});
}

TEST_P(Ecn, AMarkBeyondAGapIsEchoed) {
  Open();
  received = 100;
  EXPECT_EQ(EcnFlagsOf(Data(kCe).at(0)), unsigned{kEce});
}

TEST_P(Ecn, MarksMeanNothingWhereNothingWasAgreed) {
  peer.Established();
  id = *peer.stack->Open(peer.v6);
  peer.Set("net.ipv4.tcp_ecn", "0");
  Connect();
  peer.Segment(kSyn | kAck, peer.irs, peer.iss + 1);
  peer.Take();
  EXPECT_EQ(EcnFlagsOf(Data(kCe).at(0)), 0u);
  EXPECT_FALSE(Info().ecn_seen);
}

TEST_P(Ecn, AMarkOnWhatIsNoDataOrDoesNotFitMeansNothing) {
  Open();
  Extra marked;
  marked.tos = kCe;
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1, marked);
  marked.data = "far away";
  peer.Segment(kAck, peer.irs + 10'000'000, peer.iss + 1, marked);
  peer.Take();
  EXPECT_EQ(EcnFlagsOf(Data(kEct0).at(0)), 0u);
}

// --- Sending -------------------------------------------------------------------------------------

TEST_P(Ecn, AnEchoHalvesTheWindowOnceARoundTrip) {
  Open();
  Write(40);
  EXPECT_EQ(peer.Take().size(), 10u);
  peer.Pass(milliseconds(100));
  Ack(1, kEce);
  EXPECT_EQ(Threshold(), 5u);
  for (int next = 2; next <= 10; ++next) {
    Ack(next, kEce);
    EXPECT_EQ(Threshold(), 5u) << next;
  }
  peer.Pass(milliseconds(100));
  Ack(11);  // the first that was sent after it
  EXPECT_EQ(Window(), 5u);
  EXPECT_EQ(Threshold(), 5u);
  EXPECT_EQ(Info().segments_retransmitted, 0u);
  EXPECT_EQ(Info().segments_marked, 10u);
  Ack(12, kEce);  // another round trip, another mark
  EXPECT_EQ(Threshold(), 2u);
}

TEST_P(Ecn, TheWindowComesDownInProportion) {
  Open();
  Write(40);
  peer.Take();
  peer.Pass(milliseconds(100));
  std::size_t sent = 0;
  for (int next = 1; next <= 10; ++next) sent += Ack(next, kEce).size();
  EXPECT_EQ(sent, 5u);  // one for every two that arrive, not none for a while
}

TEST_P(Ecn, TheNextNewSegmentTellsThatTheWindowIsReduced) {
  Open();
  Write(40);
  for (const auto& s : peer.Take()) EXPECT_EQ(EcnFlagsOf(s), 0u);
  peer.Pass(milliseconds(100));
  std::vector<unsigned> flags;
  for (int next = 1; next <= 10; ++next) {
    for (const auto& s : Ack(next, kEce)) flags.push_back(EcnFlagsOf(s));
  }
  EXPECT_EQ(flags, (std::vector<unsigned>{kCwr, 0, 0, 0, 0}));
}

TEST_P(Ecn, ALossIsToldLikewiseButNotOnTheRepeat) {
  Open();
  Write(40);
  peer.Take();
  peer.Pass(milliseconds(100));
  const auto sack = [&](int end) {
    Extra extra;
    extra.sack.push_back({Seq(1), Seq(end)});
    peer.Segment(kAck, peer.irs + 1, Seq(0), extra);
    return peer.Take();
  };
  sack(2);
  sack(3);
  std::vector<Sent> sent = sack(4);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.seq, Seq(0));
  EXPECT_EQ(EcnOf(sent[0]), kNotEct);
  EXPECT_EQ(EcnFlagsOf(sent[0]), 0u);
  std::vector<unsigned> flags;
  for (int end = 5; end <= 10; ++end) {
    for (const auto& s : sack(end)) flags.push_back(EcnFlagsOf(s));
  }
  ASSERT_GE(flags.size(), 2u);
  EXPECT_EQ(flags[0], unsigned{kCwr});
  EXPECT_EQ(flags[1], 0u);
}

TEST_P(Ecn, AMarkAndALossInOneRoundTripAreOneCongestion) {
  Open();
  Write(40);
  peer.Take();
  peer.Pass(milliseconds(100));
  Ack(1, kEce);
  Extra extra;
  extra.sack.push_back({Seq(2), Seq(8)});
  peer.Segment(kAck | kEce, peer.irs + 1, Seq(1), extra);
  const auto sent = peer.Take();
  ASSERT_FALSE(sent.empty());
  EXPECT_EQ(sent[0].segment.seq, Seq(1));
  EXPECT_EQ(Threshold(), 5u);
}

TEST_P(Ecn, EchoesForNothingMeanNothing) {
  Open();
  for (int i = 0; i < 20; ++i) Ack(0, kEce);  // nothing is in flight
  EXPECT_EQ(Window(), 10u);
  Write(1);
  peer.Take();
  peer.Pass(milliseconds(50));
  Ack(1);
  Write(10);
  for (const auto& s : peer.Take()) EXPECT_EQ(EcnFlagsOf(s), 0u);
  Ack(0, kEce);  // an old ACK
  EXPECT_EQ(Window(), 10u);
  EXPECT_GT(Threshold(), 1000u);
}

TEST_P(Ecn, EchoesWithoutEndLeaveTwoSegments) {
  Open();
  Write(200);
  int next = 0;
  for (int round = 0; round < 20; ++round) {
    const auto sent = peer.Take();
    next += static_cast<int>(sent.size());
    peer.Pass(milliseconds(100));
    peer.Segment(kAck | kEce, peer.irs + 1, Seq(next));
  }
  EXPECT_EQ(Threshold(), 2u);
  EXPECT_GE(Window(), 2u);
}

TEST_P(Ecn, EchoesMeanNothingWhereNothingWasAgreed) {
  id = peer.Established();
  Write(10);
  peer.Take();
  Ack(2, kEce);
  EXPECT_GT(Threshold(), 1000u);
  EXPECT_EQ(Info().segments_marked, 0u);
}

TEST_P(Ecn, AMarkMayLeaveMoreThanALoss) {
  peer.Set("estab.tcp_abe", "1");
  Open();
  Write(40);
  peer.Take();
  peer.Pass(milliseconds(100));
  Ack(1, kEce);
  EXPECT_EQ(Threshold(), 8u);
}

TEST_P(Ecn, WithAbeALossLeavesWhatItAlwaysDoes) {
  peer.Set("estab.tcp_abe", "1");
  Open();
  Write(40);
  peer.Take();
  peer.Pass(milliseconds(100));
  Extra extra;
  extra.sack.push_back({Seq(1), Seq(6)});
  peer.Segment(kAck | kEce, peer.irs + 1, Seq(0), extra);
  EXPECT_EQ(Threshold(), 5u);
}

// --- Beyond the connection -----------------------------------------------------------------------

TEST_P(Ecn, ResetsAndTimeWaitAreNeverMarked) {
  Open();
  Data(kCe);
  ASSERT_TRUE(peer.stack->Abort(peer.now, id));
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(sent[0].segment.Has(kRst));
  EXPECT_EQ(EcnOf(sent[0]), kNotEct);
  Open();
  ASSERT_TRUE(peer.stack->Close(peer.now, id));
  const std::uint32_t fin = peer.Take().at(0).segment.seq;
  Extra marked;
  marked.tos = kCe;
  peer.Segment(kAck | kFin, peer.irs + 1, fin + 1, marked);
  EXPECT_EQ(EcnOf(peer.Take().at(0)), kNotEct);
  peer.Segment(kAck | kFin, peer.irs + 1, fin + 1, marked);  // once more, to TIME_WAIT
  const auto again = peer.Take();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(EcnOf(again[0]), kNotEct);
  EXPECT_EQ(EcnFlagsOf(again[0]), 0u);
}

}  // namespace
}  // namespace estab::test
