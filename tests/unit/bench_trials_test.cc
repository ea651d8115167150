// The smaller experiments, each as small as it goes: that they measure what they say.
#include "bench/trials/trial.h"

#include <gtest/gtest.h>

namespace estab::bench {
namespace {

std::vector<Finding> RunAll(const std::vector<Trial>& trials) {
  std::vector<Finding> all;
  for (const Trial& trial : trials) {
    for (const Finding& finding : trial.run()) all.push_back(finding);
  }
  return all;
}

TrialOptions Reno() {
  TrialOptions options;
  options.cc = {"reno"};
  return options;
}

TEST(Trials, ChoicesChoose) {
  TrialOptions options = Reno();
  EXPECT_EQ(FairnessTrials(options).size(), 6u);
  EXPECT_EQ(ReorderTrials(options).size(), 2u);
  EXPECT_EQ(TailTrials(options).size(), 12u);
  EXPECT_EQ(IncastTrials(options).size(), 1u);
  options.flows = {3};
  options.rtt_ms = {10, 20, 30};
  options.lost = {1, 2};
  options.cc = {"reno", "cubic"};
  EXPECT_EQ(FairnessTrials(options).size(), 2u);
  EXPECT_EQ(ReorderTrials(options).size(), 6u);
  EXPECT_EQ(TailTrials(options).size(), 12u);
  EXPECT_EQ(IncastTrials(options).size(), 2u);
}

TEST(Trials, TwoFlowsShareALink) {
  TrialOptions options = Reno();
  options.flows = {2};
  const auto findings = RunAll(FairnessTrials(options));
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].failure, "");
  EXPECT_GT(findings[0].value, 0.9);
  EXPECT_LE(findings[0].value, 1.0);
  EXPECT_NEAR(findings[1].value, 1, 0.02);
}

// Whatever repairs it, a lost tail costs more than one round trip; and more lost, not less time.
TEST(Trials, ALostTailCostsTime) {
  TrialOptions options = Reno();
  options.rtt_ms = {600};
  options.lost = {2, 8};
  const auto findings = RunAll(TailTrials(options));
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].failure, "");
  EXPECT_GT(findings[0].value, 1);
  EXPECT_LT(findings[0].value, 10);
  EXPECT_GE(findings[1].value, findings[0].value);
}

// A probe and its answer show all of a tail: two lost or eight, the same is asked.
TEST(Trials, WhatIsAskedOfALostTail) {
  TrialOptions options = Reno();
  options.rtt_ms = {600};
  options.lost = {1, 2, 8};
  const auto findings = RunAll(TailTrials(options));
  ASSERT_EQ(findings.size(), 3u);
  EXPECT_DOUBLE_EQ(findings[0].most, 3.1);
  EXPECT_DOUBLE_EQ(findings[1].most, 4.3);
  EXPECT_DOUBLE_EQ(findings[2].most, 4.3);
}

TEST(Trials, ATailThatIsNotWhereItShouldBeIsAFailure) {
  TrialOptions options = Reno();
  options.rtt_ms = {100};
  options.lost = {1};
  // Segments of another size: those that were to be lost are not sent.
  options.path.settings = {{"net.ipv4.tcp_timestamps", "0"}};
  EXPECT_NE(RunAll(TailTrials(options))[0].failure, "");
}

TEST(Trials, AnIncastTakesLongerThanAFullLink) {
  TrialOptions options = Reno();
  options.flows = {32};
  const auto findings = RunAll(IncastTrials(options));
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].failure, "");
  EXPECT_GT(findings[0].value, 1);
}

TEST(Trials, WhatTheStackRefusesIsAFailure) {
  TrialOptions options = Reno();
  options.path.settings = {{"net.ipv4.no_such_thing", "1"}};
  options.flows = {2};
  options.rtt_ms = {10};
  options.lost = {1};
  for (const Experiment& experiment : Experiments()) {
    EXPECT_NE(experiment.trials(options)[0].run()[0].failure, "") << experiment.name;
  }
}

}  // namespace
}  // namespace estab::bench
