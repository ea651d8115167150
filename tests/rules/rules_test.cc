// The shape of the table of rules, and that nothing goes past it.
#include "tcp/rules.h"

#include <gtest/gtest.h>

#include <bit>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>

namespace estab::test {
namespace {

constexpr State kAll[] = {State::kClosed,   State::kListen,      State::kSynSent,
                          State::kSynRcvd,  State::kEstablished, State::kFinWait1,
                          State::kFinWait2, State::kCloseWait,   State::kClosing,
                          State::kLastAck,  State::kTimeWait};

const Rule& RuleAt(std::size_t i) { return GetRule(static_cast<RuleId>(i)); }

TEST(Rules, IdsAreTheirPlacesAndNamesAreUnique) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < RuleCount(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(RuleAt(i).id), i);
    EXPECT_TRUE(names.insert(RuleAt(i).name).second) << RuleAt(i).name;
    EXPECT_TRUE(std::regex_match(RuleAt(i).name, std::regex("[a-z0-9]+(-[a-z0-9]+)*")))
        << RuleAt(i).name;
  }
  EXPECT_EQ(names.size(), tcp::kRuleCount);
}

TEST(Rules, EachSaysWhereWhyAndWhat) {
  StateSet all = 0;
  for (State s : kAll) all = static_cast<StateSet>(all | In(s));
  EXPECT_EQ(std::popcount(all), 11);
  for (std::size_t i = 0; i < RuleCount(); ++i) {
    const Rule& rule = RuleAt(i);
    EXPECT_NE(rule.from, 0) << rule.name;
    EXPECT_EQ(rule.from & ~all, 0) << rule.name;
    if (rule.moves) {
      EXPECT_NE(In(rule.to) & all, 0) << rule.name;
    }
    EXPECT_STRNE(rule.section, "") << rule.name;
    EXPECT_STRNE(rule.gist, "") << rule.name;
    EXPECT_LE(std::string(rule.gist).size(), 100u) << rule.name;
    if (rule.basis == Basis::kMust || rule.basis == Basis::kShould || rule.basis == Basis::kMay) {
      const std::string section = rule.section;
      EXPECT_TRUE(section.starts_with("RFC ") || section.starts_with("close/")) << rule.name;
    }
  }
}

// Figure 5 of RFC 9293, and the transitions that its note lists apart.
TEST(Rules, EveryTransitionOfFigure5IsThere) {
  using enum State;
  struct Arrow {
    State from;
    Trigger trigger;
    State to;
  };
  const Arrow arrows[] = {
      {kClosed, Trigger::kCall, kListen},           // passive OPEN
      {kClosed, Trigger::kCall, kSynSent},          // active OPEN
      {kListen, Trigger::kCall, kClosed},           // CLOSE
      {kListen, Trigger::kSegment, kSynRcvd},       // rcv SYN
      {kSynSent, Trigger::kCall, kClosed},          // CLOSE
      {kSynSent, Trigger::kSegment, kSynRcvd},      // rcv SYN
      {kSynSent, Trigger::kSegment, kEstablished},  // rcv SYN,ACK
      {kSynRcvd, Trigger::kSegment, kEstablished},  // rcv ACK of SYN
      {kSynRcvd, Trigger::kCall, kFinWait1},        // CLOSE
      {kSynRcvd, Trigger::kSegment, kListen},       // rcv RST, from a passive OPEN
      {kEstablished, Trigger::kCall, kFinWait1},    // CLOSE
      {kEstablished, Trigger::kSegment, kCloseWait},
      {kFinWait1, Trigger::kSegment, kFinWait2},
      {kFinWait1, Trigger::kSegment, kClosing},
      {kFinWait1, Trigger::kSegment, kTimeWait},  // FIN with the ACK of ours
      {kFinWait2, Trigger::kSegment, kTimeWait},
      {kCloseWait, Trigger::kCall, kLastAck},
      {kClosing, Trigger::kSegment, kTimeWait},
      {kLastAck, Trigger::kSegment, kClosed},
      {kTimeWait, Trigger::kTimer, kClosed},
  };
  for (const Arrow& a : arrows) {
    bool found = false;
    for (std::size_t i = 0; i < RuleCount(); ++i) {
      const Rule& r = RuleAt(i);
      found = found || (r.moves && r.to == a.to && r.trigger == a.trigger && (r.from & In(a.from)));
    }
    EXPECT_TRUE(found) << StateName(a.from) << " -> " << StateName(a.to);
  }
}

// No rule leads anywhere that neither the figure, an abort, a reset nor a time-out allows.
TEST(Rules, NoOtherTransitions) {
  using enum State;
  const std::set<std::pair<State, State>> allowed = {
      {kClosed, kListen},         {kClosed, kSynSent},      {kListen, kSynRcvd},
      {kSynSent, kSynRcvd},       {kSynSent, kEstablished}, {kSynRcvd, kEstablished},
      {kSynRcvd, kFinWait1},      {kSynRcvd, kListen},      {kEstablished, kFinWait1},
      {kEstablished, kCloseWait}, {kFinWait1, kFinWait2},   {kFinWait1, kClosing},
      {kFinWait1, kTimeWait},     {kFinWait2, kTimeWait},   {kCloseWait, kLastAck},
      {kClosing, kTimeWait}};
  for (std::size_t i = 0; i < RuleCount(); ++i) {
    const Rule& r = RuleAt(i);
    if (!r.moves || r.to == kClosed) continue;
    for (State from : kAll) {
      if ((r.from & In(from)) == 0) continue;
      EXPECT_TRUE(allowed.contains({from, r.to})) << r.name << " from " << StateName(from);
    }
  }
}

// Every state can be left by a segment, a timer or a call, and every state but CLOSED entered.
TEST(Rules, NoStateIsATrapOrOutOfReach) {
  for (State s : kAll) {
    bool left = false;
    bool entered = false;
    for (std::size_t i = 0; i < RuleCount(); ++i) {
      if (!RuleAt(i).moves) continue;
      left = left || ((RuleAt(i).from & In(s)) != 0 && RuleAt(i).to != s);
      entered = entered || RuleAt(i).to == s;
    }
    EXPECT_TRUE(left && entered) << StateName(s);
  }
}

// A state is assigned where rules are applied, and where a record becomes a TCB, and nowhere else.
TEST(Rules, StatesChangeOnlyByRules) {
  const std::map<std::string, int> permitted = {
      {"tcp/context.cc", 1},    // Apply
      {"tcp/half_open.cc", 1},  // Promote: SYN_RCVD goes on in a TCB
  };
  // `.state = x` and `->state = x`; not ==. Records called `state` are told by their values.
  const std::regex assignment(R"((\.|->)state\s*=\s*(State::|rule|[a-z_.]*\.to\b))");
  std::map<std::string, int> found;
  int files = 0;
  for (const char* room : {"tcp", "stack"}) {
    const std::filesystem::path root = std::filesystem::path(ESTAB_SOURCE_DIR) / "src";
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / room)) {
      if (entry.path().extension() != ".cc" && entry.path().extension() != ".h") continue;
      ++files;
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) {
        if (std::regex_search(line, assignment)) {
          ++found[std::filesystem::relative(entry.path(), root).string()];
        }
      }
    }
  }
  EXPECT_GT(files, 40);
  EXPECT_EQ(found, permitted);
}

}  // namespace
}  // namespace estab::test
