// What a measurement has found, as lines for people or one line of JSON for programs.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace bench_engine {

/// How a measurement is to be made; every workload reads what concerns it.
struct Options {
  std::uint64_t count = 0;         // operations to measure; 0: as the workload thinks fit
  std::uint64_t warm = 0;          // operations before that; 0: likewise
  std::uint64_t connections = 0;   // that are there besides; 0: likewise
  std::uint32_t batch = 1;         // packets per Receive
  std::uint32_t buffer = 1 << 20;  // bytes of each send and receive buffer, bulk
  bool journal = true;             // of transitions, at both ends
  // The server is one of so many stacks of a group, and clients take ports with which connections
  // belong to it, as if a link had steered them. 0: it is alone, and clients take any port.
  std::uint16_t shards = 0;
  std::uint16_t shard = 0;
  bool json = false;
  bool offloads = false;  // of the wire; the workload's own choice
};

/// Named figures in the order in which they are to be shown.
class Report {
 public:
  explicit Report(std::string workload) : workload_(std::move(workload)) {}
  void Add(std::string name, double value) { figures_.emplace_back(std::move(name), value); }
  void Print(bool json) const;

 private:
  std::string workload_;
  std::vector<std::pair<std::string, double>> figures_;
};

}  // namespace bench_engine
