// Figures of a stack: leaks in CLOSE_WAIT are seen, and Prometheus can read it.
#include "observe/metrics.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <type_traits>

#include "matrix/raw_peer.h"

namespace estab::observe {
namespace {

using test::RawPeer;
using test::seconds;

Census Count(RawPeer& p) {
  Census census;
  std::array<ConnectionInfo, 4> some;
  for (ListCursor cursor; !cursor.done;) {
    const std::size_t n = p.stack->List(p.now, cursor, some);
    for (std::size_t i = 0; i < n; ++i) census.Add(some[i]);
  }
  return census;
}

// Two connections that the peer has closed and nobody here has, an hour apart; and one that is
// open.
void Leak(RawPeer& p) {
  p.Listen();
  for (std::uint16_t port = 1; port <= 3; ++port) {
    p.port = port;
    p.HalfOpen();
    p.Segment(kAck, p.irs + 1, p.iss + 1);
    if (port != 3) p.Segment(kFin | kAck, p.irs + 1, p.iss + 1);
    p.Pass(seconds(3600));
    p.Take();
  }
}

TEST(Metrics, LeaksInCloseWaitAreCountedByPort) {
  RawPeer p;
  Leak(p);
  const Census census = Count(p);
  EXPECT_EQ(census.total(), 4u);
  EXPECT_EQ(census.Of(State::kCloseWait), 2u);
  EXPECT_EQ(census.Of(State::kEstablished), 1u);
  ASSERT_EQ(census.close_wait().size(), 1u);
  EXPECT_EQ(census.close_wait().at(80).count, 2u);
  EXPECT_EQ(census.close_wait().at(80).oldest, seconds(3 * 3600));
}

TEST(Metrics, FiguresOfAGroupAddUp) {
  StackCounters one;
  static_assert(std::is_trivially_copyable_v<StackCounters>);
  std::memset(static_cast<void*>(&one), 1, sizeof(one));  // each of them something
  StackCounters sum = one;
  Accumulate(sum, one);
  const auto ones = CounterList(one);
  const auto sums = CounterList(sum);
  for (std::size_t i = 0; i < ones.size(); ++i) {
    EXPECT_NE(ones[i].second, 0u) << ones[i].first;
    EXPECT_EQ(sums[i].second, 2 * ones[i].second) << ones[i].first;
  }
}

TEST(Metrics, TextIsWhatPrometheusReads) {
  RawPeer p;
  Leak(p);
  const std::string text = MetricsText(p.stack->Counters(), p.stack->RuleCounters(), Count(p));
  EXPECT_NE(text.find("\nestab_close_wait{port=\"80\"} 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\nestab_close_wait_oldest_seconds{port=\"80\"} 10800.000\n"),
            std::string::npos);
  EXPECT_NE(text.find("\nestab_connections_accepted_total 3\n"), std::string::npos);
  EXPECT_NE(text.find("\nestab_rule_fired_total{rule=\"fin\"} 2\n"), std::string::npos);
  const std::regex sample(R"re([a-z_]+(\{[a-z]+="[^"\\]*"\})? [0-9]+(\.[0-9]+)?)re");
  const std::regex comment(R"(# (HELP|TYPE) [a-z_]+ .+)");
  std::set<std::string> seen;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    EXPECT_TRUE(std::regex_match(line, line.starts_with('#') ? comment : sample)) << line;
    EXPECT_TRUE(seen.insert(line.substr(0, line.rfind(' '))).second || line.starts_with('#'))
        << line;
  }
}

TEST(Metrics, EveryCounterHasItsName) {
  // As many figures as StackCounters has members: who adds one names it, too.
  StackCounters counters;
  EXPECT_EQ(CounterList(counters).size() * 8 - 4 * 4, sizeof(counters))
      << "src/observe/metrics.cc lacks a counter";
}

}  // namespace
}  // namespace estab::observe
