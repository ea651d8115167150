// The parts of one connection by themselves: acceptance, round-trip time, negotiation,
// congestion, and the pure decisions about records.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tcp/acceptance.h"
#include "tcp/challenge.h"
#include "tcp/congestion/congestion.h"
#include "tcp/half_open.h"
#include "tcp/negotiation.h"
#include "tcp/rtt.h"
#include "tcp/time_wait.h"
#include "unit/bare_tcb.h"

namespace estab::tcp {
namespace {

using std::chrono::milliseconds;

// --- Acceptance: RFC 9293 table 6 and two allowances ---------------------------------------------

TEST(Acceptance, Table6) {
  struct Case {
    int seq;  // from RCV.NXT
    std::uint32_t length, window;
    bool accepted;
  };
  const Case cases[] = {
      // length 0, window 0
      {0, 0, 0, true},
      {-1, 0, 0, false},
      {1, 0, 0, false},
      // length 0, window > 0; the right edge itself is Linux's allowance
      {0, 0, 10, true},
      {9, 0, 10, true},
      {10, 0, 10, true},
      {11, 0, 10, false},
      {-1, 0, 10, false},
      // length > 0, window 0: not acceptable, but at RCV.NXT its ACK counts
      {0, 5, 0, true},
      {1, 5, 0, false},
      {-5, 5, 0, false},
      {-2, 5, 0, false},
      // length > 0, window > 0
      {0, 5, 10, true},
      {9, 5, 10, true},
      {10, 5, 10, false},
      {-4, 5, 10, true},
      {-5, 5, 10, false},
      {-1, 1, 10, false},
      {-5, 30, 10, false},
  };
  for (std::uint32_t nxt : {1000u, 0u, 0xfffffffbu}) {  // across the wrap too
    for (const Case& c : cases) {
      EXPECT_EQ(Acceptable({RcvSeq(nxt), c.window}, RcvSeq(nxt) + static_cast<std::uint32_t>(c.seq),
                           c.length),
                c.accepted)
          << nxt << " case " << &c - cases;
    }
  }
}

TEST(Acceptance, TrimsToTheWindow) {
  const auto trim = [](int offset, std::size_t size, unsigned flags) {
    static std::byte bytes[100];
    static wire::Segment segment;
    segment = {};
    segment.flags = static_cast<std::uint16_t>(flags);
    segment.seq = 1000 + static_cast<std::uint32_t>(offset);
    for (std::size_t i = 0; i < 100; ++i) bytes[i] = static_cast<std::byte>(i);
    segment.payload = {bytes, size};
    Arriving arriving(segment);
    TrimToWindow({RcvSeq(1000), 20}, arriving);
    return arriving;
  };
  const Arriving left = trim(-5, 10, kAck | kFin);
  EXPECT_EQ(left.seq, RcvSeq(1000));
  ASSERT_EQ(left.data.size(), 5u);
  EXPECT_EQ(left.data[0], std::byte{5});
  EXPECT_TRUE(left.fin);
  const Arriving right = trim(15, 10, kAck | kFin);
  EXPECT_EQ(right.data.size(), 5u);
  EXPECT_FALSE(right.fin);
  const Arriving exact = trim(10, 10, kAck | kFin);
  EXPECT_EQ(exact.data.size(), 10u);
  EXPECT_TRUE(exact.fin);
  const Arriving syn = trim(-1, 10, kAck | kSyn);  // the SYN itself lies before the window
  EXPECT_EQ(syn.data.size(), 10u);
  EXPECT_EQ(syn.seq, RcvSeq(1000));
}

TEST(Acceptance, Paws) {
  wire::Segment s;
  s.options.has_timestamp = true;
  s.options.ts_value = 99;
  EXPECT_TRUE(PawsRejects(100, 0, s));
  EXPECT_FALSE(PawsRejects(99, 0, s));
  EXPECT_FALSE(PawsRejects(100, 24u * 24 * 3600 * 1000, s));  // TS.Recent is outdated itself
  EXPECT_TRUE(PawsRejects(100, 24u * 24 * 3600 * 1000 - 1, s));
  s.options.ts_value = 0xffffffff;
  EXPECT_TRUE(PawsRejects(5, 0, s));  // across the wrap
  EXPECT_FALSE(PawsRejects(0xfffffff0, 0, s));
  s.flags = kRst;
  EXPECT_FALSE(PawsRejects(5, 0, s));
  s.flags = kAck;
  s.options.has_timestamp = false;
  EXPECT_FALSE(PawsRejects(5, 0, s));
}

// --- Round-trip time: RFC 6298 by hand -----------------------------------------------------------

TEST(Rtt, Rfc6298ByHand) {
  BareTcb b;
  b.settings.policy.rto_min_of_whole = true;
  b.settings.rto_min_ms = 1;
  TakeRttSample(b.cx, b.tcb, milliseconds(400));
  EXPECT_EQ(b.tcb.rtt.srtt8 / 8, 400'000u);  // SRTT = R
  EXPECT_EQ(b.tcb.rtt.mdev4 / 4, 200'000u);  // RTTVAR = R/2
  EXPECT_EQ(BackedOffRto(b.cx, b.tcb), milliseconds(1200));
  TakeRttSample(b.cx, b.tcb, milliseconds(480));
  // RTTVAR = 3/4 * 200 + 1/4 * 80 = 170; SRTT = 7/8 * 400 + 1/8 * 480 = 410
  EXPECT_EQ(b.tcb.rtt.mdev4 / 4, 170'000u);
  EXPECT_EQ(b.tcb.rtt.srtt8 / 8, 410'000u);
  EXPECT_EQ(BackedOffRto(b.cx, b.tcb), milliseconds(1090));
  TakeRttSample(b.cx, b.tcb, milliseconds(210));
  // RTTVAR = 127.5 + 50 = 177.5; SRTT = 410 - 25 = 385
  EXPECT_EQ(b.tcb.rtt.mdev4 / 4, 177'500u);
  EXPECT_EQ(b.tcb.rtt.srtt8 / 8, 385'000u);
  EXPECT_EQ(b.tcb.rtt.min, 210'000u);
}

// The other estimator: a deviation that shrinks counts for less when the round trip is shorter than
// usual, and what the RTO adds comes down by a quarter in each round trip, not with each sample.
TEST(Rtt, AsLinuxByHand) {
  BareTcb b;
  b.settings.rto_min_ms = 10;
  TakeRttSample(b.cx, b.tcb, milliseconds(400));
  EXPECT_EQ(b.tcb.rtt.mdev4 / 4, 200'000u);
  TakeRttSample(b.cx, b.tcb, milliseconds(480));
  EXPECT_EQ(b.tcb.rtt.mdev4 / 4, 170'000u);
  EXPECT_EQ(b.tcb.rtt.rttvar4 / 4, 200'000u);  // the round trip is not over
  TakeRttSample(b.cx, b.tcb, milliseconds(210));
  // 200 - 170 = 30 more than the deviation, an eighth of which counts: 680 + 3.75
  EXPECT_EQ(b.tcb.rtt.mdev4, 683'750u);
  EXPECT_EQ(b.tcb.rtt.srtt8 / 8, 385'000u);
}

// The deviation comes down once in a round trip, wherever in sequence space the connection is.
TEST(Rtt, ANarrowerDeviationIsLearnedAnywhereInSequenceSpace) {
  const auto margin_at = [](std::uint32_t una) {
    BareTcb b;
    b.tcb.snd.una = SndSeq(una);
    b.tcb.snd.nxt = SndSeq(una + 1000);
    EXPECT_NE(b.buffers.AttachSend(b.tcb), nullptr);
    TakeRttSample(b.cx, b.tcb, milliseconds(1000));
    for (int i = 0; i < 50; ++i) {
      b.tcb.snd.una += 1001;
      b.tcb.snd.nxt += 1001;
      TakeRttSample(b.cx, b.tcb, milliseconds(1000));
    }
    b.buffers.Detach(b.tcb);
    return b.tcb.rtt.rttvar4;
  };
  EXPECT_LT(margin_at(0x1000'0000), 250'000u);
  EXPECT_LT(margin_at(0x9000'0000), 250'000u);
}

TEST(Rtt, TheMarginIsAtLeastTheMinimum) {
  BareTcb b;
  for (int i = 0; i < 100; ++i) TakeRttSample(b.cx, b.tcb, milliseconds(30));
  EXPECT_EQ(BackedOffRto(b.cx, b.tcb), milliseconds(230));
  b.settings.rto_min_ms = 1000;
  TakeRttSample(b.cx, b.tcb, milliseconds(30));
  EXPECT_EQ(BackedOffRto(b.cx, b.tcb), milliseconds(1030));
}

TEST(Rtt, BackOffDoublesToTheLimitAndASampleEndsIt) {
  BareTcb b;
  ResetRto(b.cx, b.tcb, false);
  EXPECT_EQ(BackedOffRto(b.cx, b.tcb), milliseconds(1000));
  b.tcb.rtt.backoff = 3;
  EXPECT_EQ(BackedOffRto(b.cx, b.tcb), milliseconds(8000));
  b.tcb.rtt.backoff = 200;
  EXPECT_EQ(BackedOffRto(b.cx, b.tcb), milliseconds(120'000));
  TakeRttSample(b.cx, b.tcb, milliseconds(100));
  EXPECT_EQ(b.tcb.rtt.backoff, 0);
  ResetRto(b.cx, b.tcb, true);  // RFC 6298 §5.7
  EXPECT_EQ(BackedOffRto(b.cx, b.tcb), milliseconds(3000));
}

TEST(Rtt, SynTimeouts) {
  Settings s;
  const int doubled[] = {1, 2, 4, 8, 16, 32, 64, 120, 120};
  for (int i = 0; i < 9; ++i)
    EXPECT_EQ(SynTimeout(s, SocketOptions{}, i, 0), std::chrono::seconds(doubled[i]));
  const int linear[] = {1, 1, 1, 1, 1, 2, 4, 8};
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(SynTimeout(s, SocketOptions{}, i, 4), std::chrono::seconds(linear[i]));
}

// --- Negotiation ---------------------------------------------------------------------------------

TEST(Negotiation, MssOfBothDirections) {
  SocketOptions o;
  Settings s;
  EXPECT_EQ(AnnouncedMss(1500, true, o), 1460);
  EXPECT_EQ(AnnouncedMss(1500, false, o), 1440);
  EXPECT_EQ(AnnouncedMss(65535, true, o), 65495);
  o.max_segment = 1000;
  EXPECT_EQ(AnnouncedMss(1500, true, o), 1000);
  wire::TcpOptions theirs;
  EXPECT_EQ(PeerMss(s, theirs, true), 536);
  EXPECT_EQ(PeerMss(s, theirs, false), 1220);
  theirs.has_mss = true;
  theirs.mss = 1;
  EXPECT_EQ(PeerMss(s, theirs, true), s.min_snd_mss);
  theirs.mss = 1400;
  EXPECT_EQ(PeerMss(s, theirs, true), 1400);
  EXPECT_EQ(SendMss(1400, 1460, false, SocketOptions{}), 1400);
  EXPECT_EQ(SendMss(1400, 1460, true, SocketOptions{}), 1388);
  EXPECT_EQ(SendMss(1400, 1460, true, o), 988);
}

TEST(Negotiation, OnlyWhatBothOffered) {
  Settings s;
  const Offer ours = MakeOffer(s, SocketOptions{}, 1460);
  EXPECT_TRUE(ours.timestamps && ours.window_scaling && ours.sack);
  EXPECT_LE(ours.window, 65535);
  EXPECT_EQ(ours.window % 1460, 0);
  // 6 MiB must be announceable: 65535 << 7 is the first to reach it.
  EXPECT_EQ(ours.window_scale, 7);
  for (int bits = 0; bits < 8; ++bits) {
    wire::TcpOptions theirs;
    theirs.has_timestamp = (bits & 1) != 0;
    theirs.has_window_scale = (bits & 2) != 0;
    theirs.sack_permitted = (bits & 4) != 0;
    const Offer a = Answered(s, SocketOptions{}, ours, theirs);
    EXPECT_EQ(a.timestamps, theirs.has_timestamp);
    EXPECT_EQ(a.window_scaling, theirs.has_window_scale);
    EXPECT_EQ(a.window_scale, theirs.has_window_scale ? 7 : 0);
    EXPECT_EQ(a.sack, theirs.sack_permitted);
  }
}

TEST(Negotiation, ScalesOverFourteenCountAsFourteen) {
  BareTcb b;
  b.tcb.window_scaling = true;
  b.tcb.announced_mss = 1460;
  wire::TcpOptions theirs;
  theirs.has_window_scale = true;
  theirs.window_scale = 200;
  Agree(b.tcb, theirs, 1460);
  EXPECT_EQ(b.tcb.send_scale, 14);
}

// --- Reno ----------------------------------------------------------------------------------------

AckNews Delivered(std::uint32_t bytes) {
  AckNews news;
  news.delivered = bytes;
  news.advanced = true;
  return news;
}

TEST(Reno, InitialWindowSlowStartAndAvoidance) {
  BareTcb b;
  b.tcb.send_mss = 1448;
  EXPECT_EQ(InitialWindow(b.tcb), 14480u);
  b.tcb.send_mss = 8948;
  EXPECT_EQ(InitialWindow(b.tcb), 17896u);
  b.tcb.send_mss = 2000;
  EXPECT_EQ(InitialWindow(b.tcb), 14600u);
  b.tcb.send_mss = 1000;
  kReno.begin(b.cx, b.tcb);
  EXPECT_EQ(b.tcb.cwnd, 10'000u);
  kReno.acked(b.cx, b.tcb, Delivered(2000), true);
  EXPECT_EQ(b.tcb.cwnd, 12'000u);
  kReno.acked(b.cx, b.tcb, Delivered(2000), false);  // not in use: does not grow
  EXPECT_EQ(b.tcb.cwnd, 12'000u);
  b.tcb.ssthresh = kReno.reduced(b.cx, b.tcb);
  EXPECT_EQ(b.tcb.ssthresh, 6000u);
  b.tcb.cwnd = 6000;
  for (int i = 0; i < 5; ++i) kReno.acked(b.cx, b.tcb, Delivered(1000), true);
  EXPECT_EQ(b.tcb.cwnd, 6000u);
  kReno.acked(b.cx, b.tcb, Delivered(1000), true);  // a window's worth: one segment more
  EXPECT_EQ(b.tcb.cwnd, 7000u);
  b.tcb.cwnd = 1000;
  EXPECT_EQ(kReno.reduced(b.cx, b.tcb), 2000u);  // at least two segments
}

TEST(Rtt, ARepeatSeriesIsLinuxsModel) {
  Settings s;
  SocketOptions o;
  EXPECT_EQ(RepeatSeries(s, o, 0), milliseconds(200));
  EXPECT_EQ(RepeatSeries(s, o, 3), milliseconds(3000));
  EXPECT_EQ(RepeatSeries(s, o, 8), milliseconds(102'200));
  EXPECT_EQ(RepeatSeries(s, o, 15), milliseconds(924'600));
  o.rto_max_ms = 1000;
  EXPECT_EQ(RepeatSeries(s, o, 4), milliseconds(200 + 400 + 800 + 1000 + 1000));
}

TEST(Challenges, EachSecondsShareIsDrawnAroundTheLimit) {
  Settings s;
  for (const int limit : {1, 2, 7, 1000}) {
    s.challenge_ack_limit = limit;
    ChallengeBudget budget;
    int least = INT32_MAX;
    int most = 0;
    for (Stamp second = 0; second < 200; ++second) {
      int n = 0;
      while (TakeChallenge(budget, s, second * 1000 + 5)) ++n;
      least = std::min(least, n);
      most = std::max(most, n);
    }
    EXPECT_GE(least, (limit + 1) / 2);
    EXPECT_LE(most, (limit + 1) / 2 + limit - 1);
    EXPECT_TRUE(limit < 7 || most > limit) << "not random";
  }
  s.challenge_ack_limit = 0;
  ChallengeBudget none;
  EXPECT_FALSE(TakeChallenge(none, s, 5));
}

// --- Records: decisions without state ------------------------------------------------------------

TEST(HalfOpenDecision, ChangesNothingButTheRateLimit) {
  Settings s;
  ChallengeBudget budget;
  HalfOpen half;
  half.irs = RcvSeq(1000);
  half.iss = SndSeq(5000);
  half.window = 100;
  wire::Segment rst;
  rst.flags = kRst;
  rst.seq = 1001;
  EXPECT_EQ(ArriveHalfOpen(s, SocketOptions{}, 10, rst, half, budget).step, HalfOpenStep::kForget);
  rst.seq = 1050;
  EXPECT_EQ(ArriveHalfOpen(s, SocketOptions{}, 10, rst, half, budget).step, HalfOpenStep::kAck);
  EXPECT_EQ(ArriveHalfOpen(s, SocketOptions{}, 11, rst, half, budget).step, HalfOpenStep::kDrop);
  EXPECT_EQ(ArriveHalfOpen(s, SocketOptions{}, 510, rst, half, budget).step, HalfOpenStep::kAck);
  rst.seq = 1101;
  EXPECT_EQ(ArriveHalfOpen(s, SocketOptions{}, 2000, rst, half, budget).step, HalfOpenStep::kDrop);
  wire::Segment ack;
  ack.flags = kAck;
  ack.seq = 1001;
  ack.ack = 5001;
  EXPECT_EQ(ArriveHalfOpen(s, SocketOptions{}, 2000, ack, half, budget).step,
            HalfOpenStep::kComplete);
  ack.ack = 5000;
  EXPECT_EQ(ArriveHalfOpen(s, SocketOptions{}, 2000, ack, half, budget).step, HalfOpenStep::kReset);
  EXPECT_EQ(half.iss, SndSeq(5000));
}

TEST(TimeWaitDecision, RestartsAndReuse) {
  Settings s;
  TimeWait record;
  record.rcv_nxt = RcvSeq(1000);
  record.snd_nxt = SndSeq(5000);
  record.timestamps = 1;
  record.ts_recent = 50;
  wire::Segment ack;
  ack.flags = kAck;
  ack.seq = 1000;
  ack.options.has_timestamp = true;
  ack.options.ts_value = 60;
  const auto in_sequence = ArriveTimeWait(s, 100, 0, ack, false, record);
  EXPECT_TRUE(in_sequence.restart);
  EXPECT_FALSE(in_sequence.ack);
  EXPECT_EQ(record.ts_recent, 60u);
  ack.flags = kSyn;
  ack.options.ts_value = 59;
  ack.seq = 2000;
  const auto older = ArriveTimeWait(s, 100, 0, ack, true, record);
  EXPECT_FALSE(older.restart || older.end);
  ack.options.ts_value = 61;
  ack.seq = 10;
  EXPECT_TRUE(ArriveTimeWait(s, 100, 0, ack, true, record).reopen);
  EXPECT_FALSE(ArriveTimeWait(s, 100, 0, ack, false, record).end);
  // tcp_tw_reuse: 0 never, 1 always, 2 on loopback; after the delay; with timestamps.
  record.entered_at = 500;
  for (int reuse : {0, 1, 2}) {
    s.tw_reuse = reuse;
    EXPECT_EQ(MayReuse(s, 1500, false, false, record), reuse == 1);
    EXPECT_EQ(MayReuse(s, 1500, true, false, record), reuse != 0);
    EXPECT_FALSE(MayReuse(s, 1499, true, false, record));
  }
  record.timestamps = 0;
  EXPECT_FALSE(MayReuse(s, 1500, true, false, record));
}

}  // namespace
}  // namespace estab::tcp
