#include "observe/journal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "observe/why.h"
#include "tcp/rules.h"

namespace estab::observe {
namespace {

using std::chrono::milliseconds;

Tuple TupleOf(std::uint16_t port) {
  return {{IpAddress::V4(0xc0000201), port}, {IpAddress::V4(0xc0000202), 80}};
}

void Fire(Journal& journal, ConnectionNumber number, milliseconds at, State from, State to,
          RuleId rule, const Cause& cause, std::uint16_t port = 40000) {
  const Tuple tuple = TupleOf(port);
  journal.OnRule({Time(at), number, tuple, from, to, rule, cause});
}

Cause Call(CallKind call) {
  Cause cause;
  cause.call = call;
  return cause;
}

Cause SynAck() {
  Cause cause;
  cause.trigger = Trigger::kSegment;
  cause.segment.flags = kSyn | kAck;
  cause.segment.seq = 5000;
  cause.segment.ack = 1001;
  return cause;
}

// The story as text, with nothing of the connection left in a stack.
std::string Text(const Journal& journal, ConnectionNumber number) {
  const auto story = journal.Tell(number);
  return story ? WhyText(*story, nullptr, Time(milliseconds(1000))) : "forgotten";
}

TEST(Journal, TellsTheWholeStoryOldestFirst) {
  Journal journal({.records = 16, .connections = 8});
  Fire(journal, 3, milliseconds(5), State::kClosed, State::kSynSent, RuleId::kActiveOpen,
       Call(CallKind::kConnect));
  Fire(journal, 4, milliseconds(6), State::kClosed, State::kSynSent, RuleId::kActiveOpen,
       Call(CallKind::kConnect), 40001);
  Fire(journal, 3, milliseconds(25), State::kSynSent, State::kEstablished, RuleId::kSynSentSynAck,
       SynAck());
  const std::string open = "a SYN asks for the connection";
  const std::string syn_ack = GetRule(RuleId::kSynSentSynAck).gist;
  EXPECT_EQ(Text(journal, 3),
            "connection 3, 192.0.2.1:40000 - 192.0.2.2:80, opened by us\n"
            "  state:  ESTABLISHED for 0.975 s; nothing of it is left in the "
            "stack\n"
            "  why:    SYN|ACK arrived (seq 5000, ack 1001): " +
                syn_ack +
                " (RFC 9293 §3.10.7.3) [syn-sent-syn-ack]\n"
                "history, in seconds since its first event, 0.995 s ago:\n"
                "      +0.000 s  connect() was called: " +
                open +
                " (RFC 9293 §3.10.1) [active-open]. CLOSED → SYN_SENT.\n"
                "      +0.020 s  SYN|ACK arrived (seq 5000, ack 1001): " +
                syn_ack + " (RFC 9293 §3.10.7.3) [syn-sent-syn-ack]. SYN_SENT → ESTABLISHED.\n");
}

TEST(Journal, NamesTimersIcmpAndPayload) {
  Journal journal({.records = 16, .connections = 8});
  Cause timer;
  timer.trigger = Trigger::kTimer;
  timer.timer = TimerKind::kRetransmit;
  Cause icmp;
  icmp.trigger = Trigger::kIcmp;
  icmp.icmp = 3 << 8 | 1;
  Cause data = SynAck();
  data.segment.flags = kPsh | kAck;
  data.segment.length = 65535;
  for (const Cause& cause : {timer, icmp, data}) {
    Fire(journal, 1, milliseconds(1), State::kClosed, State::kSynSent, RuleId{0}, cause);
  }
  const std::string text = Text(journal, 1);
  EXPECT_NE(text.find("The retransmission timer ran out:"), std::string::npos) << text;
  EXPECT_NE(text.find("ICMP arrived (type 3, code 1):"), std::string::npos) << text;
  EXPECT_NE(text.find("PSH|ACK arrived (seq 5000, ack 1001, 65535 bytes):"), std::string::npos)
      << text;
}

TEST(Journal, KeepsVerdictsOnlyIfAsked) {
  Journal quiet({.records = 16, .connections = 8});
  Journal all({.records = 16, .connections = 8, .verdicts = true});
  EXPECT_EQ(quiet.Interests(), Observer::kTransitions | Observer::kRefusals);
  EXPECT_EQ(all.Interests(), Observer::kTransitions | Observer::kRefusals | Observer::kVerdicts);
  for (Journal* journal : {&quiet, &all}) {
    Fire(*journal, 1, milliseconds(1), State::kClosed, State::kSynSent, RuleId{0}, SynAck());
    Fire(*journal, 1, milliseconds(2), State::kSynSent, State::kSynSent, RuleId{0}, SynAck());
  }
  EXPECT_EQ(quiet.total(), 1u);
  const std::string text = Text(all, 1);
  EXPECT_NE(text.find("Stays SYN_SENT."), std::string::npos) << text;
  // The verdict does not explain the state; the change before it does.
  EXPECT_NE(text.find("SYN_SENT for 0.999 s"), std::string::npos) << text;
}

TEST(Journal, SaysWhatWasOverwritten) {
  Journal journal({.records = 4, .connections = 8});
  Fire(journal, 1, milliseconds(0), State::kClosed, State::kSynSent, RuleId{0}, SynAck());
  Fire(journal, 1, milliseconds(1), State::kSynSent, State::kEstablished, RuleId{0}, SynAck());
  for (int i = 0; i < 3; ++i) {
    Fire(journal, 2, milliseconds(2 + i), State::kClosed, State::kSynSent, RuleId{0}, SynAck(), 1);
  }
  // Four records: the first of connection 1 is gone, its second is still there.
  const std::string one = Text(journal, 1);
  EXPECT_NE(one.find("  earlier history was overwritten\n"), std::string::npos) << one;
  EXPECT_EQ(one.find("CLOSED →"), std::string::npos) << one;
  EXPECT_NE(one.find("state:  ESTABLISHED"), std::string::npos) << one;
  EXPECT_EQ(Text(journal, 2).find("overwritten"), std::string::npos) << Text(journal, 2);
  // One more, and nothing of it is left but its name.
  Fire(journal, 2, milliseconds(9), State::kClosed, State::kSynSent, RuleId{0}, SynAck(), 1);
  EXPECT_TRUE(journal.Tell(1)->entries.empty());
  EXPECT_NE(Text(journal, 1).find("history: all of it was overwritten\n"), std::string::npos);
}

TEST(Journal, AConnectionThatFillsTheRingKeepsItsLastRecords) {
  Journal journal({.records = 4, .connections = 8});
  for (int i = 0; i < 6; ++i) {
    Fire(journal, 1, milliseconds(i), State::kClosed, State::kSynSent, RuleId{0}, SynAck());
  }
  const auto story = journal.Tell(1);
  ASSERT_EQ(story->entries.size(), 4u);
  EXPECT_FALSE(story->whole);
  EXPECT_EQ(story->entries.front().at, Time(milliseconds(2)));
}

TEST(Journal, IdentityThatWasPushedOutIsNotConfused) {
  Journal journal({.records = 64, .connections = 4});
  Fire(journal, 1, milliseconds(0), State::kClosed, State::kSynSent, RuleId{0}, SynAck(), 1);
  Fire(journal, 5, milliseconds(1), State::kClosed, State::kSynSent, RuleId{0}, SynAck(), 5);
  EXPECT_FALSE(journal.Tell(1));
  EXPECT_EQ(journal.Find(TupleOf(1)), 0u);
  EXPECT_EQ(journal.Find(TupleOf(5)), 5u);
  // It speaks again: what it did before was forgotten, and that is said.
  Fire(journal, 1, milliseconds(2), State::kSynSent, State::kEstablished, RuleId{0}, SynAck(), 1);
  EXPECT_FALSE(journal.Tell(1)->whole);
}

TEST(Journal, FindsTheYoungestOfATuple) {
  Journal journal({.records = 64, .connections = 16});
  for (ConnectionNumber n : {2u, 9u, 7u}) {
    Fire(journal, n, milliseconds(n), State::kClosed, State::kSynSent, RuleId{0}, SynAck());
  }
  EXPECT_EQ(journal.Find(TupleOf(40000)), 9u);
  EXPECT_EQ(journal.Count(TupleOf(40000)), 3u);
  EXPECT_EQ(journal.Find(TupleOf(1)), 0u);
}

TEST(Journal, RefusalsAreCountedByRuleAndForgottenInTurn) {
  Journal journal({.records = 4, .connections = 4, .refusals = 1});
  for (int i = 0; i < 3; ++i) {
    Fire(journal, 0, milliseconds(i), State::kClosed, State::kClosed, RuleId::kClosedReset,
         SynAck(), 7);
  }
  EXPECT_EQ(journal.total(), 0u);  // they take no room from the living
  const auto refusal = journal.Refused(TupleOf(7));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->count, 3u);
  EXPECT_EQ(refusal->first, Time(milliseconds(0)));
  EXPECT_EQ(refusal->last.at, Time(milliseconds(2)));
  Fire(journal, 0, milliseconds(9), State::kClosed, State::kClosed, RuleId::kClosedRst, SynAck(),
       7);
  EXPECT_EQ(journal.Refused(TupleOf(7))->count, 1u);  // another answer, counted anew
  Fire(journal, 4, milliseconds(9), State::kListen, State::kListen, RuleId::kListenAck, SynAck(),
       8);
  EXPECT_FALSE(journal.Refused(TupleOf(7)));
  EXPECT_EQ(journal.RefusedAt({IpAddress::AnyV6(), 8}, 5).size(), 1u);
  EXPECT_EQ(journal.RefusedAt({IpAddress::V4(1), 8}, 5).size(), 0u);
}

TEST(Journal, SizesAreRoundedUp) {
  EXPECT_EQ(Journal({.records = 5, .connections = 1}).capacity(), 8u);
  EXPECT_EQ(Journal().capacity(), std::size_t{64} * 1024);
}

}  // namespace
}  // namespace estab::observe
