// The SYN queue: how many half-open records a listener keeps, for how long, and what
// TCP_DEFER_ACCEPT makes of them. The limits are Linux 6.18's, measured.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "matrix/raw_peer.h"
#include "stack/socket.h"

namespace estab::test {
namespace {

std::string LastRuleOf(const RawPeer& peer) { return peer.rules.fired.back().name(); }

// How many of `count` SYNs from different ports are answered.
std::size_t Answered(RawPeer& peer, int count) {
  for (int i = 0; i < count; ++i) {
    peer.port = static_cast<std::uint16_t>(1000 + i);
    peer.Segment(kSyn, peer.irs, 0);
  }
  return peer.Take().size();
}

struct Limit {
  int backlog;
  const char* max_syn_backlog;
  std::size_t answered;
};

TEST(SynQueue, HasItsLimit) {
  RawPeer peer;
  peer.Set("net.ipv4.tcp_syncookies", "0");
  peer.Set("net.ipv4.tcp_max_syn_backlog", "3");
  peer.Listen(0);
  EXPECT_EQ(Answered(peer, 5), 3u);
  EXPECT_EQ(peer.stack->Counters().half_open, 3u);
  EXPECT_EQ(peer.stack->Counters().listen_drops, 2u);
  EXPECT_EQ(LastRuleOf(peer), "listen-syn-queue-full");
}

TEST(SynQueue, UnderLinuxTheBacklogAndThreeQuartersOfTheSettingLimitIt) {
  const Limit limits[] = {{0, "1024", 1},  {1, "1024", 2}, {4, "1024", 5}, {16, "1024", 17},
                          {100, "16", 13}, {100, "10", 9}, {100, "8", 7},  {100, "1", 2}};
  for (bool v6 : {false, true}) {
    for (const Limit& limit : limits) {
      SCOPED_TRACE(std::to_string(limit.backlog) + " " + limit.max_syn_backlog);
      RawPeer peer(v6);
      peer.Set("estab.profile", "linux");
      peer.Set("net.ipv4.tcp_syncookies", "0");
      peer.Set("net.ipv4.tcp_max_syn_backlog", limit.max_syn_backlog);
      peer.Listen(limit.backlog);
      EXPECT_EQ(Answered(peer, 40), limit.answered);
      EXPECT_EQ(peer.stack->Counters().half_open, limit.answered);
      EXPECT_EQ(peer.stack->Counters().listen_drops, 40 - limit.answered);
      EXPECT_EQ(LastRuleOf(peer), "listen-syn-queue-full");
    }
  }
}

// One out, one in.
TEST(SynQueue, RoomComesBackWithEveryRecordThatEnds) {
  RawPeer peer;
  peer.Set("net.ipv4.tcp_syncookies", "0");
  peer.Set("net.ipv4.tcp_max_syn_backlog", "2");
  peer.Listen();
  EXPECT_EQ(Answered(peer, 3), 2u);
  peer.port = 1001;
  peer.Segment(kRst, peer.irs + 1, 0);
  peer.port = 2000;
  peer.Segment(kSyn, peer.irs, 0);
  EXPECT_EQ(peer.Take().size(), 1u);
  peer.Pass(seconds(100));
  EXPECT_EQ(peer.stack->Counters().half_open, 0u);
  peer.Take();
  EXPECT_EQ(Answered(peer, 3), 2u);
}

// The moments at which the record of the first port sends its SYN|ACK, and its end.
std::vector<double> Series(RawPeer& peer, std::uint16_t port) {
  std::vector<double> times;
  peer.Pass(seconds(300));
  for (const Sent& s : peer.Take()) {
    if (s.tuple.remote.port == port) times.push_back(MsOf(s.at));
  }
  return times;
}

// Linux prunes old records while more than half of the queue is taken and most of it is old.
TEST(SynQueue, OldRecordsMakeWayWhenTheQueueIsHalfFull) {
  RawPeer idle;
  idle.Set("estab.profile", "linux");
  idle.Set("net.ipv4.tcp_syncookies", "0");
  idle.Listen(16);
  for (int i = 0; i < 8; ++i) Answered(idle, i + 1);
  EXPECT_EQ(Series(idle, 1000).size(), 5u);  // 8 of 16: not over half
  RawPeer loaded;
  loaded.Set("estab.profile", "linux");
  loaded.Set("net.ipv4.tcp_syncookies", "0");
  loaded.Listen(16);
  EXPECT_EQ(Answered(loaded, 9), 9u);
  EXPECT_EQ(Series(loaded, 1000), (std::vector<double>{1000, 3000}));  // two retries are left
  EXPECT_EQ(loaded.stack->Counters().half_open, 0u);
}

TEST(SynQueue, RetriesUnderLoadFollowTheShareOfTheYoung) {
  EXPECT_EQ(tcp::RetriesUnderLoad(5, 4, 0, 4), 5);     // queues of up to four are never loaded
  EXPECT_EQ(tcp::RetriesUnderLoad(5, 50, 0, 100), 5);  // nor are half full ones
  EXPECT_EQ(tcp::RetriesUnderLoad(5, 51, 26, 100), 5);
  EXPECT_EQ(tcp::RetriesUnderLoad(5, 52, 26, 100), 4);
  EXPECT_EQ(tcp::RetriesUnderLoad(5, 51, 12, 100), 3);
  EXPECT_EQ(tcp::RetriesUnderLoad(5, 51, 0, 100), 2);
  EXPECT_EQ(tcp::RetriesUnderLoad(1, 51, 0, 100), 1);
}

// --- TCP_DEFER_ACCEPT ---

SocketId DeferringListener(RawPeer& peer, std::uint8_t timeouts) {
  const SocketId listener = peer.Listen();
  SocketOptions options;
  options.defer_accept = timeouts;
  EXPECT_TRUE(peer.stack->SetOptions(peer.now, listener, options));
  return listener;
}

TEST(DeferAccept, DataCompletesAtOnceABareAckDoesNot) {
  RawPeer peer;
  const SocketId listener = DeferringListener(peer, 3);
  peer.HalfOpen();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  EXPECT_EQ(LastRuleOf(peer), "syn-rcvd-deferred");
  EXPECT_FALSE(peer.stack->Accept(peer.now, listener));
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.data = "hello"});
  const auto id = peer.stack->Accept(peer.now, listener);
  ASSERT_TRUE(id);
  EXPECT_EQ(peer.ReadAll(*id), "hello");
  // The option was the listener's.
  EXPECT_EQ(peer.stack->GetOptions(*id)->defer_accept, 0);
}

// Three time-outs: silence at 1 and 3 s, at 7 s the SYN|ACK asks once more, and the ACK counts.
TEST(DeferAccept, AfterTheWaitABareAckCompletes) {
  RawPeer peer;
  const SocketId listener = DeferringListener(peer, 3);
  peer.HalfOpen();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  peer.Until(At(6999));
  EXPECT_TRUE(peer.Take().empty());
  peer.Until(At(7001));
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.flags, kSyn | kAck);
  EXPECT_EQ(sent[0].segment.seq, peer.iss);
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  EXPECT_TRUE(peer.stack->Accept(peer.now, listener));
}

// The wait may be longer than the retries; a client that stays silent is dropped at its end.
TEST(DeferAccept, TheWaitOutlastsTheRetries) {
  RawPeer peer;
  peer.Set("net.ipv4.tcp_synack_retries", "1");
  DeferringListener(peer, 3);
  peer.HalfOpen();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  peer.Until(At(14999));
  EXPECT_EQ(peer.stack->Counters().half_open, 1u);
  peer.Until(At(15001));
  EXPECT_EQ(peer.stack->Counters().half_open, 0u);
  EXPECT_EQ(LastRuleOf(peer), "syn-ack-give-up");
}

// Without the ACK the option changes nothing.
TEST(DeferAccept, AnUnansweredSynAckIsRepeatedAsEver) {
  RawPeer peer;
  DeferringListener(peer, 3);
  peer.HalfOpen();
  peer.Pass(seconds(100));
  std::vector<double> times;
  for (const Sent& s : peer.Take()) times.push_back(MsOf(s.at));
  EXPECT_EQ(times, (std::vector<double>{1000, 3000, 7000, 15000, 31000}));
}

}  // namespace
}  // namespace estab::test
