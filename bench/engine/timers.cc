// The wheel with very many timers on it.
#include <chrono>
#include <memory>
#include <random>
#include <vector>

#include "engine/region.h"
#include "engine/workloads.h"
#include "stack/timer_wheel.h"

namespace bench_engine {

// Each operation cancels the timer of one connection and sets it anew, 200 to 455 ms ahead, as the
// retransmission timer's is; every 1000 operations a millisecond passes.
Report MeasureTimers(const Options& options) {
  using estab::stack::TimerNode;
  const std::uint64_t n = options.connections != 0 ? options.connections : 10;
  estab::stack::TimerWheel wheel;
  const auto nodes = std::make_unique<TimerNode[]>(n);
  estab::Time now{std::chrono::seconds(1)};
  // The same order every time: a benchmark wants no chance.
  std::mt19937_64 random(1);  // NOLINT(bugprone-random-generator-seed)
  const auto ahead = [&](std::uint64_t word) {
    return now + std::chrono::milliseconds(200 + (word >> 56));
  };
  std::uint64_t fired = 0;
  const auto run = [&](std::uint64_t operations) {
    for (std::uint64_t i = 1; i <= operations; ++i) {
      const std::uint64_t word = random();
      TimerNode& node = nodes[word % n];
      wheel.Cancel(node);
      wheel.Arm(node, ahead(word));
      if (i % 1000 != 0) continue;
      now += std::chrono::milliseconds(1);
      while (TimerNode* due = wheel.PopDue(now)) {
        wheel.Arm(*due, ahead(random()));
        ++fired;
      }
    }
  };
  // Idle ones are on the wheel, too: with deadlines as keepalive's, up to two hours.
  for (std::uint64_t i = 0; i < n; ++i) {
    wheel.Arm(nodes[i], now + std::chrono::milliseconds(random() % 7'200'000));
  }
  run(options.warm != 0 ? options.warm : 100'000);
  const std::uint64_t count = options.count != 0 ? options.count : 1'000'000;
  fired = 0;
  Region region;
  run(count);
  region.Stop();
  Report report("timers");
  report.Add("connections", static_cast<double>(n));
  report.Add("operations", static_cast<double>(count));
  report.Add("ns_per_op", region.ns() / static_cast<double>(count));
  report.Add("fired", static_cast<double>(fired));
  report.Add("armed", static_cast<double>(wheel.size()));
  return report;
}

}  // namespace bench_engine
