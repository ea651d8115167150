// The wheel with very many timers on it.
#include <array>
#include <chrono>
#include <memory>
#include <random>
#include <vector>

#include "engine/region.h"
#include "engine/workloads.h"
#include "stack/timer_wheel.h"

namespace bench_engine {

// As connections do: data leaves and the timer is set to 200 to 455 ms; 64 segments later its ACK
// is here, and the timer is what it was, keepalive's. Each is an operation: a timer is cancelled
// and set. Every 1000 a millisecond passes.
Report MeasureTimers(const Options& options) {
  using estab::stack::TimerNode;
  const std::uint64_t n = options.connections != 0 ? options.connections : 10;
  estab::stack::TimerWheel wheel;
  const auto nodes = std::make_unique<TimerNode[]>(n);
  std::array<TimerNode*, 64> in_flight;
  in_flight.fill(&nodes[0]);
  estab::Time now{std::chrono::seconds(1)};
  // The same order every time: a benchmark wants no chance.
  std::mt19937_64 random(1);  // NOLINT(bugprone-random-generator-seed)
  const auto set = [&](TimerNode& node, std::chrono::milliseconds ahead) {
    wheel.Cancel(node);
    wheel.Arm(node, now + ahead);
  };
  constexpr std::chrono::milliseconds kKeepalive = std::chrono::hours(2);
  std::uint64_t fired = 0;
  const auto run = [&](std::uint64_t operations) {
    for (std::uint64_t i = 0; i < operations; i += 2) {
      const std::uint64_t word = random();
      TimerNode*& place = in_flight[i / 2 % in_flight.size()];
      set(*place, kKeepalive);
      place = &nodes[word % n];
      set(*place, std::chrono::milliseconds(200 + (word >> 56)));
      if (i % 1000 != 0) continue;
      now += std::chrono::milliseconds(1);
      while (TimerNode* due = wheel.PopDue(now)) {
        set(*due, kKeepalive);
        ++fired;
      }
    }
  };
  for (std::uint64_t i = 0; i < n; ++i) {
    wheel.Arm(nodes[i], now + std::chrono::milliseconds(random() % kKeepalive.count()));
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
