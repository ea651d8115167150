// How much memory a pair of stacks has.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <fstream>

#include "engine/pair.h"

namespace bench_engine {

/// Bytes of the process that are in memory.
inline double Resident() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  statm >> total >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

/// What the stacks have taken from their allocators, and the process from the system.
struct Usage {
  explicit Usage(Pair& pair)
      : client(static_cast<double>(pair.client().Counters().memory)),
        server(static_cast<double>(pair.server().Counters().memory)),
        resident(Resident()) {}
  double client;
  double server;
  double resident;
};

}  // namespace bench_engine
