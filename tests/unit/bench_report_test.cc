#include "bench/report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "bench/plot.h"

namespace estab::bench {
namespace {

using namespace std::chrono_literals;

CellResult ReportedResult(double goodput) {
  CellResult result;
  result.goodput = goodput;
  result.theory = result.ceiling = 9e6;
  result.warm_up = "8 loss epochs";
  result.warm_up_time = 2s;
  result.measured_time = 6s;
  result.packets = 1000;
  result.lost = 10;
  return result;
}

TEST(Report, ARowIsMarkedWhenItIsOutOfBounds) {
  const auto golden = Golden::Parse("share * * * * * 0.9 1.1");
  ASSERT_TRUE(golden.has_value());
  EXPECT_EQ(CellTableRow(ReportedResult(9e6), *golden).find('!'), std::string::npos);
  EXPECT_NE(CellTableRow(ReportedResult(5e6), *golden).find('!'), std::string::npos);
}

TEST(Report, JsonHasWhatTheTableHas) {
  const auto golden = Golden::Parse("share * * * * * 0.9 1.1");
  const auto json =
      nlohmann::json::parse(CellsJson({ReportedResult(9e6), ReportedResult(5e6)}, *golden, 7));
  EXPECT_EQ(json["seed"], 7);
  ASSERT_EQ(json["cells"].size(), 2u);
  EXPECT_EQ(json["cells"][0]["cc"], "reno");
  EXPECT_EQ(json["cells"][0]["goodput_mbit"], 9.0);
  EXPECT_EQ(json["cells"][0]["of_theory"], 1.0);
  EXPECT_TRUE(json["cells"][0]["complaints"].empty());
  EXPECT_EQ(json["cells"][1]["complaints"].size(), 1u);
}

TEST(Report, AFindingSaysWhatWasAskedAndWhetherItHolds) {
  Finding finding;
  finding.what = "reno, 2 flows";
  finding.measure = "Jain's index";
  finding.value = 0.95;
  EXPECT_EQ(BoundsText(finding), "anything");
  finding.least = 0.9;
  EXPECT_EQ(FindingLine(finding), "pass  reno, 2 flows: Jain's index 0.95 (at least 0.9)\n");
  finding.value = 0.89;
  EXPECT_EQ(FindingLine(finding).substr(0, 4), "FAIL");
  finding.most = 1;
  EXPECT_EQ(BoundsText(finding), "0.9 to 1");
  finding.value = 0.95;
  finding.failure = "no route";
  EXPECT_EQ(FindingLine(finding), "FAIL  reno, 2 flows: no route\n");
  const auto json = nlohmann::json::parse(FindingsJson("fairness", {finding}, 3));
  EXPECT_EQ(json["experiment"], "fairness");
  EXPECT_EQ(json["findings"][0]["holds"], false);
  EXPECT_EQ(json["findings"][0]["least"], 0.9);
}

TEST(Plot, DrawsThreePanelsAndTheRampUp) {
  std::vector<FlowSample> samples;
  for (unsigned i = 0; i < 4000; ++i) {
    samples.push_back({Time(i * 2ms), 14480, UINT32_MAX, 100ms, std::uint64_t{2000} * i, i > 999});
  }
  const std::string svg = PlotSvg(ReportedResult(8e6), samples);
  EXPECT_EQ(svg.substr(0, 4), "<svg");
  for (const char* text : {"Congestion window", "Goodput", "Round trip", "8 loss epochs"}) {
    EXPECT_NE(svg.find(text), std::string::npos) << text;
  }
  // Two of the eight seconds are shaded: a quarter of 864 pixels.
  EXPECT_NE(svg.find("class=\"ramp\" x=\"76\" y=\"72\" width=\"216."), std::string::npos);
  // A threshold that was never set is not drawn: it would flatten everything else.
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_LT(svg.size(), 100'000u);
}

}  // namespace
}  // namespace estab::bench
