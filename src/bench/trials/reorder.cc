#include "bench/traffic.h"
#include "bench/trials/trial.h"
#include "observe/format.h"

namespace estab::bench {
namespace {

constexpr unsigned kRtts[] = {10, 100};
constexpr sim::Ppm kDisplaced = 50'000;
constexpr int kRampUp = 300;     // round trips
constexpr int kMeasured = 1000;  // round trips
constexpr double kMostLost = 5;  // percent

// A path of 83 packets, whatever its length.
Cell CellOf(const std::string& cc, unsigned rtt_ms) {
  return {cc, 0, std::chrono::milliseconds(rtt_ms), 1'000'000'000 / rtt_ms, 100};
}

struct Run {
  double goodput = 0;
  std::uint64_t repeated = 0;  // segments
  std::string failure;
};

Run Measure(const Cell& cell, const PathOptions& options, bool reorders) {
  sim::WorldConfig config = CellWorld(cell, options);
  if (reorders) {
    sim::PathConfig& there = config.path[sim::Index(sim::Side::kA)];
    there.reorder_ppm = kDisplaced;
    there.reorder_spread = cell.rtt / 2;
  }
  sim::World world(config);
  Traffic traffic(world, {FlowPlan{}});
  world.Run(Time(kRampUp * cell.least_rtt()));
  const std::uint64_t delivered = traffic.delivered();
  const std::uint64_t repeated = world.a().stack().Counters().retransmissions;
  world.Run(Time((kRampUp + kMeasured) * cell.least_rtt()));
  Run run;
  run.goodput = static_cast<double>(traffic.delivered() - delivered);
  run.repeated = world.a().stack().Counters().retransmissions - repeated;
  run.failure = FirstFailure(world, traffic);
  return run;
}

Finding Compare(const std::string& cc, unsigned rtt_ms, const PathOptions& options) {
  const Cell cell = CellOf(cc, rtt_ms);
  const Run straight = Measure(cell, options, false);
  const Run reordered = Measure(cell, options, true);
  Finding finding;
  finding.what = fmt::format("{}, {} ms", cc, rtt_ms);
  finding.measure = "goodput lost, percent";
  finding.value = 100 * (1 - reordered.goodput / straight.goodput);
  finding.most = kMostLost;
  finding.detail =
      fmt::format("{} segments repeated; in order {}", reordered.repeated, straight.repeated);
  finding.repeat = fmt::format("--cc {} --rtt {}", cc, rtt_ms);
  finding.failure = straight.failure.empty() ? reordered.failure : straight.failure;
  return finding;
}

}  // namespace

std::vector<Trial> ReorderTrials(const TrialOptions& options) {
  std::vector<unsigned> choice = options.rtt_ms;
  if (choice.empty()) choice.assign(std::begin(kRtts), std::end(kRtts));
  std::vector<Trial> trials;
  for (const std::string& cc : options.cc) {
    for (const unsigned rtt : choice) {
      trials.push_back({fmt::format("{}, {} ms", cc, rtt), [cc, rtt, path = options.path] {
                          return std::vector{Compare(cc, rtt, path)};
                        }});
    }
  }
  return trials;
}

}  // namespace estab::bench
