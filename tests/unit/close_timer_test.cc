// Giving up, TCP_USER_TIMEOUT, RTO bounds, keepalive and delayed ACKs, by profile.
#include <gtest/gtest.h>

#include "closing_peer.h"

namespace estab::test {
namespace {

// Sends a byte to a silent peer; the times of its repeats and of the end.
void ExpectDataSeries(ClosingPeer& p, const SocketOptions& o, std::vector<double> at, double end) {
  const SocketId id = p.Established();
  p.Options(id, o);
  const Time start = p.now;
  ASSERT_TRUE(p.stack->Send(p.now, id, Bytes("x")));
  p.Take();
  p.Until(start + std::chrono::microseconds(static_cast<std::int64_t>(end * 1e6) - 1000));
  EXPECT_EQ(p.StateOf(id), State::kEstablished) << p.LastRule(start);
  p.Pass(milliseconds(25));
  EXPECT_EQ(p.StateOf(id), State::kClosed);
  ExpectTimes(p.TimesOf(start), at);
  EXPECT_EQ(*p.stack->TakeError(id), std::optional(Error::kTimedOut));
}

TEST(GivingUp, ByNumberOrByTime) {
  ClosingPeer counted;
  counted.Set("net.ipv4.tcp_retries2", "4");
  ExpectDataSeries(counted, {}, {0.2, 0.6, 1.4, 3.0}, 6.2);
  ClosingPeer timed("linux");
  timed.sack = false;  // or a tail loss probe would come first
  timed.Set("net.ipv4.tcp_retries2", "4");
  ExpectDataSeries(timed, {}, {0.2, 0.6, 1.4, 3.0, 6.2}, 12.6);
}

TEST(GivingUp, UserTimeoutReplacesTheRetries) {
  SocketOptions o;
  for (const std::uint32_t ms : {1000u, 1700u}) {
    const double s = ms / 1000.0;
    o.user_timeout_ms = ms;
    ClosingPeer p;
    p.Set("net.ipv4.tcp_retries2", "1");
    ExpectDataSeries(p, o, ms == 1000 ? std::vector{0.2, 0.6} : std::vector{0.2, 0.6, 1.4}, s);
    ClosingPeer q("linux");  // counted from the first repeat
    q.sack = false;
    ExpectDataSeries(q, o, ms == 1000 ? std::vector{0.2, 0.6} : std::vector{0.2, 0.6, 1.4},
                     s + 0.2);
  }
}

TEST(GivingUp, UserTimeoutOfAConnect) {
  for (const char* profile : {"default", "linux"}) {
    ClosingPeer p(profile);
    const SocketId id = *p.stack->Open(false);
    SocketOptions o;
    o.user_timeout_ms = 500;
    p.Options(id, o);
    const Time start = p.now;
    EXPECT_EQ(p.stack->Connect(p.now, id, {p.theirs(), 9}).error(), Error::kInProgress);
    p.Take();
    p.Pass(seconds(5));
    // Linux repeats the SYN once before it looks.
    EXPECT_EQ(p.LastRule(start), profile[0] == 'l' ? "user-timeout 1001" : "user-timeout 500");
    EXPECT_EQ(*p.stack->TakeError(id), std::optional(Error::kTimedOut));
  }
}

// A window closed before (persist) or over (retransmission) what is to be sent.
double EndOfClosedWindow(const char* profile, bool in_flight, bool answered, std::uint32_t uto) {
  ClosingPeer p(profile);
  p.sack = std::string_view(profile) != "linux";  // there a tail loss probe would come first
  const SocketId id = p.Established();
  SocketOptions o;
  o.user_timeout_ms = uto;
  p.Options(id, o);
  const Time start = p.now;
  if (!in_flight) p.Ack(1, 0);
  EXPECT_TRUE(p.stack->Send(p.now, id, Bytes("x")));
  p.Take();
  if (in_flight) p.Ack(1, 0);
  while (p.StateOf(id) == State::kEstablished && p.now < start + seconds(2000)) {
    p.Until(p.stack->NextDeadline());
    if (!p.Take().empty() && answered) p.Ack(1, 0);
  }
  return static_cast<double>((p.now - start) / milliseconds(1)) / 1000;
}

TEST(GivingUp, AClosedWindowOverWhatWaits) {
  EXPECT_NEAR(EndOfClosedWindow("default", false, false, 1000), 1.2, 0.01);
  EXPECT_GT(EndOfClosedWindow("default", false, true, 1000), 1999);
  EXPECT_NEAR(EndOfClosedWindow("linux", false, false, 1000), 1.2, 0.01);
  EXPECT_NEAR(EndOfClosedWindow("linux", false, true, 1000), 1.2, 0.01);
  EXPECT_NEAR(EndOfClosedWindow("default", false, false, 0), 924.6, 0.1);
  EXPECT_NEAR(EndOfClosedWindow("linux", false, false, 0), 924.6, 0.1);
  EXPECT_GT(EndOfClosedWindow("linux", false, true, 0), 1999);
}

TEST(GivingUp, AClosedWindowOverWhatIsInFlight) {
  EXPECT_NEAR(EndOfClosedWindow("default", true, false, 1000), 1.0, 0.01);
  EXPECT_GT(EndOfClosedWindow("default", true, true, 1000), 1999);
  EXPECT_GT(EndOfClosedWindow("default", true, true, 0), 1999);
  EXPECT_NEAR(EndOfClosedWindow("default", true, false, 0), 924.6, 0.1);
  // Linux measures the silence: twice the longest RTO.
  EXPECT_NEAR(EndOfClosedWindow("linux", true, true, 1000), 1.2, 0.01);
  EXPECT_GT(EndOfClosedWindow("linux", true, true, 0), 1999);
  const double silent = EndOfClosedWindow("linux", true, false, 0);
  EXPECT_GT(silent, 240);
  EXPECT_LT(silent, 360);
}

TEST(Rto, MostOfOneSocketAndOfTheStack) {
  SocketOptions o;
  o.rto_max_ms = 1000;
  ClosingPeer one;
  one.Set("net.ipv4.tcp_retries2", "5");
  ExpectDataSeries(one, o, {0.2, 0.6, 1.4, 2.4, 3.4}, 4.4);
  ClosingPeer all;
  all.Set("net.ipv4.tcp_retries2", "4");
  all.Set("estab.tcp_rto_max", "500");
  ExpectDataSeries(all, {}, {0.2, 0.6, 1.1, 1.6}, 2.1);
  const SocketId id = *all.stack->Open(false);
  o.rto_max_ms = 999;
  EXPECT_EQ(all.stack->SetOptions(all.now, id, o).error(), Error::kInvalid);
}

TEST(Rto, TheRfcsLeastBoundsTheWhole) {
  for (const char* profile : {"linux", "rfc"}) {
    ClosingPeer p(profile);
    p.timestamps = false;
    const SocketId id = p.Connect();
    p.Pass(milliseconds(100));
    p.Segment(kSyn | kAck, p.irs, p.iss + 1);
    EXPECT_EQ(p.stack->GetInfo(p.now, id)->rto, milliseconds(profile[0] == 'l' ? 300 : 1000));
  }
}

TEST(Keepalive, SwitchedOnLateItCountsFromThen) {
  ClosingPeer p;
  const SocketId id = p.Established();
  const Time start = p.now;
  p.Pass(seconds(100));
  SocketOptions o;
  o.keepalive = true;
  o.keepalive_idle = 30;
  p.Options(id, o);
  p.Pass(seconds(25));
  o.keepalive_idle = 28;  // changed while running: from the peer's last word, which is long ago
  p.Options(id, o);
  p.Pass(seconds(1));
  ExpectTimes(p.TimesOf(start), {125});
}

TEST(DelayedAck, AFinAfterNoDataIsAcknowledgedAtTheNextTick) {
  ClosingPeer p;
  p.Established();
  const Time start = p.now;
  p.Segment(kFin | kAck, p.irs + 1, p.iss + 1);
  EXPECT_TRUE(p.Take().empty());  // a close would ride with it
  p.Pass(seconds(1));
  ExpectTimes(p.TimesOf(start), {0.001});
}

TEST(DelayedAck, AFinWithDataWaitsForTheUsersOwn) {
  ClosingPeer p;
  p.Established();
  const Time start = p.now;
  p.Segment(kFin | kAck, p.irs + 1, p.iss + 1, {.data = "bye"});
  p.Pass(seconds(1));
  ExpectTimes(p.TimesOf(start), {0.04});
}

// Bytes `gap` apart on a path of `rtt`: how long the ACK of the last one waits.
double DelayAfterMissed(milliseconds rtt, milliseconds gap, int missed) {
  ClosingPeer p;
  p.timestamps = false;
  p.Connect();
  p.Pass(rtt);
  p.Segment(kSyn | kAck, p.irs, p.iss + 1);
  std::uint32_t seq = p.irs + 1;
  Time start = p.now;
  for (int i = 0; i < 16 + missed; ++i) {
    p.Take();
    start = p.now;
    p.Segment(kAck, seq++, p.iss + 1, {.data = "x"});
    p.Pass(gap);
  }
  const auto times = p.TimesOf(start);
  return times.empty() ? -1 : times.back();
}

TEST(DelayedAck, GrowsWhenMissedAndARoundTripIsEnough) {
  EXPECT_NEAR(DelayAfterMissed(milliseconds(1), milliseconds(190), 5), 0.040, 0.002);
  EXPECT_NEAR(DelayAfterMissed(milliseconds(120), milliseconds(190), 5), 0.120, 0.002);
  EXPECT_NEAR(DelayAfterMissed(milliseconds(900), milliseconds(250), 2), 0.080, 0.002);
  EXPECT_NEAR(DelayAfterMissed(milliseconds(900), milliseconds(250), 8), 0.200, 0.002);
}

}  // namespace
}  // namespace estab::test
