// Every state by every kind of arriving segment: which rule, which state next, which reply. Under
// every profile, over both families.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "matrix/profiles.h"
#include "matrix/scene.h"

namespace estab::test {
namespace {

class Matrix : public testing::TestWithParam<const char*> {
 protected:
  void RunTable(bool ipv6) const {
    for (const Row& row : kTable) {
      for (const char* scene = row.scenes; *scene != '\0'; ++scene) {
        Scene s(*scene, ipv6, GetParam());
        SCOPED_TRACE(std::string(StateName(s.state())) + " (" + *scene + ") <- " + row.what);
        s.Check(RowUnder(GetParam(), *scene, row));
      }
    }
  }
};

TEST_P(Matrix, EveryStateByEverySegment) { RunTable(false); }
TEST_P(Matrix, EveryStateByEverySegmentIpv6) { RunTable(true); }

INSTANTIATE_TEST_SUITE_P(Profiles, Matrix, testing::Values("default", "linux", "rfc"),
                         [](const auto& p) { return std::string(p.param); });

// A state that no row looks at would go unnoticed, and so would a cell that two rows give.
TEST(MatrixTable, CoversEveryStateAndGivesEachCellOnce) {
  std::string seen;
  std::set<std::string> cells;
  for (const Row& row : kTable) {
    seen += row.scenes;
    for (const char* scene = row.scenes; *scene != '\0'; ++scene) {
      EXPECT_TRUE(cells.insert(*scene + std::string(row.what)).second) << *scene << " " << row.what;
    }
  }
  for (char scene : std::string_view("0lSrRfE12WCLT")) {
    EXPECT_GE(std::count(seen.begin(), seen.end(), scene), 10) << scene;
  }
}

// An override that changes nothing, or belongs to no cell, is no longer true.
TEST(MatrixTable, EveryOverrideChangesItsCells) {
  for (const Override& o : kOverrides) {
    for (const char* scene = o.scenes; *scene != '\0'; ++scene) {
      int changed = 0;
      for (const Row& row : kTable) {
        if (std::string_view(row.what) != o.what) continue;
        if (std::string_view(row.scenes).find(*scene) == std::string_view::npos) continue;
        const Row under = RowUnder(o.profile, *scene, row);
        changed += std::string_view(under.rules) != row.rules || under.next != row.next ||
                   under.reply != row.reply || under.taken != row.taken;
      }
      EXPECT_EQ(changed, 1) << o.profile << ": " << *scene << " <- " << o.what;
    }
  }
}

}  // namespace
}  // namespace estab::test
