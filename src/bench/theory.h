// What theory says a bulk transfer gets: the figures that measurements are held against.
#pragma once

#include <span>

namespace estab::bench {

/// What the formulas ask about a path and the TCP on it.
struct PathTerms {
  double loss = 0;           // the chance that a packet is lost, 0-1
  double rtt = 0;            // s, without queues
  double first_rto = 0;      // s: T0, the first retransmission time-out
  double acks_per_step = 1;  // b: how many windows it takes to grow by one segment. 1: the window
                             // counts what ACKs acknowledge, not how many ACKs there are
};

/// The full model of Padhye, Firoiu, Towsley and Kurose, "Modeling TCP Throughput: A Simple Model
/// and its Empirical Validation" (1998), equation 29 where no window limits: packets sent per
/// second, repeats included. 0 < loss < 1.
double PftkSendRate(const PathTerms& path);

/// The average window of Reno in segments where losses are rare and no time-out comes,
/// sqrt(3 / 2p): what RFC 9438 §5.1 calls 1.2 / sqrt(p), not rounded.
double RenoWindow(double loss);

/// CUBIC's average window in segments, RFC 9438 §5.1, with its C = 0.4 and beta = 0.7, outside the
/// Reno-friendly region.
double CubicWindow(double loss, double rtt);

/// Jain's index of fairness: 1 if all get the same, 1/n if one gets everything; 0 for nothing.
double JainIndex(std::span<const double> shares);

}  // namespace estab::bench
