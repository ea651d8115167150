// estab bench sim: seeded random simulations, and what must hold in each.
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "bench/seeds/campaign.h"
#include "cli/bench.h"
#include "cli/bench_output.h"
#include "cli/failure.h"

namespace estab::cli {
namespace {

struct SimFlags {
  std::string first;
  std::string count;
  std::string jobs = "1";
  std::string seed;
  bool trace = false;
  bool check = false;
};

bench::CampaignOptions HowOf(const SimFlags& flags) {
  bench::CampaignOptions how;
  const bool range = !flags.first.empty() || !flags.count.empty();
  if (range && !flags.seed.empty()) Misused("either --seed or --first-seed and --seeds");
  if (!flags.first.empty()) how.first = ParseNumber("--first-seed", flags.first, 0, INT64_MAX);
  if (!flags.count.empty()) how.count = ParseNumber("--seeds", flags.count, 1, 10'000'000);
  how.jobs = static_cast<unsigned>(ParseNumber("--jobs", flags.jobs, 1, 256));
  how.trace = flags.trace;
  if (!flags.seed.empty()) {
    how.first = ParseNumber("--seed", flags.seed, 0, INT64_MAX);
    how.count = 1;
  } else if (flags.trace) {
    Misused("--trace needs --seed N");
  }
  return how;
}

int Run(const SimFlags& flags) {
  const bench::CampaignOptions how = HowOf(flags);
  Progress progress;
  const auto told = [&](std::uint64_t seed, const bench::Outcome&,
                        const std::vector<std::string>& wrong) {
    if (!wrong.empty()) progress.Clear();
    for (const std::string& what : wrong) {
      fmt::print("seed {}: {}\n  repeat: {} --seed {} --trace\n", seed, what, how.repeat, seed);
    }
    if (!wrong.empty()) std::fflush(stdout);
    const std::uint64_t done = seed - how.first + 1;
    if (done % 16 == 0) progress.Show(fmt::format("{}/{} seeds", done, how.count));
  };
  const bench::CampaignResult result = RunCampaign(how, told);
  progress.Clear();
  fmt::print("{}", SummaryText(how, result));
  return flags.check && !result.failed.empty() ? 1 : 0;
}

}  // namespace

void AddBenchSim(CLI::App& app, std::function<int()>& run) {
  auto flags = std::make_shared<SimFlags>();
  CLI::App* sim = app.add_subcommand(
      "sim", "Random conversations over random paths: every byte, every end, nothing left behind");
  const auto number = [&](const char* name, std::string& value, const char* what) {
    sim->add_option(name, value, what)->type_name("N");
  };
  number("--first-seed", flags->first, "The first one; 1");
  number("--seeds", flags->count, "How many; 1000");
  number("--seed", flags->seed, "This one alone");
  number("--jobs", flags->jobs, "How many at the same time; 1");
  sim->add_flag("--trace", flags->trace, "With --seed: print every packet and transition");
  sim->add_flag("--check", flags->check, "Exit status 1 if a seed failed");
  sim->footer(
      "\nEach seed that fails is named, with the line that repeats it:\n"
      "  estab bench sim --first-seed 1 --seeds 1000 --check --jobs 2\n"
      "  estab bench sim --seed 42 --trace");
  sim->callback([flags, &run] { run = [flags] { return Run(*flags); }; });
}

}  // namespace estab::cli
