// Connections that come and go.
#include <chrono>

#include "engine/conversation.h"
#include "engine/region.h"
#include "engine/workloads.h"

namespace bench_engine {
namespace {

using estab::ReadyEvent;
using estab::SocketId;

std::uint64_t Or(std::uint64_t asked, std::uint64_t otherwise) {
  return asked != 0 ? asked : otherwise;
}

void AddCosts(Report& report, const Region& region, Pair& pair, std::uint64_t count,
              std::uint64_t packets, std::uint64_t allocations) {
  const auto n = static_cast<double>(count);
  report.Add("operations", n);
  report.Add("ns_per_op", region.ns() / n);
  report.Add("packets_per_op", static_cast<double>(pair.packets() - packets) / n);
  report.Add("slab_allocations", static_cast<double>(pair.allocations() - allocations));
  report.Add("heap_allocations", static_cast<double>(region.heap()));
}

}  // namespace

Report MeasureShort(const Options& options, bool data) {
  const std::uint64_t count = Or(options.count, 100'000);
  Pair pair(options, ListenersFor(options.connections));
  const std::vector<Open> others = OpenMany(pair, options.connections);
  Conversation conversation(pair, data);
  ConverseMany(pair, conversation, Or(options.warm, 20'000));
  const std::uint64_t packets = pair.packets();
  const std::uint64_t allocations = pair.allocations();
  Region region;
  ConverseMany(pair, conversation, count);
  region.Stop();
  Report report(data ? "short" : "open_close");
  report.Add("connections", static_cast<double>(others.size()));
  AddCosts(report, region, pair, count, packets, allocations);
  return report;
}

Report MeasureTimeWait(const Options& options) {
  const std::uint64_t count = Or(options.count, 20'000);
  const std::uint64_t warm = Or(options.warm, 2'000);
  // No time passes: every connection leaves a record, and each destination has 64 512 ports.
  const std::uint64_t listeners = ListenersFor(options.connections + warm + count);
  Pair pair(options, listeners);
  Conversation conversation(pair, false);
  std::uint64_t made = 0;
  const auto run = [&](std::uint64_t n) {
    for (; n != 0; --n) conversation.Run(made++ / Pair::kPerListener);
  };
  run(options.connections + warm);
  const std::uint64_t packets = pair.packets();
  const std::uint64_t allocations = pair.allocations();
  Region region;
  run(count);
  region.Stop();
  Report report("time_wait");
  report.Add("time_waits", static_cast<double>(options.connections));
  AddCosts(report, region, pair, count, packets, allocations);
  return report;
}

Report MeasurePorts(const Options& options) {
  const std::uint64_t count = Or(options.count, 50'000);
  Pair pair(options, 1);
  const auto nobody = [](const ReadyEvent&) {};
  // All to one destination.
  std::uint64_t taken = 0;
  for (; taken < options.connections; ++taken) {
    pair.Connect(0);
    pair.Settle();
    Must(pair.server().Accept(pair.now(), pair.listener(0)), "accept");
  }
  const auto run = [&](std::uint64_t n) {
    for (; n != 0; --n) {
      const SocketId client = pair.Connect(0);
      pair.Run(nobody, nobody);
      const SocketId server = Must(pair.server().Accept(pair.now(), pair.listener(0)), "accept");
      Must(pair.client().Abort(pair.now(), client), "abort");
      pair.Run(nobody, nobody);
      Must(pair.server().Close(pair.now(), server), "close");
    }
  };
  run(Or(options.warm, 5'000));
  const std::uint64_t packets = pair.packets();
  const std::uint64_t allocations = pair.allocations();
  Region region;
  run(count);
  region.Stop();
  Report report("ports");
  report.Add("ports_taken", static_cast<double>(taken));
  AddCosts(report, region, pair, count, packets, allocations);
  return report;
}

}  // namespace bench_engine
