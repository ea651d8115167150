// What the engine costs, in memory, both ends, one thread: a workload a run. For callgrind, perf
// and bench/compare.
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <functional>
#include <string>

#include "engine/report.h"
#include "engine/wire.h"
#include "engine/workloads.h"

namespace bench_engine {

namespace {

struct Workload {
  const char* name;
  const char* gist;
  std::function<Report(const Options&)> measure;
};

const Workload kWorkloads[] = {
    {"short", "Connect, a byte each way, close",
     [](const Options& o) { return MeasureShort(o, true); }},
    {"open_close", "Connect and close", [](const Options& o) { return MeasureShort(o, false); }},
    {"time_wait", "Connect and close beside so many records in TIME_WAIT", MeasureTimeWait},
    {"ports", "Connect and abort while so many ports to the destination are taken", MeasurePorts},
    {"bulk", "Data in one direction; --count and --warm are bytes", MeasureBulk},
    {"zero_copy", "Bulk sent by reference and read by borrowing, over a wire with offloads",
     MeasureZeroCopy},
    {"round", "A byte there and back over each of many connections", MeasureRound},
    {"scale", "All that must not grow with the number of connections, in one run", MeasureScale},
    {"idle", "Many connections, and a millisecond passes", MeasureIdle},
    {"memory", "Bytes of idle ends, half-open and TIME_WAIT records", MeasureMemory},
    {"timers", "Cancel and set a timer among many", MeasureTimers},
    {"soak", "Hours in minutes: churn, a flood of SYNs, and nothing left behind", MeasureSoak},
};

void AddOptions(CLI::App& command, Options& o) {
  command.add_option("--count", o.count, "Operations to measure (0: as it thinks fit)");
  command.add_option("--warm", o.warm, "Operations before that (0: likewise)");
  command.add_option("--connections", o.connections, "How many are there, or besides")
      ->check(CLI::Range(0, 20'000'000));
  command.add_option("--batch", o.batch, "Most packets given to Receive at once")
      ->check(CLI::Range(std::size_t{1}, Wire::kPackets))
      ->capture_default_str();
  command.add_option("--buffer", o.buffer, "Bytes of each buffer, of bulk")
      ->check(CLI::Range(4096, 1 << 30))
      ->capture_default_str();
  command.add_flag("!--no-journal", o.journal, "Without the journal of transitions");
  command.add_flag("--json", o.json, "One line of JSON");
}

}  // namespace
}  // namespace bench_engine

int main(int argc, char** argv) {
  using bench_engine::kWorkloads;
  CLI::App app("What the engine costs, in memory, both ends, one thread");
  app.require_subcommand(1);
  app.footer(
      "\nInstructions of the measured part alone:\n"
      "  valgrind --tool=callgrind --instr-atstart=no bench_engine short --count 2000");
  bench_engine::Options options;
  for (const auto& workload : kWorkloads) {
    CLI::App* command = app.add_subcommand(workload.name, workload.gist);
    bench_engine::AddOptions(*command, options);
    command->callback([&] { workload.measure(options).Print(options.json); });
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "bench_engine: %s\n", e.what());
    return 2;
  }
  return 0;
}
