// Shutdown, aborts, resets and TIME_WAIT where the profiles differ, or numbers matter.
#include <gtest/gtest.h>

#include "closing_peer.h"

namespace estab::test {
namespace {

TEST(ShutRead, DropsOrKeepsWhatIsAndWhatComes) {
  for (const char* profile : {"default", "linux"}) {
    const bool keeps = profile[0] == 'l';
    ClosingPeer p(profile);
    const SocketId id = p.Established();
    p.Segment(kAck, p.irs + 1, p.iss + 1, {.data = "before"});
    ASSERT_TRUE(p.stack->Shutdown(p.now, id, How::kRead));
    p.Segment(kAck, p.irs + 7, p.iss + 1, {.data = "after"});
    p.Pass(seconds(1));
    EXPECT_EQ(p.Take().back().segment.ack, p.irs + 12);  // acknowledged in any case
    EXPECT_EQ(p.ReadAll(id), keeps ? "beforeafter" : "");
    std::array<std::byte, 8> into;
    EXPECT_EQ(p.stack->Read(p.now, id, into).value_or(99), 0u);
    EXPECT_EQ(p.StateOf(id), State::kEstablished);
  }
}

TEST(ShutRead, KeptDataMakesCloseAReset) {
  ClosingPeer p("linux");
  const SocketId id = p.Established();
  p.Segment(kAck, p.irs + 1, p.iss + 1, {.data = "unread"});
  ASSERT_TRUE(p.stack->Shutdown(p.now, id, How::kRead));
  p.Take();
  ASSERT_TRUE(p.stack->Close(p.now, id));
  EXPECT_EQ(p.Take().back().segment.flags, kRst | kAck);
}

// close/close-wait-leak: the state while data waits before the FIN.
TEST(LastAck, BeginsWithTheCallOrWithTheFin) {
  for (const char* profile : {"default", "rfc"}) {
    const bool later = profile[0] == 'r';
    ClosingPeer p(profile);
    const SocketId id = p.Established();
    p.Segment(kFin | kAck, p.irs + 1, p.iss + 1, {.window = 0});
    ASSERT_TRUE(p.stack->Send(p.now, id, Bytes("last words")));
    ASSERT_TRUE(p.stack->Shutdown(p.now, id, How::kWrite));
    EXPECT_EQ(p.StateOf(id), later ? State::kCloseWait : State::kLastAck);
    EXPECT_EQ(p.stack->Send(p.now, id, Bytes("x")).error(), Error::kBrokenPipe);
    ASSERT_TRUE(p.stack->Shutdown(p.now, id, How::kWrite));
    EXPECT_EQ(p.StateOf(id), later ? State::kCloseWait : State::kLastAck);
    p.Take();
    p.Segment(kAck, p.irs + 2, p.iss + 1);
    const auto sent = p.Take();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].payload, "last words");
    EXPECT_TRUE(sent[0].segment.Has(kFin));
    EXPECT_EQ(p.StateOf(id), State::kLastAck);
    p.Segment(kAck, p.irs + 2, p.iss + 12);
    EXPECT_EQ(p.StateOf(id), State::kClosed);
  }
}

TEST(LastAck, WithNothingQueuedBeginsWithTheCallInAllProfiles) {
  ClosingPeer p("rfc");
  const SocketId id = p.Established();
  p.Segment(kFin | kAck, p.irs + 1, p.iss + 1);
  ASSERT_TRUE(p.stack->Shutdown(p.now, id, How::kWrite));
  EXPECT_EQ(p.StateOf(id), State::kLastAck);
}

// close/linger-abort in CLOSING: the peer must not take a part for the whole.
TEST(Linger, AbortAfterShutdownTellsOfDataThatWasCutOff) {
  for (const bool unsent : {false, true}) {
    ClosingPeer p;
    const SocketId id = p.Established();
    if (unsent) p.Ack(1, 0);
    ASSERT_TRUE(p.stack->Send(p.now, id, Bytes("x")));
    ASSERT_TRUE(p.stack->Shutdown(p.now, id, How::kWrite));
    p.Segment(kFin | kAck, p.irs + 1, p.iss + 1,
              {.window = unsent ? std::uint16_t{0} : std::uint16_t{9}});
    EXPECT_EQ(p.StateOf(id), State::kClosing);
    SocketOptions o;
    o.linger = true;
    p.Options(id, o);
    p.Take();
    ASSERT_TRUE(p.stack->Close(p.now, id));
    const auto sent = p.Take();
    EXPECT_EQ(sent.size(), unsent ? 1u : 0u);
    if (unsent) {
      EXPECT_EQ(sent[0].segment.flags, kRst | kAck);
    }
    EXPECT_TRUE(p.Gone());
  }
}

TEST(Abort, TheResetCarriesWindowAndTimestamp) {
  ClosingPeer p;
  const SocketId id = p.Established();
  ASSERT_TRUE(p.stack->Abort(p.now, id));
  const auto sent = p.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.flags, kRst | kAck);
  EXPECT_EQ(sent[0].segment.seq, p.iss + 1);
  EXPECT_NE(sent[0].segment.window, 0);
  EXPECT_TRUE(sent[0].segment.options.has_timestamp);
}

TEST(Reset, TheFinsOwnNumber) {
  for (const char* profile : {"default", "linux", "rfc"}) {
    const bool believed = profile[0] == 'l';
    ClosingPeer p(profile);
    const SocketId id = p.Established();
    p.Segment(kFin | kAck, p.irs + 1, p.iss + 1);
    p.Segment(kRst, p.irs + 1, 0);
    EXPECT_EQ(p.StateOf(id), believed ? State::kClosed : State::kCloseWait);
    if (believed) {
      EXPECT_EQ(*p.stack->TakeError(id), std::optional(Error::kBrokenPipe));
    }
    ClosingPeer q(profile);  // but not without a FIN
    const SocketId open = q.Established();
    q.Segment(kRst, q.irs, 0);
    EXPECT_EQ(q.StateOf(open), State::kEstablished);
  }
}

TEST(Reset, OnlyTheLastSackedEdgeCounts) {
  ClosingPeer p;
  const SocketId id = p.Established();
  p.Segment(kAck, p.irs + 11, p.iss + 1, {.data = "aaaaa"});
  p.Segment(kAck, p.irs + 31, p.iss + 1, {.data = "bbbbb"});
  p.Take();
  p.Segment(kRst, p.irs + 16, 0);
  EXPECT_EQ(p.Take().size(), 1u);  // a challenge
  EXPECT_EQ(p.StateOf(id), State::kEstablished);
  p.Segment(kRst, p.irs + 36, 0);
  EXPECT_EQ(p.StateOf(id), State::kClosed);
}

TEST(AckRange, LinuxKnowsWhereTheStreamBegan) {
  for (const char* profile : {"default", "linux"}) {
    ClosingPeer p(profile);
    const SocketId id = p.Established();
    ASSERT_TRUE(p.stack->Send(p.now, id, Bytes("0123456789")));
    p.Take();
    p.Ack(11);
    p.Ack(1);
    EXPECT_TRUE(p.Take().empty());
    p.Ack(0);
    EXPECT_EQ(p.Take().size(), profile[0] == 'l' ? 1u : 0u);
  }
}

TEST(Syn, OutsideTheWindowItIsAChallenge) {
  ClosingPeer p;
  p.Set("net.ipv4.tcp_challenge_ack_limit", "1");
  p.Set("net.ipv4.tcp_invalid_ratelimit", "0");
  p.Established();
  for (int i = 0; i < 3; ++i) p.Segment(kSyn, p.irs - 500, 0);
  EXPECT_EQ(p.Take().size(), 1u);
  EXPECT_EQ(p.stack->Counters().challenge_acks_limited, 2u);
}

// A connection that is bound to its port, has SO_REUSEADDR, and is in TIME_WAIT.
SocketId BoundTimeWait(ClosingPeer& p) {
  const auto open = [&] {
    const SocketId id = *p.stack->Open(false);
    SocketOptions o;
    o.reuse_address = true;
    p.Options(id, o);
    EXPECT_TRUE(p.stack->Bind(id, {p.ours(), 5000}));
    return id;
  };
  const SocketId id = open();
  EXPECT_EQ(p.stack->Connect(p.now, id, {p.theirs(), p.port}).error(), Error::kInProgress);
  p.iss = p.Take().at(0).segment.seq;
  p.our_port = 5000;
  p.Segment(kSyn | kAck, p.irs, p.iss + 1);
  p.Close(id);
  p.Segment(kFin | kAck, p.irs + 1, p.iss + 2);
  EXPECT_EQ(p.stack->Counters().time_wait, 1u);
  p.Take();
  return open();
}

TEST(TimeWait, ABoundPortTakesItOverAtOnceOnLinux) {
  for (const char* profile : {"default", "linux"}) {
    for (const bool timestamps : {false, true}) {
      ClosingPeer p(profile);
      p.timestamps = timestamps;
      const SocketId id = BoundTimeWait(p);
      const auto connected = p.stack->Connect(p.now, id, {p.theirs(), p.port});
      const bool taken = profile[0] == 'l' && timestamps;
      EXPECT_EQ(connected.error(), taken ? Error::kInProgress : Error::kAddressNotAvailable);
      if (taken) {
        EXPECT_EQ(p.Take().at(0).segment.seq, p.iss + 2 + 65537);
      }
    }
  }
}

TEST(TimeWait, WhatItsHandleShows) {
  for (const char* profile : {"default", "linux"}) {
    ClosingPeer p(profile);
    const SocketId id = p.Established();
    ASSERT_TRUE(p.stack->Shutdown(p.now, id, How::kWrite));
    p.Take();
    p.Segment(kFin | kAck, p.irs + 1, p.iss + 2);
    EXPECT_EQ(p.StateOf(id), profile[0] == 'l' ? State::kClosed : State::kTimeWait);
  }
}

// time-wait/2msl: an old SYN does not restart it, but on Linux one with an old timestamp does.
TEST(TimeWait, AnOldSynsRestart) {
  for (const char* profile : {"default", "linux"}) {
    ClosingPeer p(profile);
    p.Close(p.Established());
    p.Segment(kFin | kAck, p.irs + 1, p.iss + 2);
    const Time start = p.now;
    p.Pass(seconds(10));
    p.Segment(kSyn, p.irs - 9, 0, {.ts_age = 60'000});
    p.Pass(seconds(200));
    EXPECT_EQ(p.LastRule(start),
              profile[0] == 'l' ? "time-wait-over 70000" : "time-wait-over 60000");
  }
}

TEST(TimeWait, ANewSynWithoutListenerIsAlwaysAnswered) {
  ClosingPeer p;
  p.Close(p.Established());
  p.Segment(kFin | kAck, p.irs + 1, p.iss + 2);
  p.Take();
  for (int i = 0; i < 3; ++i) p.Segment(kSyn, p.irs + 500, 0);
  EXPECT_EQ(p.Take().size(), 3u);
  for (int i = 0; i < 3; ++i) p.Segment(kSyn, p.irs - 500, 0, {.ts_age = 60'000});
  EXPECT_EQ(p.Take().size(), 1u);  // an old one is rationed
}

// Unread data of idle connections leaves room for those that read.
TEST(Memory, IdleConnectionsDoNotStarveTheOthers) {
  ClosingPeer p;
  const SocketId reader = p.Established();
  const std::uint32_t reader_iss = p.iss;
  const std::uint16_t reader_port = p.our_port;
  p.Set("estab.mem_limit", "4000000");
  const std::string piece(1400, 'i');
  for (std::uint16_t i = 1; i <= 60; ++i) {
    p.port = static_cast<std::uint16_t>(4000 + i);
    p.Established();
    for (std::uint32_t at = 0; at + 1400 < 64'000; at += 1400) {
      p.Segment(kAck, p.irs + 1 + at, p.iss + 1, {.data = piece});
    }
    p.Take();
  }
  p.port = 4000;
  p.our_port = reader_port;
  std::uint32_t seq = p.irs + 1;
  for (int i = 0; i < 200; ++i) {
    p.Segment(kAck, seq, reader_iss + 1, {.data = piece});
    seq += 1400;
    ASSERT_EQ(p.ReadAll(reader), piece) << "number " << i;
    p.Take();
  }
  p.Set("estab.mem_limit", "0");
}

}  // namespace
}  // namespace estab::test
