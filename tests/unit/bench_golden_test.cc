#include "bench/golden.h"

#include <gtest/gtest.h>

namespace estab::bench {
namespace {

using namespace std::chrono_literals;

// reno, no loss, 100 ms, 10 Mbit/s, one bandwidth-delay product.
Cell SmallCell() { return {}; }

Golden Read(std::string_view text) {
  auto golden = Golden::Parse(text);
  EXPECT_TRUE(golden.has_value()) << (golden ? "" : golden.error());
  return *std::move(golden);
}

std::string ErrorOf(std::string_view text) {
  const auto golden = Golden::Parse(text);
  return golden ? "" : golden.error();
}

CellResult ResultOf(double goodput) {
  CellResult result;
  result.goodput = goodput;
  result.theory = 8e6;
  result.ceiling = 10e6;
  return result;
}

TEST(Golden, TheLastLineThatFitsCounts) {
  const Golden golden = Read(
      "# bounds\n"
      "share * * * * * 0.5 1.5\n"
      "share reno * 100 * *   0.7 1.2  # one RTT\n"
      "share cubic * * * * 0.1 9\n");
  const auto bounds = golden.ShareBounds(SmallCell());
  ASSERT_TRUE(bounds.has_value());
  EXPECT_EQ(bounds->least, 0.7);
  EXPECT_EQ(bounds->most, 1.2);
  Cell other;
  other.rtt = 10ms;
  EXPECT_EQ(golden.ShareBounds(other)->least, 0.5);
  EXPECT_FALSE(Read("share bbr * * * * 0 1").ShareBounds(SmallCell()).has_value());
}

TEST(Golden, JudgesFromBothSides) {
  const Golden golden = Read("share * * * * * 0.9 1.1");
  EXPECT_TRUE(golden.Judge(ResultOf(7.2e6)).empty());
  EXPECT_EQ(golden.Judge(ResultOf(7.19e6)).size(), 1u);
  EXPECT_TRUE(golden.Judge(ResultOf(11e6)).empty());
  EXPECT_EQ(golden.Judge(ResultOf(11.01e6)).size(), 1u);
}

TEST(Golden, JudgesByTheFigureOnRecordFromBothSides) {
  const Golden golden = Read("tolerance 0.8 1.2\nfigure reno 0 100 10 1 5\n");
  EXPECT_EQ(golden.Figure(SmallCell()), 5.0);
  EXPECT_TRUE(golden.Judge(ResultOf(4.01e6)).empty());
  EXPECT_EQ(golden.Judge(ResultOf(3.99e6)).size(), 1u);
  EXPECT_TRUE(golden.Judge(ResultOf(5.99e6)).empty());
  EXPECT_EQ(golden.Judge(ResultOf(6.01e6)).size(), 1u);
}

TEST(Golden, WhatCouldNotBeMeasuredIsAComplaint) {
  CellResult result = ResultOf(8e6);
  result.failure = "no";
  EXPECT_EQ(Read("share * * * * * 0 9").Judge(result), std::vector<std::string>{"no"});
}

TEST(Golden, SaysWhichLineIsWrong) {
  EXPECT_EQ(ErrorOf("# fine\n\nshare * * * * * 2 1\n").substr(0, 7), "line 3:");
  EXPECT_NE(ErrorOf("share * * * * 0.5 1"), "");
  EXPECT_NE(ErrorOf("share * * * * * half 1"), "");
  EXPECT_NE(ErrorOf("figure reno 0 * 10 1 5"), "");
  EXPECT_NE(ErrorOf("figure reno 0 100 10 1 -5"), "");
  EXPECT_NE(ErrorOf("tolerance 0.9"), "");
  EXPECT_NE(ErrorOf("goodput 1"), "");
}

TEST(Golden, FiguresAreRenewedAndTheRestIsKept) {
  const std::string head = "# why\nshare * * * * * 0.5 1.5  # because\n\n";
  const Golden golden = Read(head + "figure reno 0 100 10 1 5\nfigure bbr 0 100 10 1 7\n");
  CellResult other = ResultOf(3e6);
  other.cell.loss_ppm = 100;
  const std::string text = golden.WithFigures({ResultOf(6e6), other});
  EXPECT_EQ(text.substr(0, head.size()), head);
  const Golden again = Read(text);
  EXPECT_EQ(again.Figure(SmallCell()), 6.0);
  EXPECT_EQ(again.Figure(other.cell), 3.0);
  Cell bbr;
  bbr.cc = "bbr";
  EXPECT_EQ(again.Figure(bbr), 7.0);
}

TEST(Golden, TheBuiltInOneHasBoundsForEveryCell) {
  for (const Cell& cell : Selection{}.Cells()) {
    ASSERT_TRUE(Golden::BuiltIn().ShareBounds(cell).has_value()) << FlagsText(cell);
  }
}

}  // namespace
}  // namespace estab::bench
