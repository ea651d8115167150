// The smaller experiments: many flows, packets out of order, a lost tail, an incast.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "bench/path_run.h"
#include "bench/trials/finding.h"

namespace estab::bench {

/// What is chosen of an experiment; an empty list is everything that it has.
struct TrialOptions {
  PathOptions path;
  std::vector<std::string> cc = {"reno", "cubic", "bbr"};
  std::vector<unsigned> flows;   // fairness, incast
  std::vector<unsigned> rtt_ms;  // reorder, tail
  std::vector<unsigned> lost;    // tail: of the last segments
};

/// One run of an experiment, whose findings stand by themselves.
struct Trial {
  std::string what;
  std::function<std::vector<Finding>()> run;
};

/// An experiment by its name.
struct Experiment {
  const char* name;
  const char* gist;    // a line for --help
  const char* choice;  // what can be chosen beside cc: "flows", "rtt", ...; words of a list
  std::vector<Trial> (*trials)(const TrialOptions&);
};
/// All of them, in the order in which they are shown.
std::span<const Experiment> Experiments();

/// Flows that share a bottleneck: 2 to 64 of them, Jain's index of what each gets.
std::vector<Trial> FairnessTrials(const TrialOptions& options);
/// 5 % of the packets displaced by up to half a round trip: what that costs.
std::vector<Trial> ReorderTrials(const TrialOptions& options);
/// The last segments of 64 KiB are lost: how much longer it takes.
std::vector<Trial> TailTrials(const TrialOptions& options);
/// Many senders answer at once through a small queue.
std::vector<Trial> IncastTrials(const TrialOptions& options);

class Traffic;
/// What a host refused of its settings, or what went wrong with a flow; empty if nothing did.
std::string FirstFailure(sim::World& world, const Traffic& traffic);

}  // namespace estab::bench
