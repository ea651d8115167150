#include <algorithm>
#include <vector>

#include "bench/traffic.h"
#include "bench/trials/trial.h"
#include "observe/format.h"

namespace estab::bench {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kFlows[] = {256};
constexpr std::uint64_t kBytesEach = 64 << 10;
constexpr std::uint64_t kRate = 1'000'000'000;
constexpr Duration kRtt = 500us;
// A port of a small switch: 170 packets, a fifteenth of what 256 initial windows bring.
constexpr std::uint32_t kQueue = 256 << 10;
constexpr double kLeastTime = 1;
constexpr double kMostTime = 10;

std::vector<Finding> Measure(const std::string& cc, unsigned flows, const PathOptions& options) {
  const Cell cell{cc, 0, kRtt, kRate, kQueue * 100 / 62'500};
  sim::World world(CellWorld(cell, options));
  Traffic traffic(world, std::vector<FlowPlan>(flows, FlowPlan{Time{}, kBytesEach}));
  world.Run(Time(5min));
  std::vector<double> times;  // s
  for (std::size_t i = 0; i < traffic.size(); ++i) {
    if (const auto at = traffic.flow(i).completed) {
      times.push_back(std::chrono::duration<double>(at->time_since_epoch()).count());
    }
  }
  std::ranges::sort(times);
  Finding finding;
  finding.what = fmt::format("{}, {} flows", cc, flows);
  finding.measure = "time until the last is done, by that of a full link";
  finding.repeat = fmt::format("--cc {} --flows {}", cc, flows);
  finding.least = kLeastTime;
  finding.most = kMostTime;
  finding.failure = FirstFailure(world, traffic);
  if (finding.failure.empty() && times.size() != flows) {
    finding.failure = fmt::format("{} of {} are not complete", flows - times.size(), flows);
  }
  if (!finding.failure.empty()) return {finding};
  const double ideal = static_cast<double>(flows * kBytesEach) * 8 / cell.link_goodput();
  finding.value = times.back() / ideal;
  finding.detail = fmt::format(
      "half of them after {:.3g} s, the last {:.3g} s; {} packets found the queue full, {} "
      "repeated",
      times[times.size() / 2], times.back(), world.path(sim::Side::kA).counters().queue_full,
      world.a().stack().Counters().retransmissions);
  return {finding};
}

}  // namespace

std::vector<Trial> IncastTrials(const TrialOptions& options) {
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
