// Every state by what is not a segment: calls, timers, ICMP errors. Which rules fire, and which
// state is next.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "matrix/raw_peer.h"

namespace estab::test {
namespace {

using enum State;

/// How a connection comes to its state, besides the state itself.
struct Way {
  bool unread = false;  // a byte of the peer's waits to be read
  bool data = false;    // 100 bytes of ours are queued, and sent as far as the window allows
  std::uint16_t window = 60000;
  bool owner = true;  // false: our side is ended by close, not by shutdown
  const char* profile = "default";
  SocketOptions options = {};
};

/// A connection in a synchronized state.
class Connection {
 public:
  Connection(State state, const Way& way) : way_(way) {
    p.Set("estab.profile", way.profile);
    id = p.Established();
    EXPECT_TRUE(p.stack->SetOptions(p.now, id, way.options));
    if (way.unread) Arrive(kAck, {.data = "x"});
    if (way.window != 60000) Arrive(kAck);
    if (way.data) {
      EXPECT_TRUE(p.stack->Send(p.now, id, Bytes(std::string(100, 'w'))));
    }
    p.Flush();
    Enter(state);
    p.Pass(milliseconds(50));  // a delayed ACK may be under way
    p.Take();
    p.TakeRules();
  }

  /// The peer's next segment: it acknowledges what it has acknowledged before.
  void Arrive(unsigned flags, Extra extra = {}) {
    extra.window = way_.window;
    p.Segment(flags, p.irs + 1 + taken_, p.iss + 1 + acked_, extra);
    taken_ += static_cast<std::uint32_t>(extra.data.size()) + ((flags & kFin) != 0 ? 1u : 0u);
  }
  /// The peer acknowledges `bytes` more.
  void Acknowledge(std::uint32_t bytes) {
    acked_ += bytes;
    Arrive(kAck);
  }

  /// The rules since the last call, what comes several times in a row once.
  std::string Rules() {
    std::string text;
    std::string last;
    for (const Fired& f : p.TakeRules()) {
      if (f.name() != last) text += (text.empty() ? "" : " ") + f.name();
      last = f.name();
      to = f.to;
    }
    return text;
  }
  std::uint32_t una() const { return p.iss + 1 + acked_; }

  RawPeer p;
  SocketId id;
  State to = kClosed;  // where the last rule led

 private:
  void End() {
    if (way_.owner) {
      EXPECT_TRUE(p.stack->Shutdown(p.now, id, How::kWrite));
    } else {
      EXPECT_TRUE(p.stack->Close(p.now, id));
    }
    p.Flush();
  }
  void Enter(State state) {
    if (state == kCloseWait || state == kLastAck) Arrive(kFin | kAck);
    if (state == kEstablished || (state == kCloseWait && way_.owner)) return;
    End();
    if (state == kFinWait2) Acknowledge(1);
    if (state == kClosing) Arrive(kFin | kAck);
  }

  Way way_;
  std::uint32_t taken_ = 0;
  std::uint32_t acked_ = 0;
};

constexpr State kOpen[] = {kEstablished, kFinWait1, kFinWait2, kCloseWait, kClosing, kLastAck};
constexpr State kUnacknowledged[] = {kEstablished, kFinWait1, kCloseWait, kClosing, kLastAck};
constexpr State kWithOurFin[] = {kFinWait1, kClosing, kLastAck};

// --- Calls ---------------------------------------------------------------------------------------

TEST(Calls, AbortTellsThePeerUnlessItOnlyAwaitsAnAck) {
  for (State state : kOpen) {
    SCOPED_TRACE(StateName(state));
    Connection c(state, {});
    ASSERT_TRUE(c.p.stack->Abort(c.p.now, c.id));
    const bool quiet = state == kClosing || state == kLastAck;
    EXPECT_EQ(c.Rules(), quiet ? "abort-quiet" : "abort");
    EXPECT_EQ(c.to, kClosed);
    EXPECT_EQ(c.p.Take().size(), quiet ? 0u : 1u);
  }
}

TEST(Calls, AbortTellsOfDataThatWasCutOff) {
  for (State state : {kClosing, kLastAck}) {
    SCOPED_TRACE(StateName(state));
    Connection c(state, {.data = true, .window = 50});
    ASSERT_TRUE(c.p.stack->Abort(c.p.now, c.id));
    EXPECT_EQ(c.Rules(), "abort");
    EXPECT_EQ(c.p.Take().size(), 1u);
  }
}

// A connection that was reset while it waited to be accepted goes with its listener.
TEST(Calls, ClosingAListenerForgetsAConnectionThatHasEnded) {
  RawPeer p;
  const SocketId listener = p.Listen();
  p.HalfOpen();
  p.Segment(kAck, p.irs + 1, p.iss + 1);
  p.Segment(kRst, p.irs + 1, 0);
  p.Take();
  p.TakeRules();
  ASSERT_TRUE(p.stack->Close(p.now, listener));
  const auto fired = p.TakeRules();
  ASSERT_EQ(fired.size(), 2u);
  EXPECT_EQ(fired[0].name(), "abort-quiet");
  EXPECT_EQ(fired[0].from, kClosed);
  EXPECT_EQ(p.Take().size(), 0u);
  EXPECT_EQ(p.stack->Counters().sockets, 0u);
}

TEST(Calls, CloseWithUnreadDataResets) {
  for (State state : kOpen) {
    SCOPED_TRACE(StateName(state));
    Connection c(state, {.unread = true});
    ASSERT_TRUE(c.p.stack->Close(c.p.now, c.id));
    EXPECT_EQ(c.Rules(), "close-unread");
    EXPECT_EQ(c.to, kClosed);
    const auto sent = c.p.Take();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_NE(sent[0].segment.flags & kRst, 0);
  }
}

TEST(Calls, CloseOverTheLimitOfOrphansResets) {
  struct {
    State state;
    Way way;
    const char* rules;
  } cases[] = {
      {kFinWait1, {}, "close-again too-many-orphans"},
      {kFinWait2, {}, "close-again too-many-orphans"},
      {kClosing, {}, "close-again too-many-orphans"},
      {kLastAck, {}, "close-again too-many-orphans"},
      {kCloseWait, {}, "close-close-wait too-many-orphans"},
      {kCloseWait, {.data = true, .window = 50, .profile = "rfc"}, "close-queued too-many-orphans"},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(StateName(one.state));
    Connection c(one.state, one.way);
    c.p.Set("net.ipv4.tcp_max_orphans", "0");
    ASSERT_TRUE(c.p.stack->Close(c.p.now, c.id));
    EXPECT_EQ(c.Rules(), one.rules);
    EXPECT_EQ(c.to, kClosed);
  }
}

// --- Segments that need more than one
// --------------------------------------------------------------

TEST(Segments, AnAckOfPartOfWhatIsInFlightLeavesOurFinInFlight) {
  for (State state : kWithOurFin) {
    SCOPED_TRACE(StateName(state));
    Connection c(state, {.data = true});
    c.Acknowledge(60);
    EXPECT_EQ(c.Rules(), "ack");
    EXPECT_EQ(c.to, state);
  }
}

TEST(Segments, GapsAreFilledInEveryStateThatReceives) {
  for (State state : {kEstablished, kFinWait1, kFinWait2}) {
    SCOPED_TRACE(StateName(state));
    Connection c(state, {});
    const std::uint32_t acked = c.una();
    c.p.Segment(kAck, c.p.irs + 2, acked, {.data = "b"});
    c.p.Segment(kAck, c.p.irs + 1, acked, {.data = "a"});
    EXPECT_EQ(c.Rules(), "data-out-of-order data-fills-gap");
    EXPECT_EQ(c.to, state);
    EXPECT_EQ(c.p.ReadAll(c.id), "ab");
  }
}

TEST(Segments, DataForWhichThereIsNoMemoryIsDroppedInEveryStateThatReceives) {
  for (State state : {kEstablished, kFinWait1, kFinWait2}) {
    SCOPED_TRACE(StateName(state));
    Connection c(state, {});
    c.p.Set("estab.mem_limit", "1");
    c.Arrive(kAck, {.data = "x"});
    EXPECT_EQ(c.Rules(), "data-no-room");
    EXPECT_EQ(c.to, state);
    c.p.Set("estab.mem_limit", "0");
  }
}

// A FIN beyond a gap was kept; then the application closes, and a second FIN comes, at the gap: the
// stream ends where the first one said, so this one is none, and nobody would read what it ends.
TEST(Segments, ASecondFinElsewhereIsDiscardedOnceNobodyReads) {
  for (bool acked : {false, true}) {
    SCOPED_TRACE(acked);
    Connection c(kEstablished, {});
    c.p.Segment(kFin | kAck, c.p.irs + 5, c.p.iss + 1);
    ASSERT_TRUE(c.p.stack->Close(c.p.now, c.id));
    c.p.Flush();
    if (acked) c.Acknowledge(1);
    c.Rules();
    c.Arrive(kFin | kAck);
    EXPECT_EQ(c.Rules(), "data-discarded");
    EXPECT_EQ(c.to, acked ? kFinWait2 : kFinWait1);
  }
}

// TCP_LINGER2 below zero: no FIN_WAIT_2, also if the FIN comes with the ACK of ours.
TEST(Segments, WithoutFinWait2AFinWithTheAckOfOursIsReset) {
  SocketOptions options;
  options.fin_wait2_seconds = -1;
  Connection c(kFinWait1, {.owner = false, .options = options});
  c.p.Segment(kFin | kAck, c.p.irs + 1, c.p.iss + 2);
  EXPECT_EQ(c.Rules(), "fin-acked no-fin-wait-2-later");
  const auto sent = c.p.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.flags, kRst);
}

// On Linux a small record has taken over, which knows nothing of what was sent.
TEST(Segments, AnOrphanInFinWait2HasItsAcksCheckedButNotOnLinux) {
  for (const char* profile : {"default", "linux"}) {
    SCOPED_TRACE(profile);
    Connection c(kFinWait2, {.owner = false, .profile = profile});
    c.p.Segment(kFin | kAck, c.p.irs + 1, c.una() + 5000);
    const bool linux = std::string_view(profile) == "linux";
    EXPECT_EQ(c.Rules(), linux ? "fin-second" : "ack-too-new");
    EXPECT_EQ(c.to, linux ? kTimeWait : kFinWait2);
  }
}

TEST(Segments, TheRecordOfAnOrphanHasARateLimitOfItsOwn) {
  for (const char* profile : {"default", "linux"}) {
    SCOPED_TRACE(profile);
    Connection c(kFinWait1, {.owner = false, .profile = profile});
    c.p.Segment(kSyn, c.p.irs + 9, 0);  // a challenge
    EXPECT_EQ(c.p.Take().size(), 1u);
    c.Acknowledge(1);
    c.p.Segment(kAck, c.p.irs - 9, c.una());
    EXPECT_EQ(c.p.Take().size(), std::string_view(profile) == "linux" ? 1u : 0u);
  }
}

// --- Timers --------------------------------------------------------------------------------------

TEST(Deadlines, RepeatsEndByTheirNumber) {
  for (State state : kUnacknowledged) {
    SCOPED_TRACE(StateName(state));
    Connection c(state, {.data = true});
    c.p.Set("net.ipv4.tcp_retries2", "2");
    c.p.Pass(seconds(20));
    EXPECT_EQ(c.Rules(), "retransmit retransmit-give-up");
    EXPECT_EQ(c.to, kClosed);
    EXPECT_EQ(*c.p.stack->TakeError(c.id), std::optional(Error::kTimedOut));
  }
}

TEST(Deadlines, RepeatsOfAnOrphanEndByTheirNumber) {
  for (State state : kWithOurFin) {
    SCOPED_TRACE(StateName(state));
    Connection c(state, {.owner = false});
    c.p.Set("net.ipv4.tcp_orphan_retries", "2");
    c.p.Pass(seconds(30));
    EXPECT_EQ(c.Rules(), "retransmit orphan-give-up");
    EXPECT_EQ(c.to, kClosed);
    EXPECT_EQ(c.p.stack->Counters().sockets, 0u);
  }
}

// By the RFC's letter LAST_ACK begins when the FIN goes out, and here the window holds it back.
TEST(Deadlines, RepeatsOfAnOrphanInCloseWaitEndLikewise) {
  Connection c(kCloseWait, {.data = true, .window = 50, .owner = false, .profile = "rfc"});
  c.p.Set("net.ipv4.tcp_orphan_retries", "2");
  c.p.Pass(seconds(30));
  const std::string rules = c.Rules();
  EXPECT_TRUE(rules.ends_with("retransmit orphan-give-up")) << rules;
  EXPECT_EQ(c.to, kClosed);
}

TEST(Deadlines, UserTimeoutEndsRepeats) {
  for (State state : kUnacknowledged) {
    SCOPED_TRACE(StateName(state));
    SocketOptions options;
    options.user_timeout_ms = 1000;
    Connection c(state, {.data = true, .options = options});
    c.p.Pass(seconds(10));
    EXPECT_EQ(c.Rules(), "retransmit user-timeout");
    EXPECT_EQ(c.to, kClosed);
  }
}

TEST(Deadlines, UserTimeoutEndsASimultaneousOpen) {
  RawPeer p;
  const SocketId id = p.Connect();
  SocketOptions options;
  options.user_timeout_ms = 500;
  ASSERT_TRUE(p.stack->SetOptions(p.now, id, options));
  p.Segment(kSyn, p.irs, 0);
  p.TakeRules();
  p.Pass(seconds(5));
  const auto fired = p.TakeRules();
  ASSERT_EQ(fired.size(), 1u);
  EXPECT_EQ(fired[0].name(), "user-timeout");
  EXPECT_EQ(fired[0].from, kSynRcvd);
}

TEST(Deadlines, AClosedWindowIsProbedSoOften) {
  for (State state : kUnacknowledged) {
    SCOPED_TRACE(StateName(state));
    Connection c(state, {.data = true, .window = 0});
    c.p.Set("net.ipv4.tcp_retries2", "2");
    c.p.Pass(seconds(20));
    EXPECT_EQ(c.Rules(), "persist-probe persist-give-up");
    EXPECT_EQ(c.to, kClosed);
  }
}

// Where something of ours is unacknowledged its own timer finds out whether the peer lives.
TEST(Deadlines, KeepaliveProbesWhereNothingElseDoes) {
  for (State state : {kEstablished, kFinWait2, kCloseWait}) {
    SCOPED_TRACE(StateName(state));
    SocketOptions options;
    options.keepalive = true;
    options.keepalive_idle = 10;
    options.keepalive_interval = 1;
    options.keepalive_count = 2;
    Connection c(state, {.options = options});
    c.p.Pass(seconds(20));
    EXPECT_EQ(c.Rules(), "keepalive-probe keepalive-give-up");
    EXPECT_EQ(c.to, kClosed);
  }
}

TEST(Deadlines, AnAckWaitsInEveryStateThatReceives) {
  for (State state : {kEstablished, kFinWait1, kFinWait2}) {
    SCOPED_TRACE(StateName(state));
    Connection c(state, {});
    ASSERT_TRUE(c.p.stack->SetQuickAck(c.p.now, c.id, false));
    c.Arrive(kAck, {.data = "x"});
    EXPECT_EQ(c.p.Take().size(), 0u);
    c.p.Pass(milliseconds(100));
    EXPECT_EQ(c.Rules(), "data delayed-ack");
    EXPECT_EQ(c.p.Take().size(), 1u);
    EXPECT_EQ(c.to, state);
  }
}

// A FIN that nothing came before is acknowledged at the next tick. Data before it, though old,
// shows that there was a conversation, and the ACK waits for an answer to ride on.
TEST(Deadlines, TheAckOfAFinWaitsIfDataCameWithIt) {
  for (const bool data : {false, true}) {
    SCOPED_TRACE(data);
    Connection c(kEstablished, {});
    const std::string old(data ? 20 : 0, 'd');
    const auto size = static_cast<std::uint32_t>(old.size());
    c.p.Segment(kFin | kAck, c.p.irs + 1 - size, c.una(), {.data = old});
    c.p.Pass(milliseconds(20));
    EXPECT_EQ(c.p.Take().size(), data ? 0u : 1u);
    c.p.Pass(milliseconds(30));
    EXPECT_EQ(c.p.Take().size(), data ? 1u : 0u);
  }
}

// The link takes nothing, so the ACK of the crossing FIN has not gone when the timer ends.
TEST(Deadlines, AnAckThatWaitsOutlastsTheCrossingOfTheFins) {
  Connection c(kFinWait1, {});
  ASSERT_TRUE(c.p.stack->SetQuickAck(c.p.now, c.id, false));
  c.Arrive(kAck, {.data = "x"});
  c.p.sink.room = 0;
  c.Arrive(kFin | kAck);
  c.Rules();
  c.p.Pass(milliseconds(100));
  EXPECT_EQ(c.Rules(), "delayed-ack");
  EXPECT_EQ(c.to, kClosing);
  c.p.sink.room = SIZE_MAX;
  EXPECT_EQ(c.p.Take().size(), 1u);
}

// --- ICMP ----------------------------------------------------------------------------------------

constexpr std::uint8_t kUnreachable = 3;
constexpr std::uint8_t kHost = 1;
constexpr std::uint8_t kTooBig = 4;

TEST(IcmpByState, ErrorsAboutWhatIsInFlightChangeNoState) {
  for (State state : kUnacknowledged) {
    SCOPED_TRACE(StateName(state));
    Connection c(state, {.data = true});
    c.p.Icmp(kUnreachable, kHost, c.una());
    c.p.Icmp(kUnreachable, kTooBig, c.una());
    c.p.Icmp(kUnreachable, kHost, c.una() - 1);
    EXPECT_EQ(c.Rules(), "icmp-soft icmp-too-big icmp-stray");
    EXPECT_EQ(c.to, state);
    EXPECT_EQ(c.p.StateOf(c.id), state);
  }
}

TEST(IcmpByState, InFinWait2OnlyLinuxBelievesThem) {
  for (const char* profile : {"default", "linux"}) {
    SCOPED_TRACE(profile);
    Connection c(kFinWait2, {.profile = profile});
    c.p.Icmp(kUnreachable, kHost, c.una());
    c.p.Icmp(kUnreachable, kTooBig, c.una());
    c.p.Icmp(kUnreachable, kHost, c.una() - 1);
    const bool linux = std::string_view(profile) == "linux";
    EXPECT_EQ(c.Rules(), linux ? "icmp-soft icmp-too-big icmp-stray" : "icmp-stray");
    EXPECT_EQ(c.to, kFinWait2);
  }
}

TEST(IcmpByState, MeansNothingWithoutATcb) {
  Connection c(kFinWait2, {});
  c.p.Icmp(kUnreachable, kHost, c.una());
  c.Arrive(kFin | kAck);
  c.Rules();
  c.p.Icmp(kUnreachable, kHost, c.una());
  EXPECT_EQ(c.Rules(), "icmp-stray");
  EXPECT_EQ(c.to, kTimeWait);
  c.p.Pass(seconds(61));
  c.Rules();
  c.p.Icmp(kUnreachable, kHost, c.una());
  EXPECT_EQ(c.Rules(), "icmp-stray");
  EXPECT_EQ(c.to, kClosed);
}

// --- Half-open records ---------------------------------------------------------------------------

/// The last rule that fired, with where it led.
std::string Last(RawPeer& p) {
  const auto fired = p.TakeRules();
  if (fired.empty()) return "nothing";
  return fired.back().name() + " -> " + StateName(fired.back().to);
}

TEST(HalfOpenRecord, EndsWhereTheListenerGoesOn) {
  {
    RawPeer p;
    p.Listen();
    p.HalfOpen();
    p.Pass(seconds(100));
    EXPECT_EQ(Last(p), "syn-ack-give-up -> LISTEN");
  }
  RawPeer p;
  p.Listen();
  p.HalfOpen();
  p.Icmp(kUnreachable, kHost, p.iss);
  EXPECT_EQ(Last(p), "icmp-half-open -> LISTEN");
  EXPECT_EQ(p.stack->Counters().half_open, 0u);
}

TEST(HalfOpenRecord, EndsWithItsListener) {
  RawPeer p;
  const SocketId listener = p.Listen();
  p.HalfOpen();
  p.TakeRules();
  ASSERT_TRUE(p.stack->Close(p.now, listener));
  const auto fired = p.TakeRules();
  ASSERT_EQ(fired.size(), 2u);
  for (const Fired& f : fired) EXPECT_STREQ(StateName(f.to), "CLOSED") << f.name();
}

TEST(HalfOpenRecord, StaysThroughIcmpErrorsThatEndNothing) {
  RawPeer p;
  p.Listen();
  p.HalfOpen();
  p.Icmp(kUnreachable, kTooBig, p.iss);
  EXPECT_EQ(Last(p), "icmp-too-big -> SYN_RCVD");
  p.Icmp(kUnreachable, 6, p.iss);  // net unknown: Linux, too, keeps the record
  EXPECT_EQ(Last(p), "icmp-soft -> SYN_RCVD");
  p.Icmp(kUnreachable, kHost, p.iss + 1);
  EXPECT_EQ(Last(p), "icmp-stray -> SYN_RCVD");
  EXPECT_EQ(p.stack->Counters().half_open, 1u);
}

TEST(HalfOpenRecord, HasARateLimitOfItsOwn) {
  RawPeer p;
  p.Listen();
  p.HalfOpen();
  p.Segment(kSyn, p.irs, 0);
  EXPECT_EQ(p.Take().size(), 1u);
  p.Segment(kAck, p.irs + 1, p.iss + 1);
  p.Segment(kRst, p.irs + 100, 0);
  EXPECT_EQ(Last(p), "rst-challenge -> ESTABLISHED");
  EXPECT_EQ(p.Take().size(), 1u);
}

TEST(HalfOpenRecord, AnswersWithTheHostsTtl) {
  RawPeer p;
  const SocketId listener = p.Listen();
  SocketOptions options;
  options.ttl = 9;
  ASSERT_TRUE(p.stack->SetOptions(p.now, listener, options));
  const auto ttl = [&] {
    const auto sent = p.Take();
    return sent.size() == 1 ? std::to_integer<int>(sent[0].packet[8]) : -1;
  };
  p.Segment(kSyn, p.irs, 0);
  EXPECT_EQ(ttl(), 9);
  p.Segment(kFin, p.irs - 9, 0);
  EXPECT_EQ(ttl(), 64);
}

TEST(HalfOpenRecord, OverflowsIntoWaitingOrAReset) {
  for (const bool abort : {false, true}) {
    SCOPED_TRACE(abort);
    RawPeer p;
    p.Set("net.ipv4.tcp_abort_on_overflow", abort ? "1" : "0");
    p.Listen(0);
    p.HalfOpen();
    const std::uint32_t first = p.iss;
    const std::uint32_t first_ts = p.last_ts;
    p.port = 2;
    p.HalfOpen();
    p.Segment(kAck, p.irs + 1, p.iss + 1);  // the one place in the accept queue
    p.port = 4000;
    p.last_ts = first_ts;
    p.Segment(kAck, p.irs + 1, first + 1);
    EXPECT_EQ(Last(p),
              abort ? "syn-rcvd-overflow-reset -> CLOSED" : "syn-rcvd-overflow -> SYN_RCVD");
    EXPECT_EQ(p.stack->Counters().half_open, abort ? 0u : 1u);
  }
}

}  // namespace
}  // namespace estab::test
