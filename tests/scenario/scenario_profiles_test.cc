// Every scenario holds under every profile: what is expected follows from the settings in force.
#include <gtest/gtest.h>

#include <string>

#include "sim/scenarios/registry.h"

namespace estab::sim {
namespace {

class UnderAProfile : public testing::TestWithParam<const char*> {};

TEST_P(UnderAProfile, EverythingIsAsExpected) {
  for (const Scenario* scenario : AllScenarios()) {
    const auto result = RunScenario(*scenario, {.profile = GetParam()});
    ASSERT_TRUE(result.has_value()) << scenario->id << ": " << result.error();
    for (const std::string& failure : result->failures) {
      ADD_FAILURE() << "estab lab " << scenario->id << " --profile " << GetParam() << ": "
                    << failure;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Lab, UnderAProfile, testing::Values("linux", "rfc"));

}  // namespace
}  // namespace estab::sim
