// Connections whose owner has gone: how long they last, and what they answer.
#include <gtest/gtest.h>

#include "closing_peer.h"

namespace estab::test {
namespace {

// close/fin-lost: repeats of a FIN, and the end, for a number of retries.
void ExpectFinSeries(const char* profile, const char* retries, std::vector<double> at, double end) {
  SCOPED_TRACE(std::string(profile) + " " + retries);
  ClosingPeer p(profile);
  p.Set("net.ipv4.tcp_orphan_retries", retries);
  p.sack = std::string_view(profile) != "linux";  // there a tail loss probe would come first
  const SocketId id = p.Established();
  const Time start = p.now;
  p.Close(id);
  p.Until(start + std::chrono::microseconds(static_cast<std::int64_t>(end * 1e6) - 1000));
  EXPECT_FALSE(p.Gone()) << p.LastRule(start);
  p.Pass(milliseconds(20));
  EXPECT_TRUE(p.Gone());
  ExpectTimes(p.TimesOf(start), at);
  EXPECT_EQ(p.stack->Counters().time_wait, 0u);
}

TEST(Orphan, RepeatsItsFinAsOftenAsAllowed) {
  ExpectFinSeries("default", "3", {0.2, 0.6, 1.4}, 3.0);
  ExpectFinSeries("default", "1", {0.2}, 0.6);
  ExpectFinSeries("default", "5", {0.2, 0.6, 1.4, 3.0, 6.2}, 12.6);
  ExpectFinSeries("default", "0", {0.2, 0.6, 1.4, 3.0, 6.2, 12.6, 25.4, 51}, 102.2);
  ExpectFinSeries("linux", "3", {0.2, 0.6, 1.4, 3.0}, 6.2);
  ExpectFinSeries("linux", "1", {0.2, 0.6}, 1.4);
  ExpectFinSeries("linux", "0", {0.2, 0.6, 1.4, 3.0, 6.2, 12.6, 25.4, 51, 102.2}, 204.6);
  ExpectFinSeries("rfc", "2", {1, 3}, 7);
}

// close/fin-wait-2: max(tcp_fin_timeout, 3.5 RTO), TCP_LINGER2.
void ExpectFinWait2(const char* profile, const char* timeout, int linger2, double seconds) {
  SCOPED_TRACE(std::string(profile) + " " + timeout + " " + std::to_string(linger2));
  ClosingPeer p(profile);
  p.Set("net.ipv4.tcp_fin_timeout", timeout);
  SocketOptions o;
  o.fin_wait2_seconds = linger2;
  p.FinWait2(o);
  const Time start = p.now;
  p.Until(start + std::chrono::microseconds(static_cast<std::int64_t>(seconds * 1e6) - 1000));
  EXPECT_FALSE(p.Gone());
  p.Pass(milliseconds(4));
  EXPECT_TRUE(p.Gone());
}

TEST(Orphan, FinWait2LastsAsLongAsItIsSet) {
  ExpectFinWait2("default", "60", 0, 60);
  ExpectFinWait2("default", "7", 0, 7);
  ExpectFinWait2("default", "7", 20, 20);
  ExpectFinWait2("default", "60", 90, 90);
  ExpectFinWait2("default", "0", 0, 0.7);  // 3.5 RTO of 200 ms
  ExpectFinWait2("rfc", "1", 0, 3.5);
  // Linux counts what lies above a minute twice, and the minute not at all (measured: 6.18).
  ExpectFinWait2("linux", "60", 0, 60);
  ExpectFinWait2("linux", "60", 63, 6);
  ExpectFinWait2("linux", "60", 90, 60);
  ExpectFinWait2("linux", "60", 120, 120);
}

TEST(Orphan, NegativeLinger2AnswersTheAckOfTheFinWithAReset) {
  ClosingPeer p;
  const SocketId id = p.Established();
  SocketOptions o;
  o.fin_wait2_seconds = -1;
  p.Options(id, o);
  p.Close(id);
  p.Ack(2);
  const auto sent = p.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.flags, kRst);
  EXPECT_EQ(sent[0].segment.seq, p.iss + 2);
  EXPECT_TRUE(p.Gone());
}

TEST(Orphan, AFinAheadOfAGapTellsOfDataAndIsReset) {
  for (const std::uint32_t ack : {1u, 2u}) {
    ClosingPeer p;
    p.Close(p.Established());
    p.Segment(kFin | kAck, p.irs + 20, p.iss + ack);
    const auto sent = p.Take();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].segment.flags, kRst);
    EXPECT_TRUE(p.Gone());
  }
}

TEST(Orphan, OldDuplicatesDoNotReset) {
  ClosingPeer p;
  const SocketId id = p.Established();
  p.Segment(kAck, p.irs + 1, p.iss + 1, {.data = "known"});
  EXPECT_EQ(p.ReadAll(id), "known");
  p.Close(id);
  p.Segment(kAck, p.irs + 1, p.iss + 2, {.data = "known"});
  for (const Sent& s : p.Take()) EXPECT_EQ(s.segment.flags, kAck);
  EXPECT_FALSE(p.Gone());
}

TEST(Orphan, LinuxsRecordForFinWait2) {
  for (const char* profile : {"default", "linux"}) {
    const bool record = profile[0] == 'l';
    ClosingPeer p(profile);
    p.FinWait2();
    p.Segment(kSyn, p.irs + 50, 0);
    auto sent = p.Take();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].segment.flags, record ? kRst | kAck : kAck);
    EXPECT_EQ(p.Gone(), record);

    ClosingPeer q(profile);
    q.FinWait2();
    q.Segment(kRst, q.irs + 50, 0);
    EXPECT_EQ(q.Take().size(), record ? 0u : 1u);
    EXPECT_EQ(q.Gone(), record);
  }
}

TEST(Orphan, TheLimitIsExactAndEndsWithAReset) {
  ClosingPeer p;
  p.Set("net.ipv4.tcp_max_orphans", "2");
  std::vector<SocketId> ids;
  for (std::uint16_t i = 0; i < 4; ++i) {
    p.port = static_cast<std::uint16_t>(4000 + i);
    ids.push_back(p.Established());
  }
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(p.stack->Close(p.now, ids[static_cast<std::size_t>(i)]));
    const auto sent = p.Take();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].segment.flags, i < 2 ? kFin | kAck : kRst | kAck);
  }
  EXPECT_EQ(p.stack->Counters().orphans, 2u);
}

// On Linux it is a TIME_WAIT record by then; where it stays a connection, it counts as one.
TEST(Orphan, InFinWait2CountsAsWhatItIs) {
  for (const char* profile : {"default", "linux", "rfc"}) {
    SCOPED_TRACE(profile);
    const bool record = profile[0] == 'l';
    ClosingPeer p(profile);
    p.Set("net.ipv4.tcp_max_orphans", "1");
    p.FinWait2();
    EXPECT_EQ(p.stack->Counters().orphans, record ? 0u : 1u);
    p.port = 4001;
    p.Close(p.Established());  // FIN_WAIT_1, or too many
    EXPECT_EQ(p.LastRule(p.now), record ? "close-established 0" : "too-many-orphans 0");
    EXPECT_EQ(p.stack->Counters().orphans, 1u);
    // A close that leads to a record asks no limit of orphans.
    p.port = 4002;
    const SocketId id = p.Established();
    ASSERT_TRUE(p.stack->Shutdown(p.now, id, How::kWrite));
    p.Take();
    p.Ack(2);
    p.Close(id);
    EXPECT_EQ(p.LastRule(p.now), record ? "close-again 0" : "too-many-orphans 0");
  }
}

TEST(Orphan, LinuxsRecordForFinWait2HasTheLimitOfRecords) {
  ClosingPeer p("linux");
  p.Set("net.ipv4.tcp_max_tw_buckets", "1");
  p.FinWait2();
  const std::uint32_t iss = p.iss;
  const std::uint16_t our_port = p.our_port;
  p.port = 4001;
  p.FinWait2();
  EXPECT_EQ(p.LastRule(p.now), "fin-wait-2-refused 0");
  EXPECT_EQ(p.stack->Counters().sockets, 1u);
  EXPECT_EQ(p.stack->Counters().time_wait_overflows, 1u);
  // The one that has a place keeps it in TIME_WAIT, and gives it back at the end.
  p.port = 4000;
  p.our_port = our_port;
  p.Segment(kFin | kAck, p.irs + 1, iss + 2);
  EXPECT_EQ(p.stack->Counters().time_wait, 1u);
  p.Take();
  p.Pass(seconds(61));
  p.FinWait2();
  EXPECT_FALSE(p.Gone());
  p.Pass(seconds(61));
  EXPECT_TRUE(p.Gone());
  p.FinWait2();
  EXPECT_FALSE(p.Gone());
}

// What lies above a minute is spent as a connection first.
TEST(Orphan, InALongFinWait2LinuxCountsItUntilItsLastMinute) {
  ClosingPeer p("linux");
  SocketOptions o;
  o.fin_wait2_seconds = 90;
  p.FinWait2(o);
  EXPECT_EQ(p.stack->Counters().orphans, 1u);
  p.Pass(milliseconds(29'990));
  EXPECT_EQ(p.stack->Counters().orphans, 1u);
  p.Pass(milliseconds(20));
  EXPECT_EQ(p.stack->Counters().orphans, 0u);
  EXPECT_FALSE(p.Gone());
}

// timer/persist: an orphan's probes are counted even if they are answered.
TEST(Orphan, ProbesAClosedWindowOnlySoOften) {
  const auto run = [](const char* profile) {
    ClosingPeer p(profile);
    p.Set("net.ipv4.tcp_orphan_retries", "3");
    const SocketId id = p.Established();
    p.Ack(1, 0);
    EXPECT_TRUE(p.stack->Send(p.now, id, Bytes("x")));
    const Time start = p.now;
    p.Close(id);
    while (!p.Gone() && p.now < start + seconds(1000)) {
      p.Until(p.stack->NextDeadline());
      if (!p.Take().empty()) p.Ack(1, 0);
    }
    return static_cast<double>((p.now - start) / milliseconds(1)) / 1000;
  };
  EXPECT_NEAR(run("default"), 3.0, 0.01);
  // Linux begins to count when the wait has grown to its most: 0.2 * (2^10 - 1), and 120.
  EXPECT_NEAR(run("linux"), 324.6, 0.02);
}

}  // namespace
}  // namespace estab::test
