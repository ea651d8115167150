// The formulas against values that were published with them, or worked out beside them.
#include "bench/theory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "bench/cell.h"
#include "bench/statistics.h"

namespace estab::bench {
namespace {

using namespace std::chrono_literals;

// RFC 9438 §5.1, tables 1 and 2: average windows in segments, where they are CUBIC's own (in the
// others the table shows Reno's, the larger one).
TEST(Theory, CubicWindowIsThatOfTheTablesOfRfc9438) {
  struct Row {
    double loss;
    double rtt;
    double window;
  };
  constexpr Row kRows[] = {{1e-4, 0.1, 187},   {1e-5, 0.1, 1054},   {1e-6, 0.1, 5926},
                           {1e-7, 0.1, 33325}, {1e-8, 0.1, 187400}, {1e-7, 0.01, 5926},
                           {1e-8, 0.01, 33325}};
  for (const Row& row : kRows) {
    const double rounding = std::max(0.5, row.window * 0.0005);
    EXPECT_NEAR(CubicWindow(row.loss, row.rtt), row.window, rounding) << row.loss << row.rtt;
  }
}

// The same tables' column for Reno, which rounds the constant 1.2247 to 1.2.
TEST(Theory, RenoWindowIsThatOfTheTablesOfRfc9438) {
  constexpr std::array<std::array<double, 2>, 7> kRows = {{{1e-2, 12},
                                                           {1e-3, 38},
                                                           {1e-4, 120},
                                                           {1e-5, 379},
                                                           {1e-6, 1200},
                                                           {1e-7, 3795},
                                                           {1e-8, 12000}}};
  for (const auto& [loss, window] : kRows) {
    EXPECT_NEAR(RenoWindow(loss) / window, 1.2247 / 1.2, 0.022) << loss;
  }
}

// Where losses are rare the full model is 1 / (RTT sqrt(2bp/3)), as its authors say (equation 20).
TEST(Theory, PftkTendsToTheSquareRootLaw) {
  for (const double b : {1.0, 2.0}) {
    PathTerms terms{.loss = 1e-8, .rtt = 0.1, .first_rto = 0.3, .acks_per_step = b};
    const double law = 1 / (terms.rtt * std::sqrt(2 * b * terms.loss / 3));
    EXPECT_NEAR(PftkSendRate(terms) / law, 1, 0.001);
  }
}

// Worked out by hand for p = 0.02, RTT 0.2 s, T0 2 s, b = 2, each step rounded:
// E[W] = 2/3 + sqrt(7.84/0.12 + 4/9) = 8.777; Q = min(1, 0.058808 (1 + 0.941192 * 0.110158) /
// 0.162454) = 0.39953; f = 1.020834; packets 49 + 8.777 + 0.40768 = 58.185;
// seconds 0.2 * 9.777 + 0.39953 * 2 * 1.020834 / 0.98 = 2.7878.
TEST(Theory, PftkFullModelByHand) {
  const PathTerms terms{.loss = 0.02, .rtt = 0.2, .first_rto = 2, .acks_per_step = 2};
  EXPECT_NEAR(PftkSendRate(terms), 58.185 / 2.7878, 0.01);
}

// RFC 5348 §3.1 (TFRC) takes the authors' approximation of the same model with t_RTO = 4 R and
// b = 1; both are close where the approximation was made for.
TEST(Theory, PftkAgreesWithTheEquationOfTfrc) {
  for (const double p : {0.0001, 0.001, 0.005, 0.01}) {
    const double rtt = 0.1;
    const double tfrc = 1 / (rtt * std::sqrt(2 * p / 3) +
                             4 * rtt * (3 * std::sqrt(3 * p / 8)) * p * (1 + 32 * p * p));
    const PathTerms terms{.loss = p, .rtt = rtt, .first_rto = 4 * rtt, .acks_per_step = 1};
    EXPECT_NEAR(PftkSendRate(terms) / tfrc, 1, 0.12) << p;
  }
}

TEST(Theory, MoreLossALongerRoundTripAndALongerTimeoutAllCost) {
  const PathTerms terms{.loss = 0.01, .rtt = 0.1, .first_rto = 0.3};
  const double rate = PftkSendRate(terms);
  EXPECT_LT(PftkSendRate({.loss = 0.02, .rtt = 0.1, .first_rto = 0.3}), rate);
  EXPECT_LT(PftkSendRate({.loss = 0.01, .rtt = 0.2, .first_rto = 0.3}), rate);
  EXPECT_LT(PftkSendRate({.loss = 0.01, .rtt = 0.1, .first_rto = 3}), rate);
}

TEST(Theory, JainIndexGoesFromOneToOneOverN) {
  EXPECT_DOUBLE_EQ(JainIndex(std::array{5.0, 5.0, 5.0, 5.0}), 1);
  EXPECT_DOUBLE_EQ(JainIndex(std::array{5.0, 0.0, 0.0, 0.0}), 0.25);
  EXPECT_DOUBLE_EQ(JainIndex(std::array{0.0, 0.0}), 0);
  EXPECT_NEAR(JainIndex(std::array{1.0, 2.0, 3.0}), 36.0 / 42, 1e-12);
}

// The textbook's: 9.8 10.2 10.4 9.8 10.0 10.2 9.6 is 10.0 +- 0.26.
TEST(Statistics, TheMarginIsStudents) {
  const Estimate e = EstimateMean(std::array{9.8, 10.2, 10.4, 9.8, 10.0, 10.2, 9.6});
  EXPECT_NEAR(e.mean, 10, 1e-9);
  EXPECT_NEAR(e.margin, 0.2616, 0.0005);
  EXPECT_EQ(EstimateMean(std::array{2.0, 2.0}).margin, 0);
  EXPECT_TRUE(std::isinf(EstimateMean(std::array{1.0}).margin));
}

TEST(Cell, KnowsItsPath) {
  const Cell cell{"reno", 0, 100ms, 10'000'000, 50};
  EXPECT_EQ(cell.bdp(), 125'000u);
  EXPECT_EQ(cell.buffer(), 62'500u);
  EXPECT_EQ(cell.packet_time(), 1200us);
  EXPECT_EQ(cell.least_rtt(), 101'200us);
  EXPECT_NEAR(cell.link_goodput(), 9.6533e6, 100);
  const Cell small{"reno", 0, 1ms, 1'000'000, 400};
  EXPECT_EQ(small.buffer(), 20u * 1500);
}

TEST(Cell, TheoryIsTheLinkOrWhatLossLeaves) {
  const Cell clean{"reno", 0, 100ms, 10'000'000, 100};
  EXPECT_EQ(clean.theory_goodput(), clean.link_goodput());
  const Cell rare{"reno", 100, 10ms, 10'000'000, 100};
  EXPECT_EQ(rare.theory_goodput(), rare.link_goodput());
  const Cell lossy{"reno", 10'000, 100ms, 1'000'000'000, 100};
  EXPECT_NEAR(lossy.theory_goodput(), 1.3e6, 0.05e6);
  // Reno's window without time-outs: sqrt(1.5 / 0.01) segments in each 100 ms.
  EXPECT_NEAR(lossy.ceiling_goodput(), 12.247 * 1448 * 8 / 0.100012, 500);
  Cell bbr = lossy;
  bbr.cc = "bbr";
  EXPECT_NEAR(bbr.theory_goodput(), bbr.link_goodput() * 0.99, 1);
}

// With few losses on a long path CUBIC is faster; on a short one it is as fast as Reno.
TEST(Cell, CubicIsTheLargerOfItsOwnWindowAndRenos) {
  const Cell long_reno{"reno", 100, 600ms, 1'000'000'000, 100};
  Cell long_cubic = long_reno;
  long_cubic.cc = "cubic";
  EXPECT_GT(long_cubic.theory_goodput(), 4 * long_reno.theory_goodput());
  const Cell short_reno{"reno", 1'000, 10ms, 1'000'000'000, 100};
  Cell short_cubic = short_reno;
  short_cubic.cc = "cubic";
  EXPECT_EQ(short_cubic.theory_goodput(), short_reno.theory_goodput());
}

TEST(Cell, TheSampleIsPartOfTheGridAndHasEveryValueThatIsCheap) {
  Selection selection;
  selection.cc = {"reno"};
  const auto all = selection.Cells();
  EXPECT_EQ(all.size(), 240u);
  const auto sample = Sample(all);
  EXPECT_GE(sample.size(), 20u);
  EXPECT_LE(sample.size(), 60u);
  const auto count = [&](auto member, auto value) {
    return std::ranges::count_if(sample, [&](const Cell& c) { return c.*member == value; });
  };
  for (const sim::Ppm loss : selection.loss_ppm) EXPECT_GT(count(&Cell::loss_ppm, loss), 0) << loss;
  for (const auto rate : selection.rate_bps) EXPECT_GT(count(&Cell::rate_bps, rate), 0) << rate;
  for (const auto us : selection.rtt_us) {
    EXPECT_GT(count(&Cell::rtt, Duration(std::chrono::microseconds(us))), 0) << us;
  }
  for (const auto buffer : selection.buffer_percent) {
    EXPECT_GT(count(&Cell::buffer_percent, buffer), 0) << buffer;
  }
}

}  // namespace
}  // namespace estab::bench
