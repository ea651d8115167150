// estab bench fairness, reorder, tail, incast: the smaller experiments.
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/parallel.h"
#include "bench/report.h"
#include "bench/trials/trial.h"
#include "cli/bench.h"
#include "cli/bench_common.h"
#include "cli/bench_output.h"
#include "cli/failure.h"

namespace estab::cli {
namespace {

using bench::Experiment;
using bench::Finding;
using bench::Trial;

struct TrialFlags {
  BenchFlags common;
  std::vector<std::string> flows, rtt, lost;
};

void Choose(const char* flag, const std::vector<std::string>& texts, std::uint64_t most,
            std::vector<unsigned>& values) {
  for (const std::string& text : texts) {
    values.push_back(static_cast<unsigned>(ParseNumber(flag, text, 1, most)));
  }
}

// Prints each finding as its turn comes.
std::vector<Finding> RunAll(std::FILE* out, const std::vector<Trial>& trials, unsigned jobs) {
  std::vector<std::vector<Finding>> found(trials.size());
  std::vector<Finding> all;
  Progress progress;
  const auto work = [&](std::size_t i) { found[i] = trials[i].run(); };
  const auto print = [&](std::size_t i) {
    progress.Clear();
    for (const Finding& finding : found[i]) {
      std::fputs(bench::FindingLine(finding).c_str(), out);
      all.push_back(finding);
    }
    std::fflush(out);
    if (i + 1 == trials.size()) return;
    progress.Show(fmt::format("{}/{}: {}", i + 1, trials.size(), trials[i + 1].what));
  };
  bench::InParallel(jobs, trials.size(), work, print);
  return all;
}

int Run(const Experiment& experiment, const TrialFlags& flags) {
  std::FILE* out = TextOutput(flags.common);
  bench::TrialOptions options;
  options.path = PathOptionsOf(flags.common);
  options.cc = ChosenCc(flags.common);
  Choose("--flows", flags.flows, 10'000, options.flows);
  Choose("--rtt", flags.rtt, 10'000, options.rtt_ms);
  Choose("--lost", flags.lost, 40, options.lost);
  const auto findings = RunAll(out, experiment.trials(options), JobsOf(flags.common));
  std::size_t bad = 0;
  for (const Finding& finding : findings) {
    if (finding.holds()) continue;
    if (bad++ == 0) fmt::print(out, "\nnot as it should be:\n");
    fmt::print(out, "  {}, {}\n    repeat: estab bench {} {} --seed {} --check\n", finding.what,
               finding.measure, experiment.name, finding.repeat, options.path.seed);
  }
  const std::string& json = flags.common.json;
  if (!json.empty()) {
    WriteOutput(json, bench::FindingsJson(experiment.name, findings, options.path.seed));
  }
  return flags.common.check && bad != 0 ? 1 : 0;
}

void Add(CLI::App& app, const Experiment& experiment, std::function<int()>& run) {
  auto flags = std::make_shared<TrialFlags>();
  CLI::App* verb = app.add_subcommand(experiment.name, experiment.gist);
  AddCommonFlags(*verb, flags->common);
  const std::string_view choice = experiment.choice;
  const auto list = [&](const char* name, std::vector<std::string>& values, const char* what) {
    if (choice.find(name + 2) == choice.npos) return;
    verb->add_option(name, values, what)->type_name("N,...")->delimiter(',')->take_all();
  };
  list("--flows", flags->flows, "How many flows");
  list("--rtt", flags->rtt, "Round trip in ms");
  list("--lost", flags->lost, "How many of the last segments are lost");
  verb->callback([&experiment, flags, &run] {
    run = [&experiment, flags] { return Run(experiment, *flags); };
  });
}

}  // namespace

void AddBenchTrials(CLI::App& app, std::function<int()>& run) {
  for (const Experiment& experiment : bench::Experiments()) Add(app, experiment, run);
}

}  // namespace estab::cli
