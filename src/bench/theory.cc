#include "bench/theory.h"

#include <algorithm>
#include <cmath>

namespace estab::bench {
namespace {

// Q: the chance that a loss in a window of `w` segments ends in a time-out (equation 24).
double TimeoutChance(double p, double w) {
  const double all_but = 1 - std::pow(1 - p, 3);
  const double beyond = 1 + std::pow(1 - p, 3) * (1 - std::pow(1 - p, w - 3));
  return std::min(1.0, all_but * beyond / (1 - std::pow(1 - p, w)));
}

// f: a sequence of time-outs, doubling up to 64 T0, in units of T0 and of 1 - p.
double TimeoutSpan(double p) {
  return 1 + p * (1 + p * (2 + p * (4 + p * (8 + p * (16 + p * 32)))));
}

// E[W]: the window at the end of a period without time-outs (equation 13).
double WindowAtLoss(double p, double b) {
  const double c = (2 + b) / (3 * b);
  return c + std::sqrt(8 * (1 - p) / (3 * b * p) + c * c);
}

}  // namespace

double PftkSendRate(const PathTerms& path) {
  const double p = path.loss;
  const double b = path.acks_per_step;
  const double window = WindowAtLoss(p, b);
  const double timeout = TimeoutChance(p, window);
  const double packets = (1 - p) / p + window + timeout / (1 - p);
  const double seconds =
      path.rtt * (b / 2 * window + 1) + timeout * path.first_rto * TimeoutSpan(p) / (1 - p);
  return packets / seconds;
}

double RenoWindow(double loss) { return std::sqrt(3 / (2 * loss)); }

double CubicWindow(double loss, double rtt) {
  constexpr double kC = 0.4;
  constexpr double kBeta = 0.7;
  return std::pow(kC * (3 + kBeta) / (4 * (1 - kBeta)), 0.25) * std::pow(rtt / loss, 0.75);
}

double JainIndex(std::span<const double> shares) {
  double sum = 0;
  double squares = 0;
  for (const double share : shares) {
    sum += share;
    squares += share * share;
  }
  return squares == 0 ? 0 : sum * sum / (static_cast<double>(shares.size()) * squares);
}

}  // namespace estab::bench
