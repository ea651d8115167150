// Every scenario, as `estab lab --all` runs them.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "observe/ladder_text.h"
#include "sim/scenarios/registry.h"

namespace estab::sim {
namespace {

class EveryScenario : public testing::TestWithParam<const Scenario*> {};

TEST_P(EveryScenario, IsAsExpected) {
  const auto result = RunScenario(*GetParam(), {});
  ASSERT_TRUE(result.has_value()) << result.error();
  for (const std::string& failure : result->failures) ADD_FAILURE() << failure;
  EXPECT_FALSE(result->ladder.rows.empty());
  if (HasFailure()) {
    observe::Ladder ladder = result->ladder;
    observe::Shorten(ladder, 60, 60);
    GTEST_LOG_(INFO) << "\n" << observe::LadderToText(ladder);
  }
}

TEST_P(EveryScenario, IsTheSameRunWithTheSameSeedOnly) {
  const auto first = RunScenario(*GetParam(), {.seed = 7});
  const auto again = RunScenario(*GetParam(), {.seed = 7});
  const auto other = RunScenario(*GetParam(), {.seed = 8});
  ASSERT_TRUE(first && again && other);
  EXPECT_EQ(first->trace_hash, again->trace_hash);
  // Where no stack puts a number of its own on the wire, seeds do not show.
  static const std::set<std::string> kWithoutNumbers = {"open/self-connect", "rst/format"};
  if (!kWithoutNumbers.contains(GetParam()->id)) {
    EXPECT_NE(first->trace_hash, other->trace_hash);
  }
  // What is expected does not hang on the seed.
  EXPECT_TRUE(first->passed()) << first->failures.front();
  EXPECT_TRUE(other->passed()) << other->failures.front();
}

// What goes on the wire and what is decided does not hang on what the link can do.
TEST_P(EveryScenario, IsTheSameOverALinkThatCutsSuperSegments) {
  const auto plain = RunScenario(*GetParam(), {.seed = 9});
  const auto offloaded = RunScenario(*GetParam(), {.seed = 9, .offload = true});
  ASSERT_TRUE(plain && offloaded);
  EXPECT_EQ(plain->trace_hash, offloaded->trace_hash);
  EXPECT_TRUE(offloaded->passed()) << offloaded->failures.front();
}

std::string NameOf(const testing::TestParamInfo<const Scenario*>& info) {
  std::string name = info.param->id;
  for (char& c : name) {
    if (c == '/' || c == '-') c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Lab, EveryScenario, testing::ValuesIn(AllScenarios()), NameOf);

TEST(Registry, HasWhatThePlanNames) {
  for (const char* id :
       {"open/three-way", "open/simultaneous", "open/syn-lost", "open/refused", "close/four-way",
        "close/half", "close/simultaneous", "close/last-ack-lost", "time-wait/2msl",
        "half-open/crash", "rst/accept", "demo/file"}) {
    EXPECT_NE(FindScenario(id), nullptr) << id;
  }
  EXPECT_EQ(FindScenario("open/three"), nullptr);
}

TEST(Registry, IdsAreUniqueAndEverythingIsDescribed) {
  std::set<std::string> ids;
  for (const Scenario* scenario : AllScenarios()) {
    EXPECT_TRUE(ids.insert(scenario->id).second) << scenario->id;
    EXPECT_GT(std::string(scenario->title).size(), 10u) << scenario->id;
    EXPECT_GT(std::string(scenario->text).size(), 40u) << scenario->id;
    for (const Parameter& parameter : scenario->parameters) {
      EXPECT_GT(std::string(parameter.gist).size(), 5u) << scenario->id << " " << parameter.name;
    }
  }
}

TEST(Registry, KnowsWhatSomebodyMayHaveMeant) {
  EXPECT_EQ(NearestScenarios("open/tree-way", 1).front(), "open/three-way");
  EXPECT_EQ(NearestScenarios("syn-lost", 1).front(), "open/syn-lost");
  EXPECT_EQ(NearestScenarios("close/fourway", 1).front(), "close/four-way");
}

}  // namespace
}  // namespace estab::sim
