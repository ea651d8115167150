#include "cli/bench.h"

namespace estab::cli {

void AddBench(CLI::App& app, std::function<int()>& run) {
  CLI::App* bench = app.add_subcommand(
      "bench", "Measure the data path in virtual time, and hold it against theory");
  bench->require_subcommand(1);
  bench->footer(
      "\nEach has --help. With --check the exit status is 1 if a figure is out of its bounds.\n"
      "docs/bench.md says what is measured and where the bounds come from.");
  AddBenchPath(*bench, run);
  AddBenchTrials(*bench, run);
  AddBenchSim(*bench, run);
}

}  // namespace estab::cli
