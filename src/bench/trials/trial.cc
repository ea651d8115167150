#include "bench/trials/trial.h"

#include "bench/traffic.h"
#include "observe/format.h"

namespace estab::bench {

std::span<const Experiment> Experiments() {
  static constexpr Experiment kExperiments[] = {
      {"fairness", "2 to 64 flows share a bottleneck: Jain's index", "flows", FairnessTrials},
      {"reorder", "Packets displaced by up to half a round trip: the goodput lost", "rtt",
       ReorderTrials},
      {"tail", "The last segments of 64 KiB lost: the time it costs", "rtt lost", TailTrials},
      {"incast", "Many senders at once into a small queue: the time until all are done", "flows",
       IncastTrials},
  };
  return kExperiments;
}

std::string FirstFailure(sim::World& world, const Traffic& traffic) {
  for (const sim::Side side : {sim::Side::kA, sim::Side::kB}) {
    const std::string& error = world.host(side).setting_error();
    if (!error.empty()) return error;
  }
  return traffic.failure();
}

}  // namespace estab::bench
