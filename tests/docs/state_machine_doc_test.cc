// docs/state-machine.md and .svg are generated from the rules, so that they cannot lag behind; and
// what they say of a rule's answer is held against the matrix, where real segments are answered.
// To write them anew after a change: ESTAB_WRITE_DOCS=1 doc_state_machine
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

#include "matrix/table.h"
#include "observe/state_machine.h"
#include "tcp/rules.h"

namespace estab::observe {
namespace {

void Compare(const std::string& name, const std::string& generated) {
  const std::string path = std::string(ESTAB_DOCS) + "/" + name;
  if (std::getenv("ESTAB_WRITE_DOCS") != nullptr) std::ofstream(path) << generated;
  std::ostringstream file;
  file << std::ifstream(path).rdbuf();
  // Not EXPECT_EQ: the difference of two such pages helps nobody.
  EXPECT_TRUE(file.str() == generated)
      << name << " lags behind the rules; write it anew: ESTAB_WRITE_DOCS=1 doc_state_machine";
}

TEST(StateMachine, PagesSayWhatTheRulesSay) {
  Compare("state-machine.md", MachineToMarkdown("state-machine.svg"));
  Compare("state-machine.svg", MachineToSvg());
}

TEST(StateMachine, EveryRuleHasItsEffect) {
  for (std::size_t i = 0; i < RuleCount(); ++i) {
    EXPECT_STRNE(EffectOf(static_cast<RuleId>(i)).event, "")
        << "src/observe/rule_effects.def lacks " << GetRule(static_cast<RuleId>(i)).name;
  }
}

TEST(StateMachine, TheFigureHasAllTransitionsAndNoOther) {
  const std::string svg = MachineToSvg();
  EXPECT_EQ(svg.find("no place for"), std::string::npos)
      << svg.substr(svg.find("no place for"), 80);
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = svg.find(" line\" d=", at)) != std::string::npos; ++at) ++lines;
  EXPECT_EQ(lines, AllEdges().size() + 3);  // and the legend's
  std::size_t moves = 0;
  for (const Edge& edge : AllEdges()) moves += edge.rules.size();
  std::size_t expected = 0;
  for (const State s : StatesInOrder()) {
    for (const RuleId id : RulesIn(s)) {
      expected += GetRule(id).moves && GetRule(id).to != s ? 1 : 0;
    }
  }
  EXPECT_EQ(moves, expected);
  EXPECT_EQ(StatesInOrder().size(), 11u);
}

TEST(StateMachine, JsonCanBeRead) {
  const auto json = nlohmann::json::parse(MachineToJson());
  EXPECT_EQ(json["rules"].size(), RuleCount());
  EXPECT_EQ(json["edges"].size(), AllEdges().size());
}

TEST(StateMachine, AsciiIsAscii) {
  for (const char c : MachineToText(true)) ASSERT_EQ(static_cast<unsigned char>(c) & 0x80u, 0u);
}

// What the matrix row's reply is called in the effects.
std::set<std::string> Names(test::Reply reply) {
  switch (reply) {
    case test::Reply::kSilence:
      return {""};
    case test::Reply::kAckNow:
    case test::Reply::kAckSoon:
      return {"ACK"};
    case test::Reply::kSynAck:
      return {"SYN,ACK"};
    default:
      return {"RST"};
  }
}

// A row whose segment fires one rule only: its reply is that rule's.
TEST(StateMachine, EffectsAreThoseOfTheMatrix) {
  std::size_t compared = 0;
  for (const test::Row& row : test::kTable) {
    const std::string rules = row.rules;
    if (rules.empty() || rules.find(' ') != std::string::npos) continue;
    for (std::size_t i = 0; i < RuleCount(); ++i) {
      const auto id = static_cast<RuleId>(i);
      if (rules != GetRule(id).name) continue;
      ++compared;
      EXPECT_TRUE(Names(row.reply).contains(EffectOf(id).sends))
          << row.what << ": " << rules << " sends \"" << EffectOf(id).sends << "\"?";
    }
  }
  EXPECT_GT(compared, 60u);
}

}  // namespace
}  // namespace estab::observe
