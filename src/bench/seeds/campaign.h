// Many seeds, one after the other or side by side, and what must hold of all of them together.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/seeds/run.h"

namespace estab::bench {

struct CampaignOptions {
  std::uint64_t first = 1;
  std::uint64_t count = 1000;
  unsigned jobs = 1;
  bool trace = false;                      // print every packet and transition; for a single seed
  std::uint64_t twice_every = 10;          // how often a seed is run a second time; 0: never
  std::string repeat = "estab bench sim";  // the command that repeats a seed: repeat + " --seed N"
};

/// What became of all of them.
struct CampaignResult {
  Outcome total;  // counts added up
  std::vector<std::uint64_t> failed;
  double seconds = 0;  // of wall time
};

/// Runs the seeds. `told` is called for each, in order, with what is wrong with it: what its own
/// run found, that a second run went another way, or that an earlier seed has the same trace. When
/// a seed ends the whole program, the line that repeats it is the last on standard error.
CampaignResult RunCampaign(const CampaignOptions& options,
                           const std::function<void(std::uint64_t seed, const Outcome&,
                                                    const std::vector<std::string>&)>& told);

/// The line for people that sums it up.
std::string SummaryText(const CampaignOptions& options, const CampaignResult& result);

}  // namespace estab::bench
