#include "bench/traffic.h"
#include "bench/trials/trial.h"
#include "observe/format.h"

namespace estab::bench {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kRtts[] = {10, 100, 600};
constexpr unsigned kLost[] = {1, 2, 4, 8};
constexpr std::uint64_t kBytes = 64 << 10;
constexpr std::uint64_t kRate = 100'000'000;
constexpr unsigned kSegments = (kBytes + kPayloadBytes - 1) / kPayloadBytes;

// In round trips. A probe goes out two after the last segment and brings it; if others are lost
// too, its answer shows them a round trip later. The rest is room for timers, and for one ACK that
// waits.
double MostFor(unsigned lost) { return lost == 1 ? 3.1 : 4.3; }

// Drops the first transmission of the last `lost` segments.
void DropTail(sim::World& world, unsigned lost) {
  for (unsigned i = kSegments - lost; i < kSegments; ++i) {
    sim::Fault fault;
    fault.match = sim::SegmentMatch::Data();
    fault.match.seq = 1 + i * kPayloadBytes;
    fault.from = sim::Side::kA;
    fault.last = 1;
    world.faults().Add(fault);
  }
}

struct Run {
  Duration time{};
  std::string failure;
};

Run Measure(const Cell& cell, const PathOptions& options, unsigned lost) {
  sim::World world(CellWorld(cell, options));
  DropTail(world, lost);
  Traffic traffic(world, {{Time{}, kBytes}});
  world.Run(Time(10min));
  Run run;
  run.failure = FirstFailure(world, traffic);
  if (!run.failure.empty()) return run;
  if (!traffic.AllCompleted()) {
    run.failure = "not complete after ten minutes";
  } else if (!world.faults().Unused().empty()) {
    run.failure = "the segments were cut otherwise, and the last were not lost";
  } else {
    run.time = traffic.flow(0).completed->time_since_epoch();
  }
  return run;
}

Finding Compare(const std::string& cc, unsigned rtt_ms, unsigned lost, const PathOptions& options) {
  const Cell cell{cc, 0, std::chrono::milliseconds(rtt_ms), kRate, 400};
  const Run whole = Measure(cell, options, 0);
  const Run without = Measure(cell, options, lost);
  const auto round_trips = [&](Duration span) {
    return static_cast<double>(span.count()) / static_cast<double>(cell.least_rtt().count());
  };
  Finding finding;
  finding.what = fmt::format("{}, {} ms, the last {} lost", cc, rtt_ms, lost);
  finding.measure = "round trips more";
  finding.value = round_trips(without.time - whole.time);
  finding.most = MostFor(lost);
  finding.detail = fmt::format("without loss {:.3g}", round_trips(whole.time));
  finding.repeat = fmt::format("--cc {} --rtt {} --lost {}", cc, rtt_ms, lost);
  finding.failure = whole.failure.empty() ? without.failure : whole.failure;
  return finding;
}

}  // namespace

std::vector<Trial> TailTrials(const TrialOptions& options) {
  std::vector<unsigned> rtts = options.rtt_ms;
  if (rtts.empty()) rtts.assign(std::begin(kRtts), std::end(kRtts));
  std::vector<unsigned> losts = options.lost;
  if (losts.empty()) losts.assign(std::begin(kLost), std::end(kLost));
  std::vector<Trial> trials;
  for (const std::string& cc : options.cc) {
    for (const unsigned rtt : rtts) {
      for (const unsigned lost : losts) {
        trials.push_back({fmt::format("{}, {} ms, {} lost", cc, rtt, lost),
                          [cc, rtt, lost, path = options.path] {
                            return std::vector{Compare(cc, rtt, lost, path)};
                          }});
      }
    }
  }
  return trials;
}

}  // namespace estab::bench
