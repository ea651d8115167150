// Measures one cell: a bulk flow in virtual time, its ramp-up left out.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/cell.h"
#include "sim/world.h"

namespace estab::bench {

/// How long is measured, and by whose rules.
struct PathOptions {
  std::uint64_t seed = 1;
  /// More packets of data than this are not simulated, for warming up and for measuring each.
  std::uint64_t most_packets = 1'000'000;
  /// Settings of the sender and the receiver, after those of the cell.
  std::vector<std::pair<std::string, std::string>> settings;
};

/// What a flow looked like at one moment.
struct FlowSample {
  Time at;
  std::uint32_t cwnd;      // bytes
  std::uint32_t ssthresh;  // bytes
  Duration srtt;
  std::uint64_t delivered;  // bytes since the start
  bool measured;            // the ramp-up is over
};

struct CellResult {
  Cell cell;
  std::string failure;           // empty: it was measured
  double goodput = 0;            // payload bits per second that reached the application
  double theory = 0;             // of the same
  double ceiling = 0;            // of the same
  std::uint64_t window = 0;      // bytes of receive and of send buffer that were set
  std::string warm_up;           // what ended the ramp-up
  Duration warm_up_time{};       // virtual
  Duration measured_time{};      // virtual
  std::uint64_t packets = 0;     // of data, while it was measured
  std::uint64_t lost = 0;        // of them, by chance
  std::uint64_t queue_full = 0;  // of them, for want of room
  std::uint32_t epochs = 0;      // of loss: bursts at least a round trip apart

  double of_theory() const { return theory == 0 ? 0 : goodput / theory; }
  double of_ceiling() const { return ceiling == 0 ? 0 : goodput / ceiling; }
};

/// Runs `cell`. The same options and cell give the same result. `sample`, if any, is called about
/// twice in each round trip.
CellResult MeasureCell(const Cell& cell, const PathOptions& options,
                       const std::function<void(const FlowSample&)>& sample = {});

/// The world of a cell: its path from A to B, and hosts whose buffers never limit.
sim::WorldConfig CellWorld(const Cell& cell, const PathOptions& options);
/// Bytes of receive and of send buffer that its hosts have: twice what may be in flight, because a
/// repair takes a round trip in which the next window is sent; with bbr, which does not send less
/// then, ten times what the path holds.
std::uint64_t CellWindow(const Cell& cell);

/// Whether a stack takes that congestion control.
bool KnowsCongestionControl(const std::string& name);

/// The seed of a cell's world: another for each cell, whichever others are measured with it.
std::uint64_t CellSeed(const Cell& cell, std::uint64_t seed);

}  // namespace estab::bench
