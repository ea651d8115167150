// Opening under the three profiles, with both holders of a half-open connection: the record of a
// listener and the TCB of a simultaneous open.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "matrix/raw_peer.h"
#include "tcp/negotiation.h"

namespace estab::test {
namespace {

std::string LastRule(const RawPeer& peer) { return peer.rules.fired.back().name(); }

void SetProfile(RawPeer& peer, const char* profile) { peer.Set("estab.profile", profile); }

// --- open/new-syn-before-rst ---

TEST(OtherSyn, DefaultChallengesAndTheRecordLives) {
  RawPeer peer;
  peer.Listen();
  peer.HalfOpen();
  peer.Segment(kSyn, peer.irs + 10, 0);
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.flags, kAck);
  EXPECT_EQ(sent[0].segment.ack, peer.irs + 1);
  EXPECT_EQ(peer.stack->Counters().half_open, 1u);
}

TEST(OtherSyn, LinuxResetsAndDropsTheRecord) {
  RawPeer peer;
  SetProfile(peer, "linux");
  peer.Listen();
  peer.HalfOpen();
  peer.Segment(kSyn, peer.irs + 10, 0);
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.flags, kRst | kAck);
  EXPECT_EQ(sent[0].segment.seq, 0u);
  EXPECT_EQ(sent[0].segment.ack, peer.irs + 11);
  EXPECT_EQ(LastRule(peer), "syn-rcvd-syn-reset");
  EXPECT_EQ(peer.rules.fired.back().to, State::kListen);
  EXPECT_EQ(peer.stack->Counters().half_open, 0u);
}

TEST(OtherSyn, RfcReturnsToListenSilently) {
  RawPeer peer;
  SetProfile(peer, "rfc");
  peer.Listen();
  peer.HalfOpen();
  peer.Segment(kSyn, peer.irs + 10, 0);
  EXPECT_TRUE(peer.Take().empty());
  EXPECT_EQ(LastRule(peer), "syn-rcvd-syn-listen");
  EXPECT_EQ(peer.stack->Counters().half_open, 0u);
}

TEST(OtherSyn, OutsideTheWindowAllAnswerAlike) {
  for (const char* profile : {"default", "linux", "rfc"}) {
    RawPeer peer;
    SetProfile(peer, profile);
    peer.Listen();
    peer.HalfOpen();
    peer.Segment(kSyn, peer.irs - 10, 0);
    const auto sent = peer.Take();
    ASSERT_EQ(sent.size(), 1u) << profile;
    EXPECT_EQ(sent[0].segment.flags, kAck);
    EXPECT_EQ(sent[0].segment.ack, peer.irs + 1);
    EXPECT_EQ(peer.stack->Counters().half_open, 1u);
  }
}

TEST(OtherSyn, ATcbIsChallengedInEveryProfile) {
  for (const char* profile : {"default", "linux", "rfc"}) {
    RawPeer peer;
    SetProfile(peer, profile);
    const SocketId id = peer.Connect();
    peer.Segment(kSyn, peer.irs, 0);
    peer.Take();
    peer.Segment(kSyn, peer.irs + 10, 0);
    ASSERT_EQ(peer.Take().size(), 1u) << profile;
    EXPECT_EQ(LastRule(peer), "syn-rcvd-syn-challenge");
    EXPECT_EQ(peer.StateOf(id), State::kSynRcvd);
  }
}

// --- Simultaneous open ---

TEST(CrossedSyns, LinuxOffersAgainAndAcknowledges) {
  for (const char* profile : {"default", "linux", "rfc"}) {
    const bool as_linux = std::string_view(profile) == "linux";
    RawPeer peer;
    SetProfile(peer, profile);
    peer.scaling = false;
    const SocketId id = peer.Connect();
    peer.Segment(kSyn, peer.irs, 0);
    const auto sent = peer.Take();
    ASSERT_EQ(sent.size(), 1u) << profile;
    EXPECT_EQ(sent[0].segment.options.has_window_scale, as_linux) << profile;
    peer.Segment(kSyn | kAck, peer.irs, sent[0].segment.seq + 1);
    EXPECT_EQ(peer.Take().size(), as_linux ? 1u : 0u) << profile;
    EXPECT_EQ(peer.StateOf(id), State::kEstablished);
  }
}

// --- Resets in SYN_RCVD ---

TEST(HalfOpenReset, MustBeExactInEveryProfile) {
  for (const char* profile : {"default", "linux", "rfc"}) {
    RawPeer peer;
    SetProfile(peer, profile);
    peer.Listen();
    peer.HalfOpen();
    peer.Segment(kRst, peer.irs + 9, 0);
    EXPECT_EQ(peer.stack->Counters().half_open, 1u) << profile;
    EXPECT_EQ(peer.Take().size(), 1u);
  }
}

TEST(HalfOpenReset, ToldToAnActiveOpenerAsTheProfileSays) {
  for (const auto& [profile, error] : {std::pair{"default", Error::kConnectionReset},
                                       {"linux", Error::kConnectionReset},
                                       {"rfc", Error::kConnectionRefused}}) {
    RawPeer peer;
    SetProfile(peer, profile);
    const SocketId id = peer.Connect();
    peer.Segment(kSyn, peer.irs, 0);
    peer.Segment(kRst, peer.irs + 1, 0);
    EXPECT_EQ(*peer.stack->TakeError(id), std::optional(error)) << profile;
  }
}

// --- Timestamps that were agreed on (open/negotiate) ---

TEST(RequiredTimestamp, OnlyTheRfcDropsSegmentsWithoutOne) {
  for (const char* profile : {"default", "linux", "rfc"}) {
    const bool drops = std::string_view(profile) == "rfc";
    RawPeer peer;
    SetProfile(peer, profile);
    const SocketId listener = peer.Listen();
    peer.HalfOpen();
    peer.Segment(kAck, peer.irs + 1, peer.iss + 1, {.timestamp = false});
    EXPECT_EQ(peer.stack->Accept(peer.now, listener).has_value(), !drops) << profile;
    if (drops) {
      EXPECT_EQ(LastRule(peer), "syn-rcvd-no-timestamp");
    }

    RawPeer open;
    SetProfile(open, profile);
    const SocketId id = open.Established();
    open.Segment(kAck, open.irs + 1, open.iss + 1, {.data = "x", .timestamp = false});
    EXPECT_EQ(open.ReadAll(id), drops ? "" : "x");
    if (drops) {
      EXPECT_EQ(LastRule(open), "no-timestamp");
    }
    open.Segment(kRst, open.irs + (drops ? 1 : 2), 0, {.timestamp = false});
    EXPECT_EQ(open.StateOf(id), State::kClosed);
  }
}

TEST(RequiredTimestamp, NobodyDropsWhenNoneWasAgreedOn) {
  RawPeer peer;
  SetProfile(peer, "rfc");
  peer.timestamps = false;
  const SocketId listener = peer.Listen();
  peer.HalfOpen();
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  EXPECT_TRUE(peer.stack->Accept(peer.now, listener));
}

// --- open/syn-lost: when SYNs go out, and when it is over; Linux's measured ---

struct SynCase {
  const char* retries;
  const char* linear;
  std::uint8_t syn_count;
  std::vector<int> seconds;  // the last is the end
};

TEST(SynLost, LinearAndDoublingTimeouts) {
  const SynCase cases[] = {
      {"5", "0", 0, {1, 3, 7, 15, 31, 63}},
      {"3", "0", 0, {1, 3, 7, 15}},
      {"0", "0", 0, {1}},
      {"6", "4", 0, {1, 2, 3, 4, 5, 7, 11, 19, 35, 67, 131}},
      {"2", "4", 0, {1, 2, 3, 4, 5, 7}},
      {"1", "4", 0, {1, 2, 3}},
      {"1", "1", 0, {1, 2, 4}},
      {"3", "1", 0, {1, 2, 4, 8, 16}},
      {"4", "2", 0, {1, 2, 3, 5, 9, 17, 33}},
      {"3", "10", 0, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 17}},
      {"6", "4", 2, {1, 2, 3, 4, 5, 7}},
      {"6", "4", 3, {1, 2, 3, 4, 5, 7, 11, 19}},
      {"7", "0", 0, {1, 3, 7, 15, 31, 63, 127, 247}},
  };
  for (const SynCase& c : cases) {
    SCOPED_TRACE(std::string(c.retries) + " " + c.linear);
    RawPeer peer;
    peer.Set("net.ipv4.tcp_syn_retries", c.retries);
    peer.Set("net.ipv4.tcp_syn_linear_timeouts", c.linear);
    const SocketId id = peer.Connect();
    if (c.syn_count != 0) {
      SocketOptions options;
      options.syn_count = c.syn_count;
      ASSERT_TRUE(peer.stack->SetOptions(peer.now, id, options));
    }
    peer.Until(At(c.seconds.back() * 1000.0 - 1));
    EXPECT_EQ(peer.StateOf(id), State::kSynSent);
    std::vector<int> times;
    for (const Sent& s : peer.Take()) times.push_back(static_cast<int>(MsOf(s.at) / 1000));
    times.push_back(c.seconds.back());
    EXPECT_EQ(times, c.seconds);
    peer.Until(At(c.seconds.back() * 1000.0));
    EXPECT_EQ(*peer.stack->TakeError(id), std::optional(Error::kTimedOut));
    EXPECT_TRUE(peer.Take().empty());
  }
}

TEST(SynLost, TheProfilesOwnNumbers) {
  for (const auto& [profile, syns, end] :
       {std::tuple{"default", 5u, 63}, {"linux", 10u, 131}, {"rfc", 7u, 247}}) {
    RawPeer peer;
    SetProfile(peer, profile);
    const SocketId id = peer.Connect();
    peer.Until(At(end * 1000.0));
    EXPECT_EQ(peer.Take().size(), syns) << profile;
    EXPECT_EQ(*peer.stack->TakeError(id), std::optional(Error::kTimedOut)) << profile;
  }
}

// Linux repeats its SYN a moment after it has reset what a leftover of the peer answered.
TEST(SynSent, ABadAckHastensTheSynUnderLinux) {
  for (const char* profile : {"default", "linux"}) {
    RawPeer peer;
    SetProfile(peer, profile);
    peer.Connect();
    peer.Segment(kSyn | kAck, peer.irs, peer.iss - 9);
    const auto reset = peer.Take();
    ASSERT_EQ(reset.size(), 1u);
    EXPECT_EQ(reset[0].segment.flags, kRst);
    EXPECT_EQ(reset[0].segment.seq, peer.iss - 9);
    peer.Until(At(999));
    EXPECT_EQ(peer.Take().size(), std::string_view(profile) == "linux" ? 1u : 0u);
  }
}

TEST(SynSent, AnEchoOfNoSynOfOursIsReset) {
  RawPeer peer;
  const SocketId id = peer.Connect();
  peer.Pass(milliseconds(100));
  const std::uint32_t ours = peer.last_ts;
  for (const std::uint32_t wrong : {ours - 1, ours + 101}) {
    peer.last_ts = wrong;
    peer.Segment(kSyn | kAck, peer.irs, peer.iss + 1);
    const auto sent = peer.Take();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].segment.flags, kRst);
    EXPECT_EQ(LastRule(peer), "syn-sent-bad-echo");
    EXPECT_EQ(peer.StateOf(id), State::kSynSent);
  }
  peer.last_ts = ours;
  peer.Segment(kSyn | kAck, peer.irs, peer.iss + 1);
  EXPECT_EQ(peer.StateOf(id), State::kEstablished);
}

TEST(SynRcvd, TheEchoMustBeOfASynAckOfOurs) {
  RawPeer peer;
  const SocketId listener = peer.Listen();
  peer.HalfOpen();
  const std::uint32_t first = peer.last_ts;
  peer.Pass(seconds(1));  // and the SYN|ACK again
  const std::uint32_t last = peer.last_ts;
  EXPECT_EQ(last - first, 1000u);
  peer.Take();
  for (const std::uint32_t wrong : {first - 1, last + 1}) {
    peer.last_ts = wrong;
    peer.Pass(milliseconds(500));
    peer.Take();
    peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
    const auto sent = peer.Take();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].segment.flags, kAck);
    EXPECT_EQ(sent[0].segment.ack, peer.irs + 1);
    EXPECT_EQ(LastRule(peer), "syn-rcvd-bad-echo");
  }
  peer.last_ts = first;  // the answer to the first may be late
  peer.Segment(kAck, peer.irs + 1, peer.iss + 1);
  EXPECT_TRUE(peer.stack->Accept(peer.now, listener));
}

TEST(SynSent, EitherShutdownEndsTheAttempt) {
  for (const How how : {How::kRead, How::kWrite, How::kBoth}) {
    RawPeer peer;
    const SocketId id = peer.Connect();
    ASSERT_TRUE(peer.stack->Shutdown(peer.now, id, how));
    EXPECT_EQ(peer.StateOf(id), State::kClosed);
    EXPECT_EQ(*peer.stack->TakeError(id), std::optional(Error::kConnectionReset));
    EXPECT_TRUE(peer.Take().empty());
    peer.Segment(kSyn | kAck, peer.irs, peer.iss + 1);
    EXPECT_EQ(peer.Take().at(0).segment.flags, kRst);
    EXPECT_EQ(peer.stack->NextDeadline(), kNever);
  }
}

// As Linux: the ACK is looked at before the window.
TEST(SynRcvd, ABadAckIsResetWhereverItLies) {
  RawPeer peer;
  peer.Listen();
  peer.HalfOpen();
  peer.Segment(kAck, peer.irs - 100, peer.iss + 5);
  const auto sent = peer.Take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].segment.flags, kRst);
  EXPECT_EQ(sent[0].segment.seq, peer.iss + 5);
  EXPECT_EQ(peer.stack->Counters().half_open, 1u);
}

// --- The first window and its scale, as Linux has them ---

struct WindowCase {
  const char* rmem;
  std::uint32_t buffer;   // SO_RCVBUF
  std::uint16_t syn;      // window of our SYN, IPv4, MTU 1500
  std::uint16_t syn_ack;  // of our SYN|ACK, timestamps agreed on
  std::uint8_t scale;
};

TEST(FirstWindow, WholeSegmentsOutOfHalfTheBuffer) {
  const WindowCase cases[] = {
      {"4096 131072 6291456", 0, 64240, 65160, 7},
      {"4096 131072 33554432", 0, 64240, 65160, 10},
      {"4096 87380 6291456", 0, 42340, 43440, 7},
      {"4096 16384 65536", 0, 7300, 7240, 7},  // rmem_max still allows 4 MiB
      {"4096 1048576 6291456", 0, 65535, 65535, 7},
      {"4096 131072 6291456", 10000, 8760, 8688, 0},
      {"4096 131072 6291456", 65536, 64240, 65160, 1},
      {"4096 131072 6291456", 65535, 64240, 65160, 0},
      {"4096 131072 6291456", 262144, 65535, 65535, 3},
  };
  for (const WindowCase& c : cases) {
    SCOPED_TRACE(std::string(c.rmem) + " " + std::to_string(c.buffer));
    SocketOptions options;
    options.receive_buffer = c.buffer;
    RawPeer active;
    active.Set("net.ipv4.tcp_rmem", c.rmem);
    const SocketId id = *active.stack->Open(false);
    ASSERT_TRUE(active.stack->SetOptions(active.now, id, options));
    ASSERT_EQ(active.stack->Connect(active.now, id, {active.theirs(), 9}).error(),
              Error::kInProgress);
    const auto syn = active.Take();
    EXPECT_EQ(syn.at(0).segment.window, c.syn);
    EXPECT_EQ(syn.at(0).segment.options.window_scale, c.scale);
    RawPeer passive;
    passive.Set("net.ipv4.tcp_rmem", c.rmem);
    ASSERT_TRUE(passive.stack->SetOptions(passive.now, passive.Listen(), options));
    passive.Segment(kSyn, passive.irs, 0);
    const auto answer = passive.Take();
    EXPECT_EQ(answer.at(0).segment.window, c.syn_ack);
    EXPECT_EQ(answer.at(0).segment.options.window_scale, c.scale);
  }
}

}  // namespace
}  // namespace estab::test
