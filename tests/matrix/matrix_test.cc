// Every state by every kind of arriving segment: which rule, which state next, which reply.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "matrix/scene.h"

namespace estab::test {
namespace {

void RunTable(bool ipv6) {
  for (const Row& row : kTable) {
    for (const char* scene = row.scenes; *scene != '\0'; ++scene) {
      Scene s(*scene, ipv6);
      SCOPED_TRACE(std::string(StateName(s.state())) + " (" + *scene + ") <- " + row.what);
      s.Check(row);
    }
  }
}

TEST(Matrix, EveryStateByEverySegment) { RunTable(false); }
TEST(Matrix, EveryStateByEverySegmentIpv6) { RunTable(true); }

// A state that no row looks at would go unnoticed.
TEST(Matrix, CoversEveryState) {
  std::string seen;
  for (const Row& row : kTable) seen += row.scenes;
  for (char scene : std::string_view("0lSrRfE12WCLT")) {
    EXPECT_GE(std::count(seen.begin(), seen.end(), scene), 10) << scene;
  }
}

}  // namespace
}  // namespace estab::test
