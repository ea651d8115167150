#include "bench/statistics.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

namespace estab::bench {
namespace {

// The 97.5 % quantile of Student's t by degrees of freedom, from 1; beyond, the normal's.
constexpr double kQuantiles[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                                 2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                                 2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                                 2.060,  2.056, 2.052, 2.048, 2.045, 2.042};
constexpr double kNormal = 1.960;

}  // namespace

Estimate EstimateMean(std::span<const double> values) {
  if (values.empty()) return {0, std::numeric_limits<double>::infinity()};
  const auto n = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += value;
  const double mean = sum / n;
  if (values.size() == 1) return {mean, std::numeric_limits<double>::infinity()};
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const std::size_t freedom = values.size() - 1;
  const double t = freedom <= std::size(kQuantiles) ? kQuantiles[freedom - 1] : kNormal;
  return {mean, t * std::sqrt(squares / static_cast<double>(freedom) / n)};
}

}  // namespace estab::bench
