// "Why" over a real stack: every kind of record, alive and dead, and what was refused.
#include "observe/why.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <string>

#include "matrix/raw_peer.h"
#include "observe/journal.h"

namespace estab::observe {
namespace {

using test::RawPeer;
using test::seconds;

class Why : public ::testing::Test {
 protected:
  void SetUp() override { p.stack->SetObserver(&journal); }

  Tuple Ends() const { return {{p.ours(), p.our_port}, {p.theirs(), p.port}}; }
  std::string Told() { return observe::Why(journal, *p.stack, p.now, Ends()); }
  // Whether the text has all of these, in this order.
  static ::testing::AssertionResult Says(const std::string& text,
                                         std::initializer_list<const char*> parts) {
    std::size_t at = 0;
    for (const char* part : parts) {
      at = text.find(part, at);
      if (at == std::string::npos) {
        return ::testing::AssertionFailure() << "no \"" << part << "\" in:\n" << text;
      }
    }
    return ::testing::AssertionSuccess();
  }
  void Close(SocketId id) {
    ASSERT_TRUE(p.stack->Close(p.now, id));
    p.Flush();
  }

  RawPeer p;
  Journal journal;
};

TEST_F(Why, ConnectingSaysWhichRepeatIsNext) {
  p.Connect();
  p.Pass(seconds(2));
  EXPECT_TRUE(Says(Told(), {"opened by us", "SYN_SENT for 2.000 s", "connect() was called",
                            "RFC 9293 §3.10.1", "waits:  for the peer's SYN|ACK",
                            "next:   in 1.000 s the retransmission timer runs out: the same SYN "
                            "goes out again, repeat 2 of at most 5",
                            "history", "+0.000 s  connect() was called", "CLOSED → SYN_SENT."}));
  p.Pass(seconds(40));
  EXPECT_TRUE(Says(Told(), {"the attempt is given up, with ETIMEDOUT"}));
  p.Pass(seconds(40));
  EXPECT_TRUE(Says(Told(), {"state:  CLOSED for 19.000 s", "[syn-give-up]", "+63.000 s",
                            "The retransmission timer ran out", "SYN_SENT → CLOSED."}));
}

TEST_F(Why, HalfOpenRecords) {
  p.Listen();
  p.HalfOpen();
  EXPECT_TRUE(Says(Told(), {"opened by the peer", "SYN_RCVD for 0.000 s", "a half-open record",
                            "[listen-syn]", "waits:  for the ACK of our SYN", "in 1.000 s",
                            "SYN|ACK goes out again, repeat 1 of at most 5"}));
  p.Segment(kRst, p.irs + 1, 0);
  EXPECT_TRUE(Says(Told(), {"opened by the peer", "state:  CLOSED", "nothing of it is left",
                            "[syn-rcvd-rst]", "SYN_RCVD → LISTEN."}));
}

TEST_F(Why, ClosingByTheBook) {
  const SocketId id = p.Established();
  EXPECT_TRUE(Says(Told(), {"state:  ESTABLISHED", "waits:  for nothing", "next:   no timer runs",
                            "SO_KEEPALIVE"}));
  Close(id);
  EXPECT_TRUE(Says(Told(), {"state:  FIN_WAIT_1", "nobody owns it", "for the ACK of our FIN",
                            "the oldest segment that is not acknowledged goes out again, repeat 1 "
                            "of at most 8"}));
  p.Segment(kAck, p.irs + 1, p.iss + 2);
  EXPECT_TRUE(Says(Told(), {"state:  FIN_WAIT_2", "for the peer's FIN",
                            "in 60.000 s the FIN_WAIT_2 "
                            "timer runs out: CLOSED"}));
  p.Segment(kFin | kAck, p.irs + 1, p.iss + 2);
  EXPECT_TRUE(Says(Told(), {"state:  TIME_WAIT", "[fin-second]", "old duplicates",
                            "in 60.000 s the 2MSL timer", "ESTABLISHED → FIN_WAIT_1."}));
  p.Pass(seconds(61));
  EXPECT_TRUE(Says(Told(), {"state:  CLOSED for 1.000 s", "nothing of it is left",
                            "[time-wait-over]", "+60.000 s", "TIME_WAIT → CLOSED."}));
  p.Segment(kAck, p.irs + 1, p.iss + 2, {.data = "late"});
  EXPECT_TRUE(Says(Told(), {"since then:\n", "ACK arrived", "4 bytes", "[closed-reset]"}));
}

TEST_F(Why, CloseWaitBlamesTheApplication) {
  p.Established();
  p.Segment(kFin | kAck, p.irs + 1, p.iss + 1);
  EXPECT_TRUE(Says(Told(), {"state:  CLOSE_WAIT", "FIN|ACK arrived", "[fin]",
                            "for our own application", "peer:   last heard 0.000 s ago"}));
}

TEST_F(Why, PortsWithoutListenerAndListenersThatRefuse) {
  EXPECT_TRUE(Says(Told(), {"no connection, and none is remembered", "Nobody listens on port 80"}));
  p.Segment(kSyn, p.irs, 0);
  p.Pass(seconds(1));
  p.Segment(kSyn, p.irs, 0);
  EXPECT_TRUE(Says(Told(), {"no connection",
                            "last:   0.000 s ago: SYN arrived (seq 700000): nobody "
                            "is there: answered with a reset (RFC 9293 §3.10.7.1) [closed-reset]; "
                            "2 times in a row, the first 1.000 s ago",
                            "Nobody listens on port 80"}));
  p.Take();
  p.Set("net.ipv4.tcp_syncookies", "0");
  p.Set("net.ipv4.tcp_max_syn_backlog", "1");
  p.Listen();
  p.port = 1;
  p.HalfOpen();
  p.port = 2;
  p.Segment(kSyn, p.irs, 0);
  EXPECT_TRUE(
      Says(Told(), {"no connection", "[listen-syn-queue-full]", "A listener at 0.0.0.0:80"}));
  const Tuple listener{{p.ours(), 80}, {}};
  EXPECT_TRUE(Says(observe::Why(journal, *p.stack, p.now, listener),
                   {"listener ", "0.0.0.0:80", "state:  LISTEN for", "listen() was called",
                    "SYNs: 1 half-open, 0 to be accepted (room for 9)", "refused at this port",
                    "192.0.2.2:2: 0.000 s ago", "[listen-syn-queue-full]"}));
}

TEST_F(Why, AnEarlierConnectionIsCounted) {
  p.Listen();
  for (int i = 0; i < 2; ++i) {
    p.HalfOpen();
    p.Segment(kRst, p.irs + 1, 0);
  }
  EXPECT_TRUE(Says(Told(), {"1 earlier connection between these ends is remembered"}));
}

TEST_F(Why, AliveButForgotten) {
  Journal small({.records = 1, .connections = 1});
  p.stack->SetObserver(&small);
  p.Listen();
  p.HalfOpen();
  const Tuple first = Ends();
  p.port = 9;
  p.HalfOpen();
  const std::string text = observe::Why(small, *p.stack, p.now, first);
  EXPECT_TRUE(Says(text, {"SYN_RCVD", "what led here was overwritten", "for the ACK of our SYN",
                          "all of it was overwritten"}));
}

TEST_F(Why, ALongHistoryIsCutInTheMiddle) {
  Story story{1, Ends(), {}, true};
  for (int i = 0; i < 1000; ++i) story.entries.push_back({});
  const std::string text = WhyText(story, nullptr, p.now);
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 80);
  EXPECT_NE(text.find("... 936 events are left out ..."), std::string::npos);
}

// A walk in small steps sees everything once.
TEST_F(Why, ListSharesOutTheWalk) {
  p.Listen(8);
  for (std::uint16_t port = 1; port <= 5; ++port) {
    p.port = port;
    p.HalfOpen();
  }
  p.Segment(kAck, p.irs + 1, p.iss + 1);
  std::array<ConnectionInfo, 2> some;
  std::map<State, int> seen;
  int calls = 0;
  for (ListCursor cursor; !cursor.done; ++calls) {
    const std::size_t n = p.stack->List(p.now, cursor, some);
    for (std::size_t i = 0; i < n; ++i) ++seen[some[i].state];
  }
  EXPECT_EQ(seen, (std::map<State, int>{
                      {State::kListen, 1}, {State::kSynRcvd, 4}, {State::kEstablished, 1}}));
  EXPECT_GE(calls, 3);
}

}  // namespace
}  // namespace estab::observe
