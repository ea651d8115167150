#include <algorithm>

#include "base/prng.h"
#include "bench/theory.h"
#include "bench/traffic.h"
#include "bench/trials/trial.h"
#include "observe/format.h"

namespace estab::bench {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kFlows[] = {2, 4, 8, 16, 32, 64};
// The same share for each, however many they are: 5 Mbit/s, 21 packets of window, as many of queue.
constexpr std::uint64_t kRateEach = 5'000'000;
constexpr Duration kRtt = 50ms;
constexpr Duration kStarts = 2s;     // they begin within, by chance
constexpr Duration kRampUp = 30s;    // some twenty halvings
constexpr Duration kMeasured = 60s;  // twice as many
// BBR's shares move from one of its probes of the round trip to the next, every ten seconds: it
// takes many of them until they even out.
constexpr Duration kMeasuredBbr = 300s;
constexpr double kLeastIndex = 0.9;
constexpr double kLeastShare = 0.9;

sim::WorldConfig WorldOf(const Cell& cell, const PathOptions& options) {
  sim::WorldConfig config = CellWorld(cell, options);
  // Without it deterministic queues favour whoever comes at the right moment, always the same.
  config.path[sim::Index(sim::Side::kB)].jitter = 1ms;
  return config;
}

std::vector<FlowPlan> Plans(unsigned flows, std::uint64_t seed) {
  Prng prng(seed);
  std::vector<FlowPlan> plans(flows);
  for (FlowPlan& plan : plans) {
    plan.start = Time(std::chrono::milliseconds(prng.Below(kStarts / 1ms)));
  }
  return plans;
}

std::vector<double> DeliveredOf(const Traffic& traffic) {
  std::vector<double> delivered(traffic.size());
  for (std::size_t i = 0; i < traffic.size(); ++i) {
    delivered[i] = static_cast<double>(traffic.flow(i).delivered);
  }
  return delivered;
}

std::vector<Finding> Measure(const std::string& cc, unsigned flows, const PathOptions& options) {
  const Cell cell{cc, 0, kRtt, kRateEach * flows, 100};
  sim::World world(WorldOf(cell, options));
  Traffic traffic(world, Plans(flows, options.seed));
  world.Run(Time(kRampUp));
  const std::vector<double> before = DeliveredOf(traffic);
  const Duration measured = cc == "bbr" ? kMeasuredBbr : kMeasured;
  world.Run(Time(kRampUp + measured));
  std::vector<double> got = DeliveredOf(traffic);
  double all = 0;
  for (std::size_t i = 0; i < got.size(); ++i) all += got[i] -= before[i];
  const auto [least, most] = std::ranges::minmax(got);
  const double seconds = std::chrono::duration<double>(measured).count();
  Finding fair;
  fair.what = fmt::format("{}, {} flows", cc, flows);
  fair.measure = "Jain's index";
  fair.value = JainIndex(got);
  fair.least = kLeastIndex;
  fair.detail = fmt::format("each gets {:.3g} to {:.3g} Mbit/s", least * 8e-6 / seconds,
                            most * 8e-6 / seconds);
  fair.repeat = fmt::format("--cc {} --flows {}", cc, flows);
  fair.failure = FirstFailure(world, traffic);
  Finding full = fair;
  full.measure = "share of the link";
  full.value = all * 8 / seconds / cell.link_goodput();
  full.least = kLeastShare;
  full.detail.clear();
  return {fair, full};
}

}  // namespace

std::vector<Trial> FairnessTrials(const TrialOptions& options) {
  std::vector<unsigned> choice = options.flows;
  if (choice.empty()) choice.assign(std::begin(kFlows), std::end(kFlows));
  std::vector<Trial> trials;
  for (const std::string& cc : options.cc) {
    for (const unsigned flows : choice) {
      trials.push_back({fmt::format("{}, {} flows", cc, flows),
                        [cc, flows, path = options.path] { return Measure(cc, flows, path); }});
    }
  }
  return trials;
}

}  // namespace estab::bench
