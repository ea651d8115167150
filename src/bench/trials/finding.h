// What the smaller experiments come to: figures, each with what is asked of it.
#pragma once

#include <limits>
#include <string>
#include <vector>

namespace estab::bench {

/// One figure of an experiment, and the bounds that --check holds it to.
struct Finding {
  std::string what;     // "16 flows, reno"
  std::string measure;  // "Jain's index"
  double value = 0;
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
  std::string detail;   // what else is to be told, for people
  std::string repeat;   // the flags that measure it alone
  std::string failure;  // empty: it was measured
  bool holds() const { return failure.empty() && value >= least && value <= most; }
};

/// "at least 0.9", "0.9 to 1.1", "at most 3.1".
std::string BoundsText(const Finding& finding);

}  // namespace estab::bench
