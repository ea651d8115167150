// What a drawing must not do: strike its own text through, or show a state that is over.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "observe/ladder_svg.h"
#include "observe/svg_labels.h"

namespace estab::observe {
namespace {

using namespace std::chrono_literals;

TEST(SvgLabels, AlonePrefersTheMiddleOrTheTail) {
  const SvgLine lines[] = {{300, 100, 700, 140}, {700, 200, 300, 240}};
  SvgLabels labels(lines, {});
  const SvgPlace middle = labels.Place({0, 100, 0, false});
  EXPECT_NEAR(middle.x, 500, 4);
  EXPECT_STREQ(middle.anchor, "middle");
  const SvgPlace tail = labels.Place({1, 100, 0, true});
  EXPECT_NEAR(tail.x, 684, 4);
  EXPECT_STREQ(tail.anchor, "end");
}

TEST(SvgLabels, WhatOvertakesIsLabelledWhereItIsAhead) {
  // The first leaves early and arrives late; the second leaves just behind it.
  const SvgLine lines[] = {{300, 100, 700, 300}, {300, 120, 700, 160}};
  SvgLabels labels(lines, {});
  labels.Place({0, 180, 60, true});
  EXPECT_GT(labels.Place({1, 120, 0, true}).x, 500) << "the tail is the first one's";
}

TEST(SvgLabels, TwoTextsDoNotLieOnEachOther) {
  // Two arrows on the same way: the text of the second must give way.
  const SvgLine lines[] = {{300, 100, 700, 100}, {300, 104, 700, 104}};
  SvgLabels labels(lines, {});
  const int first = labels.Place({0, 100, 0, false}).x;
  const int second = labels.Place({1, 100, 0, false}).x;
  EXPECT_GE(std::abs(first - second), 100);
}

TEST(SvgLabels, ATextGivesWayToAnArrow) {
  const SvgLine lines[] = {{300, 100, 700, 104}, {300, 0, 700, 200}};
  SvgLabels labels(lines, {});
  EXPECT_GE(std::abs(labels.Place({0, 100, 0, false}).x - 500), 60);
}

TEST(SvgLabels, ANoteIsNotWrittenOver) {
  const SvgLine lines[] = {{300, 100, 700, 100}};
  SvgLabels labels(lines, {{450, 80, 550, 100}});
  EXPECT_GE(std::abs(labels.Place({0, 80, 0, false}).x - 500), 80);
}

LadderRow Changed(Duration at, State from, State to, ConnectionNumber number, bool listener) {
  return {Time(at), LadderState{Side::kB, from, to, "r", "", "", number, listener}};
}

// The states that B's lifeline shows, from above.
std::vector<std::string> BarsOfB(const Ladder& ladder) {
  const std::string svg = LadderToSvg(ladder);
  std::vector<std::string> bars;
  const std::string rect = "<rect x=\"755\"";
  for (std::size_t at = svg.find(rect); at != std::string::npos; at = svg.find(rect, at + 1)) {
    const std::size_t name = svg.find("bar-", at) + 4;
    bars.push_back(svg.substr(name, svg.find('"', name) - name));
  }
  return bars;
}

TEST(LadderSvg, AListenersEndIsNotTheEndOfWhatItAccepted) {
  Ladder ladder;
  ladder.rows.push_back(Changed(0s, State::kClosed, State::kListen, 1, true));
  ladder.rows.push_back(Changed(1s, State::kListen, State::kSynRcvd, 2, false));
  ladder.rows.push_back(Changed(2s, State::kSynRcvd, State::kEstablished, 2, false));
  ladder.rows.push_back(Changed(3s, State::kListen, State::kClosed, 1, true));
  EXPECT_EQ(BarsOfB(ladder).back(), "established");
  EXPECT_NE(LadderToSvg(ladder).find(">CLOSED (listener)<"), std::string::npos);
  ladder.rows.push_back(Changed(4s, State::kEstablished, State::kClosed, 2, false));
  EXPECT_EQ(BarsOfB(ladder).back(), "closed");
}

TEST(LadderSvg, OneOfTwoConnectionsLeavesTheColumnToTheOther) {
  Ladder ladder;
  ladder.rows.push_back(Changed(0s, State::kClosed, State::kSynSent, 1, false));
  ladder.rows.push_back(Changed(1s, State::kSynSent, State::kEstablished, 1, false));
  ladder.rows.push_back(Changed(2s, State::kClosed, State::kSynSent, 2, false));
  ladder.rows.push_back(Changed(3s, State::kSynSent, State::kClosed, 2, false));
  EXPECT_EQ(BarsOfB(ladder).back(), "established");
  // A crash takes all of them.
  ladder.rows.push_back(Changed(4s, State::kEstablished, State::kClosed, 0, false));
  EXPECT_EQ(BarsOfB(ladder).back(), "closed");
}

}  // namespace
}  // namespace estab::observe
