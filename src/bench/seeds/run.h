// Runs the plan of one seed, and says whether every property held.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/seeds/plan.h"
#include "estab/error.h"

namespace estab::bench {

/// What became of a seed.
struct Outcome {
  std::string failure;  // empty: every property held
  std::uint64_t hash = 0;
  // Links that cut super-segments make no difference: there is one conversation, whose turn it
  // always is, and the links are never busy.
  bool same_with_offload = false;
  std::uint64_t packets = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t connections = 0;     // that both applications got hold of
  std::uint64_t ended_well = 0;      // of those, complete in both directions, without an error
  std::uint64_t errors = 0;          // reported to applications
  std::vector<std::uint64_t> rules;  // how often each fired, both hosts together
};

struct RunOptions {
  bool trace = false;    // print every packet and transition as it happens
  bool offload = false;  // links cut super-segments
};

/// Runs `seed`.
Outcome RunSeed(std::uint64_t seed, const RunOptions& options = {});

}  // namespace estab::bench
