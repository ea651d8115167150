// What some runs say about all runs that might have been.
#pragma once

#include <span>

namespace estab::bench {

/// A mean, and how far the true one may be off either way with 95 % confidence (Student's t).
struct Estimate {
  double mean = 0;
  double margin = 0;  // infinite for a single value
};
Estimate EstimateMean(std::span<const double> values);

}  // namespace estab::bench
