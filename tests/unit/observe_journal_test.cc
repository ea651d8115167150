#include "observe/journal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

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

std::size_t Lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(Journal, TellsTheWholeStoryOldestFirst) {
  Journal journal({.records = 16, .connections = 8});
  Fire(journal, 3, milliseconds(0), State::kClosed, State::kSynSent, RuleId::kActiveOpen,
       Call(CallKind::kConnect));
  Fire(journal, 4, milliseconds(5), State::kClosed, State::kSynSent, RuleId::kActiveOpen,
       Call(CallKind::kConnect), 40001);
  Fire(journal, 3, milliseconds(20), State::kSynSent, State::kEstablished, RuleId::kActiveOpen,
       SynAck());
  const Rule& rule = GetRule(RuleId::kActiveOpen);
  const std::string tail =
      std::string(": rule active-open (MUST, RFC 9293 §3.10.1): ") + rule.gist + "\n";
  EXPECT_EQ(journal.Why(3),
            "connection 3, 192.0.2.1:40000 - 192.0.2.2:80\n"
            "  at 0.000000 s: CLOSED -> SYN_SENT, because of call connect" +
                tail +
                "  at 0.020000 s: SYN_SENT -> ESTABLISHED, because of segment SYN|ACK seq=5000 "
                "ack=1001" +
                tail + "  now ESTABLISHED, since 0.020000 s, by rule active-open: " + rule.gist +
                "\n");
  EXPECT_EQ(journal.Why(TupleOf(40001)), journal.Why(4));
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
  const std::string text = journal.Why(1);
  EXPECT_NE(text.find("because of timer retransmit:"), std::string::npos) << text;
  EXPECT_NE(text.find("because of ICMP type 3 code 1:"), std::string::npos) << text;
  EXPECT_NE(text.find("PSH|ACK seq=5000 ack=1001 len=65535:"), std::string::npos) << text;
}

TEST(Journal, KeepsVerdictsOnlyIfAsked) {
  Journal quiet({.records = 16, .connections = 8});
  Journal all({.records = 16, .connections = 8, .verdicts = true});
  EXPECT_EQ(quiet.Interests(), unsigned{Observer::kTransitions});
  EXPECT_EQ(all.Interests(), Observer::kTransitions | Observer::kVerdicts);
  for (Journal* journal : {&quiet, &all}) {
    Fire(*journal, 1, milliseconds(1), State::kClosed, State::kSynSent, RuleId{0}, SynAck());
    Fire(*journal, 1, milliseconds(2), State::kSynSent, State::kSynSent, RuleId{0}, SynAck());
  }
  EXPECT_EQ(quiet.total(), 1u);
  EXPECT_NE(all.Why(1).find("at 0.002000 s: stays SYN_SENT"), std::string::npos) << all.Why(1);
  // The verdict does not explain the state; the change before it does.
  EXPECT_NE(all.Why(1).find("now SYN_SENT, since 0.001000 s"), std::string::npos) << all.Why(1);
}

TEST(Journal, SaysWhatWasOverwritten) {
  Journal journal({.records = 4, .connections = 8});
  Fire(journal, 1, milliseconds(0), State::kClosed, State::kSynSent, RuleId{0}, SynAck());
  Fire(journal, 1, milliseconds(1), State::kSynSent, State::kEstablished, RuleId{0}, SynAck());
  for (int i = 0; i < 3; ++i) {
    Fire(journal, 2, milliseconds(2 + i), State::kClosed, State::kSynSent, RuleId{0}, SynAck(), 1);
  }
  // Four records: the first of connection 1 is gone, its second is still there.
  const std::string one = journal.Why(1);
  EXPECT_NE(one.find("  earlier history was overwritten\n"), std::string::npos) << one;
  EXPECT_EQ(one.find("CLOSED ->"), std::string::npos) << one;
  EXPECT_NE(one.find("now ESTABLISHED"), std::string::npos) << one;
  EXPECT_EQ(journal.Why(2).find("overwritten"), std::string::npos) << journal.Why(2);
  // One more, and nothing of it is left but its name.
  Fire(journal, 2, milliseconds(9), State::kClosed, State::kSynSent, RuleId{0}, SynAck(), 1);
  EXPECT_EQ(Lines(journal.Why(1)), 2u) << journal.Why(1);
  EXPECT_NE(journal.Why(1).find("overwritten"), std::string::npos);
}

TEST(Journal, AConnectionThatFillsTheRingKeepsItsLastRecords) {
  Journal journal({.records = 4, .connections = 8});
  for (int i = 0; i < 6; ++i) {
    Fire(journal, 1, milliseconds(i), State::kClosed, State::kSynSent, RuleId{0}, SynAck());
  }
  const std::string text = journal.Why(1);
  EXPECT_EQ(Lines(text), 1u + 1u + 4u + 1u) << text;
  EXPECT_NE(text.find("overwritten\n  at 0.002000 s"), std::string::npos) << text;
}

TEST(Journal, IdentityThatWasPushedOutIsNotConfused) {
  Journal journal({.records = 64, .connections = 4});
  Fire(journal, 1, milliseconds(0), State::kClosed, State::kSynSent, RuleId{0}, SynAck(), 1);
  Fire(journal, 5, milliseconds(1), State::kClosed, State::kSynSent, RuleId{0}, SynAck(), 5);
  EXPECT_NE(journal.Why(1).find("nothing is remembered"), std::string::npos) << journal.Why(1);
  EXPECT_EQ(journal.Find(TupleOf(1)), 0u);
  EXPECT_EQ(journal.Find(TupleOf(5)), 5u);
  // It speaks again: what it did before was forgotten, and that is said.
  Fire(journal, 1, milliseconds(2), State::kSynSent, State::kEstablished, RuleId{0}, SynAck(), 1);
  EXPECT_NE(journal.Why(1).find("earlier history was overwritten"), std::string::npos);
}

TEST(Journal, FindsTheYoungestOfATuple) {
  Journal journal({.records = 64, .connections = 16});
  for (ConnectionNumber n : {2u, 9u, 7u}) {
    Fire(journal, n, milliseconds(n), State::kClosed, State::kSynSent, RuleId{0}, SynAck());
  }
  EXPECT_EQ(journal.Find(TupleOf(40000)), 9u);
  EXPECT_NE(journal.Why(TupleOf(1)).find("no such connection"), std::string::npos);
}

TEST(Journal, SizesAreRoundedUp) {
  EXPECT_EQ(Journal({.records = 5, .connections = 1}).capacity(), 8u);
  EXPECT_EQ(Journal().capacity(), std::size_t{64} * 1024);
}

}  // namespace
}  // namespace estab::observe
