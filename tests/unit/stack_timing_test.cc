// Every timer of a connection in virtual time: what goes out, when, and how it ends.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "matrix/raw_peer.h"

namespace estab::test {
namespace {

// Times of what was sent, in milliseconds from `from`, and no more than a few ticks late.
void ExpectTimes(const std::vector<Sent>& sent, Time from, const std::vector<double>& expected) {
  std::vector<double> times;
  for (const Sent& s : sent) times.push_back(static_cast<double>((s.at - from).count()) / 1e6);
  ASSERT_EQ(times.size(), expected.size()) << testing::PrintToString(times);
  for (std::size_t i = 0; i < times.size(); ++i) {
    // Each wait of the series may be rounded up to a tick of 1 ms.
    EXPECT_GE(times[i], expected[i]) << "number " << i;
    EXPECT_LE(times[i], expected[i] + 1.0 + static_cast<double>(i)) << "number " << i;
  }
}

class Timing : public testing::TestWithParam<bool> {
 protected:
  std::vector<std::string> Rules() {
    std::vector<std::string> names;
    for (const Fired& f : peer.TakeRules()) names.push_back(f.name());
    return names;
  }
  void Ended(SocketId id, const char* rule, Error error, double after_ms, Time from,
             double slack = 20) {
    const auto fired = peer.TakeRules();
    ASSERT_FALSE(fired.empty());
    EXPECT_EQ(fired.back().name(), rule);
    EXPECT_EQ(fired.back().to, State::kClosed);
    const double at = static_cast<double>((fired.back().at - from).count()) / 1e6;
    EXPECT_GE(at, after_ms);
    EXPECT_LE(at, after_ms + slack);
    EXPECT_EQ(*peer.stack->TakeError(id), std::optional(error));
    EXPECT_EQ(*peer.stack->TakeError(id), std::optional<Error>());  // told once
  }

  RawPeer peer{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(Families, Timing, testing::Bool(),
                         [](const auto& p) { return p.param ? "Ipv6" : "Ipv4"; });

TEST_P(Timing, SynIsRepeatedAt1_3_7_15_31AndGivenUpAt63) {
  const SocketId id = peer.Connect();
  const Time start = peer.now;
  peer.Pass(seconds(200));
  const auto sent = peer.Take();
  ExpectTimes(sent, start, {1000, 3000, 7000, 15000, 31000});
  for (const Sent& s : sent) EXPECT_EQ(s.segment.seq, peer.iss);
  Ended(id, "syn-give-up", Error::kTimedOut, 63000, start, 0);
}

TEST_P(Timing, SynSettingsAndOption) {
  peer.Set("net.ipv4.tcp_syn_retries", "3");
  peer.Set("estab.tcp_rto_initial", "3s");
  Time start = peer.now;
  SocketId id = peer.Connect();
  peer.Pass(seconds(200));
  ExpectTimes(peer.Take(), start, {3000, 9000, 21000});
  Ended(id, "syn-give-up", Error::kTimedOut, 45000, start, 0);

  peer.Set("estab.tcp_rto_initial", "1000");
  peer.Set("net.ipv4.tcp_syn_linear_timeouts", "2");
  id = *peer.stack->Open(peer.v6);
  SocketOptions options;
  options.syn_count = 4;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  start = peer.now;
  EXPECT_EQ(peer.stack->Connect(peer.now, id, {peer.theirs(), 9}).error(), Error::kInProgress);
  peer.Take();
  peer.Pass(seconds(200));
  // As on Linux the linear time-outs come on top of the retries.
  ExpectTimes(peer.Take(), start, {1000, 2000, 3000, 5000, 9000, 17000});
  Ended(id, "syn-give-up", Error::kTimedOut, 33000, start, 0);
}

TEST_P(Timing, SynAckOfRecord) {
  peer.Listen();
  peer.HalfOpen();
  const Time start = peer.now;
  peer.Pass(seconds(100));
  ExpectTimes(peer.Take(), start, {1000, 3000, 7000, 15000, 31000});
  const auto fired = peer.TakeRules();
  EXPECT_EQ(fired.back().name(), "syn-ack-give-up");
  EXPECT_EQ(fired.back().at, start + seconds(63));
  EXPECT_EQ(peer.stack->Counters().half_open, 0u);
}

TEST_P(Timing, AnsweredSynRestartsTheSynAckTimerUncounted) {
  peer.Listen();
  peer.HalfOpen();
  const Time start = peer.now;
  peer.Until(start + milliseconds(600));
  peer.Segment(kSyn, peer.irs, 0);
  peer.Until(start + milliseconds(900));
  peer.Segment(kSyn, peer.irs, 0);  // within tcp_invalid_ratelimit: dropped
  peer.Until(start + seconds(100));
  ExpectTimes(peer.Take(), start, {600, 1600, 3600, 7600, 15600, 31600});
  EXPECT_EQ(peer.TakeRules().back().at, start + milliseconds(63600));
}

TEST_P(Timing, SynAckOfSimultaneousOpen) {
  const SocketId id = peer.Connect();
  peer.Segment(kSyn, peer.irs, 0);
  const Time start = peer.now;
  ASSERT_EQ(peer.Take().size(), 1u);
  peer.Pass(seconds(100));
  ExpectTimes(peer.Take(), start, {1000, 3000, 7000, 15000, 31000});
  Ended(id, "syn-ack-give-up-active", Error::kTimedOut, 63000, start, 0);
}

TEST_P(Timing, DataSeriesEndsAfter924Seconds) {
  const SocketId id = peer.Established();
  const Time start = peer.now;
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes("hello")));
  ASSERT_EQ(peer.Take().size(), 1u);
  peer.Pass(seconds(2000));
  const auto sent = peer.Take();
  std::vector<double> expected;
  double at = 0;
  double wait = 200;
  for (int i = 0; i < 15; ++i) {
    at += wait;
    expected.push_back(at);
    wait = std::min(wait * 2, 120000.0);
  }
  EXPECT_DOUBLE_EQ(at + wait, 924600);
  ExpectTimes(sent, start, expected);
  for (const Sent& s : sent) EXPECT_EQ(s.payload, "hello");
  Ended(id, "retransmit-give-up", Error::kTimedOut, 924600, start);
}

TEST_P(Timing, OrphansFinSeries) {
  peer.Set("net.ipv4.tcp_orphan_retries", "3");
  const SocketId id = peer.Established();
  const Time start = peer.now;
  ASSERT_TRUE(peer.stack->Close(peer.now, id));
  EXPECT_EQ(peer.Take().size(), 1u);
  EXPECT_EQ(peer.stack->Counters().orphans, 1u);
  peer.Pass(seconds(100));
  const auto sent = peer.Take();
  ExpectTimes(sent, start, {200, 600, 1400});
  for (const Sent& s : sent) EXPECT_TRUE(s.segment.Has(kFin));
  const auto fired = peer.TakeRules();
  EXPECT_EQ(fired.back().name(), "orphan-give-up");
  EXPECT_NEAR(static_cast<double>((fired.back().at - start).count()) / 1e6, 3000, 5);
  EXPECT_EQ(peer.stack->Counters().orphans, 0u);
  EXPECT_EQ(peer.stack->Counters().sockets, 0u);
}

TEST_P(Timing, OrphanRetriesZeroMeansEight) {
  const SocketId id = peer.Established();
  ASSERT_TRUE(peer.stack->Close(peer.now, id));
  peer.Take();
  peer.Pass(seconds(1000));
  EXPECT_EQ(peer.Take().size(), 8u);
}

TEST_P(Timing, LastAckSeries) {
  peer.Set("net.ipv4.tcp_orphan_retries", "2");
  const SocketId id = peer.Established();
  peer.Segment(kFin | kAck, peer.irs + 1, peer.iss + 1);
  const Time start = peer.now;
  ASSERT_TRUE(peer.stack->Close(peer.now, id));
  ASSERT_EQ(peer.Take().size(), 1u);  // ACK and FIN in one
  peer.Pass(seconds(100));
  ExpectTimes(peer.Take(), start, {200, 600});
  EXPECT_EQ(peer.stack->Counters().sockets, 0u);
}

TEST_P(Timing, ZeroWindowIsProbedWithDoublingForEverWhileAnswered) {
  const SocketId id = peer.Established();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.window = 0});
  const Time start = peer.now;
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes("waits")));
  EXPECT_TRUE(peer.Take().empty());
  std::vector<Sent> probes;
  while (peer.now < start + seconds(5000)) {
    peer.Until(peer.stack->NextDeadline());
    for (Sent& s : peer.Take()) {
      EXPECT_EQ(s.segment.seq, peer.iss);  // SND.UNA - 1: old news on purpose
      EXPECT_EQ(s.payload, "");
      probes.push_back(std::move(s));
      peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.window = 0});
    }
  }
  ASSERT_GT(probes.size(), 40u);
  probes.resize(4);
  ExpectTimes(probes, start, {200, 600, 1400, 3000});
  EXPECT_EQ(peer.StateOf(id), State::kEstablished);
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.window = 1000});
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].payload, "waits");
}

TEST_P(Timing, UnansweredProbesGiveUp) {
  peer.Set("net.ipv4.tcp_retries2", "4");
  const SocketId id = peer.Established();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.window = 0});
  const Time start = peer.now;
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes("waits")));
  peer.Pass(seconds(100));
  ExpectTimes(peer.Take(), start, {200, 600, 1400, 3000});
  Ended(id, "persist-give-up", Error::kTimedOut, 6200, start);
}

TEST_P(Timing, OrphanBehindAZeroWindowEndsEvenIfAnswered) {
  peer.Set("net.ipv4.tcp_orphan_retries", "3");
  const SocketId id = peer.Established();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.window = 0});
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes("waits")));
  ASSERT_TRUE(peer.stack->Close(peer.now, id));
  const Time start = peer.now;
  while (peer.stack->NextDeadline() < start + seconds(60)) {
    peer.Until(peer.stack->NextDeadline());
    if (!peer.Take().empty()) {
      peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.window = 0});
    }
  }
  EXPECT_EQ(peer.stack->Counters().sockets, 0u);
  EXPECT_EQ(peer.TakeRules().back().name(), "persist-give-up");
}

TEST_P(Timing, KeepaliveGivesUpAfter7950Seconds) {
  const SocketId id = peer.Established();
  SocketOptions options;
  options.keepalive = true;
  const Time start = peer.now;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  peer.Pass(seconds(9000));
  auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 11u);
  EXPECT_EQ(sent.back().segment.flags & kRst, kRst);
  EXPECT_EQ(sent.back().segment.seq, peer.iss + 1);
  EXPECT_EQ(sent.back().at, start + seconds(7950));
  sent.pop_back();
  std::vector<double> expected;
  for (int i = 0; i < 10; ++i) expected.push_back(7200e3 + i * 75e3);
  ExpectTimes(sent, start, expected);
  for (const Sent& s : sent) {
    EXPECT_EQ(s.segment.seq, peer.iss);
    EXPECT_EQ(s.payload, "");
    EXPECT_EQ(s.segment.flags, kAck);
  }
  Ended(id, "keepalive-give-up", Error::kTimedOut, 7950e3, start, 0);
}

TEST_P(Timing, AnsweredKeepaliveStartsAgain) {
  const SocketId id = peer.Established();
  SocketOptions options;
  options.keepalive = true;
  options.keepalive_idle = 100;
  options.keepalive_interval = 10;
  options.keepalive_count = 2;
  const Time start = peer.now;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  peer.Pass(seconds(111));  // two probes
  EXPECT_EQ(peer.Take().size(), 2u);
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  const Time heard = peer.now;
  peer.Until(start + seconds(1000));
  auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(sent[0].at, heard + seconds(100));
  EXPECT_EQ(sent[2].at, heard + seconds(120));
  EXPECT_TRUE(sent[2].segment.Has(kRst));
}

TEST_P(Timing, OrphansFinWait2Lasts60Seconds) {
  const SocketId id = peer.Established();
  ASSERT_TRUE(peer.stack->Close(peer.now, id));
  const Time start = peer.now;
  peer.Flush();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 2);
  peer.Take();
  peer.Pass(seconds(100));
  EXPECT_TRUE(peer.Take().empty());
  const auto fired = peer.TakeRules();
  EXPECT_EQ(fired.back().name(), "fin-wait-2-over");
  EXPECT_EQ(fired.back().at, start + seconds(60));
  EXPECT_EQ(peer.stack->Counters().sockets, 0u);
  EXPECT_EQ(peer.stack->Counters().time_wait, 0u);
}

TEST_P(Timing, HalfClosedFinWait2LastsForEver) {
  const SocketId id = peer.Established();
  ASSERT_TRUE(peer.stack->Shutdown(peer.now, id, How::kWrite));
  peer.Flush();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 2);
  peer.Pass(seconds(1'000'000));
  EXPECT_EQ(peer.StateOf(id), State::kFinWait2);
  EXPECT_EQ(peer.stack->NextDeadline(), kNever);
  ASSERT_TRUE(peer.stack->Close(peer.now, id));
  EXPECT_EQ(peer.stack->NextDeadline(), peer.now + seconds(60));
}

TEST_P(Timing, Linger2) {
  for (int wait : {5, -1}) {
    RawPeer p(peer.v6);
    const SocketId id = p.Established();
    SocketOptions options;
    options.fin_wait2_seconds = wait;
    ASSERT_TRUE(p.stack->SetOptions(p.now, id, options));
    ASSERT_TRUE(p.stack->Close(p.now, id));
    p.Take();
    p.Segment(kAck, p.irs + 1, p.iss + 2);
    const auto sent = p.Take();
    if (wait > 0) {
      EXPECT_EQ(p.stack->NextDeadline(), p.now + seconds(wait));
      continue;
    }
    EXPECT_EQ(p.TakeRules().back().name(), "no-fin-wait-2-later");
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_TRUE(sent[0].segment.Has(kRst));
    EXPECT_EQ(p.stack->Counters().sockets, 0u);
  }
}

TEST_P(Timing, TimeWaitLasts60SecondsFromTheLastAck) {
  const SocketId id = peer.Established();
  ASSERT_TRUE(peer.stack->Close(peer.now, id));
  peer.Flush();
  peer.Segment(kFin | kAck, peer.irs + 1, peer.iss + 2);
  EXPECT_EQ(peer.stack->Counters().time_wait, 1u);
  EXPECT_EQ(peer.stack->Counters().sockets, 0u);
  peer.Pass(seconds(30));
  EXPECT_EQ(peer.stack->NextDeadline(), peer.now + seconds(30));
  peer.Segment(kFin | kAck, peer.irs + 1, peer.iss + 2);  // again: the wait begins anew
  EXPECT_EQ(peer.stack->NextDeadline(), peer.now + seconds(60));
  peer.Pass(seconds(10));
  peer.Segment(kSyn, peer.irs, 0);  // an old SYN: it does not
  EXPECT_EQ(peer.stack->NextDeadline(), peer.now + seconds(50));
  peer.Pass(seconds(50));
  EXPECT_EQ(peer.stack->Counters().time_wait, 0u);
  EXPECT_EQ(peer.TakeRules().back().name(), "time-wait-over");
}

TEST_P(Timing, UserTimeoutOnConnectDataAndKeepalive) {
  SocketOptions options;
  options.user_timeout_ms = 2500;
  SocketId id = *peer.stack->Open(peer.v6);
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  Time start = peer.now;
  EXPECT_EQ(peer.stack->Connect(peer.now, id, {peer.theirs(), 9}).error(), Error::kInProgress);
  peer.Take();
  peer.Pass(seconds(20));
  ExpectTimes(peer.Take(), start, {1000});
  Ended(id, "user-timeout", Error::kTimedOut, 2500, start, 1);

  id = peer.Established();
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  start = peer.now;
  ASSERT_TRUE(peer.stack->Send(peer.now, id, Bytes("hello")));
  peer.Take();
  peer.Pass(seconds(20));
  ExpectTimes(peer.Take(), start, {200, 600, 1400});
  Ended(id, "user-timeout", Error::kTimedOut, 2500, start, 1);

  peer.port = 4001;
  id = peer.Established();
  options.keepalive = true;
  options.keepalive_idle = 1;
  options.keepalive_interval = 1;
  start = peer.now;
  ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
  peer.Pass(seconds(20));
  EXPECT_EQ(peer.TakeRules().back().name(), "keepalive-give-up");
  EXPECT_EQ(*peer.stack->TakeError(id), std::optional(Error::kTimedOut));
}

TEST_P(Timing, DelayedAckAndEverySecondSegment) {
  const SocketId id = peer.Established();
  std::uint32_t seq = peer.irs + 1;
  // Past the quick ACKs of the beginning.
  const std::string full(1448, 'd');
  for (int i = 0; i < 40; ++i) {
    peer.Segment(kAck, seq, peer.iss + 1, {.data = full});
    seq += 1448;
    peer.Pass(milliseconds(10));
    peer.ReadAll(id);
  }
  peer.Pass(milliseconds(150));  // not so long that quick ACKs begin again
  peer.Take();
  const Time start = peer.now;
  peer.Segment(kAck, seq, peer.iss + 1, {.data = "x"});
  seq += 1;
  EXPECT_TRUE(peer.Take().empty());
  peer.Pass(milliseconds(150));
  auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_GE(sent[0].at - start, milliseconds(40));
  EXPECT_LE(sent[0].at - start, milliseconds(200));
  EXPECT_EQ(sent[0].segment.ack, seq);
  // Two full segments: at once.
  peer.Segment(kAck, seq, peer.iss + 1, {.data = full});
  EXPECT_TRUE(peer.Take().empty());
  peer.Segment(kAck, seq + 1448, peer.iss + 1, {.data = full});
  sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.ack, seq + 2 * 1448);
}

// The ACK of a FIN may wait for a ride; closing by the user then must not trip over its timer.
TEST_P(Timing, DelayedAckOutlivesCloseBehindAClosedWindow) {
  const SocketId id = peer.Established();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.window = 0});
  peer.Segment(kFin | kAck, peer.irs + 1, peer.iss + 1, {.window = 0});
  peer.Take();
  ASSERT_TRUE(peer.stack->Shutdown(peer.now, id, How::kWrite));
  EXPECT_EQ(peer.StateOf(id), State::kLastAck);
  peer.Pass(milliseconds(100));
  const auto sent = peer.Take();
  ASSERT_GE(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.ack, peer.irs + 2);
}

TEST_P(Timing, DelayedAckOutlivesABusyLink) {
  const SocketId id = peer.Established();
  const std::string full(1448, 'd');
  std::uint32_t seq = peer.irs + 1;
  for (int i = 0; i < 20; ++i) {
    peer.Segment(kAck, seq, peer.iss + 1, {.data = full});
    seq += 1448;
  }
  peer.Pass(seconds(1));
  peer.ReadAll(id);
  ASSERT_TRUE(peer.stack->Shutdown(peer.now, id, How::kWrite));
  peer.Take();
  peer.Segment(kAck, seq, peer.iss + 1, {.data = "x"});  // its ACK waits
  peer.sink.room = 0;
  peer.Segment(kAck | kFin, seq + 1, peer.iss + 1);  // CLOSING; the link takes nothing
  EXPECT_EQ(peer.StateOf(id), State::kClosing);
  peer.Pass(seconds(1));
  peer.sink.room = SIZE_MAX;
  EXPECT_FALSE(peer.Take().empty());
}

}  // namespace
}  // namespace estab::test
