// estab bench: measurements in virtual time.
#pragma once

#include <CLI/App.hpp>
#include <functional>

namespace estab::cli {

/// Adds the verb, and the experiments as verbs of it, to `app`. When one is chosen, `run` becomes
/// the function that does the work and returns the exit status: 0 measured (and, with --check, all
/// bounds held), 1 not, 2 asked wrongly.
void AddBench(CLI::App& app, std::function<int()>& run);

// The single experiments, each in a file of its own.
void AddBenchPath(CLI::App& bench, std::function<int()>& run);
void AddBenchTrials(CLI::App& bench, std::function<int()>& run);
void AddBenchSim(CLI::App& bench, std::function<int()>& run);

}  // namespace estab::cli
