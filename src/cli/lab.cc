#include "cli/lab.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "cli/failure.h"
#include "cli/fsm.h"
#include "cli/lab_format.h"
#include "observe/format.h"
#include "sim/scenarios/registry.h"

namespace estab::cli {
namespace {

using sim::Scenario;

struct LabOptions {
  std::string id;
  bool all = false;
  std::vector<std::string> settings;
  std::string profile = "default";
  std::string seed_text = "1";
  std::uint64_t seed = 1;  // read from it by Run
  std::string format = "text";
  std::string handshake;  // --handshake and --time-wait: parameters with a flag of their own
  std::string time_wait;
  std::string output;
  bool verdicts = false;
};

std::vector<std::pair<std::string, std::string>> ReadSettings(
    const std::vector<std::string>& settings) {
  std::vector<std::pair<std::string, std::string>> values;
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) {
      Misused("--set wants NAME=VALUE, not \"{}\"", setting);
    }
    values.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
  }
  return values;
}

void CheckOptions(const LabOptions& options) {
  constexpr std::string_view kProfiles[] = {"default", "linux", "rfc"};
  if (std::ranges::count(kProfiles, options.profile) == 0) {
    Misused("no profile \"{}\": default, linux or rfc", options.profile);
  }
  constexpr std::string_view kFormats[] = {"text", "svg", "html", "json", "pcapng"};
  if (std::ranges::count(kFormats, options.format) == 0) {
    Misused("no format \"{}\": text, svg, html, json or pcapng", options.format);
  }
  if (options.all && !options.id.empty()) Misused("either an ID or --all, not both");
  const bool set =
      !options.settings.empty() || !options.handshake.empty() || !options.time_wait.empty();
  if (options.all && set) Misused("--set needs an ID, not --all");
  if (options.id.empty() && set) Misused("--set needs an ID");
  const bool of_many = options.format == "text" || (options.all && options.format == "html");
  if (options.id.empty() && !of_many) Misused("--format {} needs an ID", options.format);
}

const Scenario& Find(const std::string& id) {
  const Scenario* scenario = sim::FindScenario(id);
  if (scenario != nullptr) return *scenario;
  std::string nearest;
  for (const std::string& near : sim::NearestScenarios(id)) {
    nearest += (nearest.empty() ? "" : ", ") + near;
  }
  Misused("no behaviour \"{}\"; nearest: {} (all of them: estab lab)", id, nearest);
}

void PrintText(std::FILE* out, const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), out) != text.size() || std::fflush(out) != 0) {
    Failed("cannot write: {}", std::strerror(errno));
  }
}

void Deliver(const LabOptions& options, const std::string& text) {
  if (options.output.empty() || options.output == "-") return PrintText(stdout, text);
  std::FILE* file = std::fopen(options.output.c_str(), "we");
  if (file == nullptr) Failed("cannot write {}: {}", options.output, std::strerror(errno));
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) != 0 || !written) {
    Failed("cannot write {}: {}", options.output, std::strerror(errno));
  }
}

// --- The list ------------------------------------------------------------------------------------

std::string_view GroupOf(const Scenario& scenario) {
  const std::string_view id = scenario.id;
  return id.substr(0, id.find('/'));
}

// The group that `id` names, as "open" or "open/"; empty if it names none.
std::string_view FindGroup(std::string_view id) {
  if (id.ends_with('/')) id.remove_suffix(1);
  for (const Scenario* s : sim::AllScenarios()) {
    if (GroupOf(*s) == id) return GroupOf(*s);
  }
  return {};
}

// All of them, or those of one group.
int List(const LabOptions& options, std::string_view only = {}) {
  const LabTerminal terminal = LookAtTerminal(!options.output.empty());
  std::size_t widest = 0;
  for (const Scenario* s : sim::AllScenarios()) {
    widest = std::max(widest, std::string_view(s->id).size());
  }
  std::string out;
  std::string_view group;
  for (const Scenario* s : sim::AllScenarios()) {
    const std::string_view own = GroupOf(*s);
    if (!only.empty() && own != only) continue;
    if (!group.empty() && own != group) out += "\n";
    group = own;
    const std::string id = fmt::format("{:<{}}", s->id, widest);
    out += fmt::format("  {}  {}\n", Painted(id, "1", terminal), s->title);
  }
  if (only.empty()) out += fmt::format("\n  {:<{}}  The state machine itself\n", "fsm", widest);
  out += "\nestab lab ID draws one; --set NAME=VALUE changes it; --all checks them all\n";
  Deliver(options, out);
  return 0;
}

// --- One -----------------------------------------------------------------------------------------

std::string WallText(std::uint64_t bytes, std::chrono::nanoseconds wall) {
  const auto us = std::max<std::int64_t>(wall / std::chrono::microseconds(1), 1);
  return fmt::format("{}.{:03} s of wall time, both hosts and the wire together: {} Mbit/s",
                     us / 1'000'000, us / 1000 % 1000, bytes * 8 / static_cast<std::uint64_t>(us));
}

sim::ScenarioOptions HowOf(const LabOptions& options) {
  sim::ScenarioOptions how;
  how.seed = options.seed;
  // The default profile is what a stack has anyway.
  if (options.profile != "default") how.profile = options.profile;
  how.values = ReadSettings(options.settings);
  if (!options.handshake.empty()) how.values.emplace_back("handshake", options.handshake);
  if (!options.time_wait.empty()) how.values.emplace_back("time-wait", options.time_wait);
  how.verdicts = options.verdicts;
  how.packets = options.format == "pcapng";
  return how;
}

std::string Formatted(const LabOptions& options, const LabRun& run, const LabTerminal& terminal) {
  if (options.format == "svg") return AsSvg(run, options.verdicts);
  if (options.format == "json") return AsJson(run);
  if (options.format == "pcapng") return AsPcapng(run);
  if (options.format == "html") {
    return AsHtml(fmt::format("{}: {}", run.scenario->id, run.scenario->title), {&run, 1});
  }
  return AsText(run, terminal, options.verdicts);
}

int One(const LabOptions& options) {
  const Scenario& scenario = Find(options.id);
  const auto begin = std::chrono::steady_clock::now();
  auto result = sim::RunScenario(scenario, HowOf(options));
  const auto wall = std::chrono::steady_clock::now() - begin;
  if (!result) Misused("{}", result.error());
  if (result->delivered != 0) result->summary.push_back(WallText(result->delivered, wall));
  const bool passed = result->passed();
  const std::vector<std::string> failures = result->failures;
  const bool to_file = !options.output.empty() && options.output != "-";
  Deliver(options, Formatted(options, {&scenario, *std::move(result)}, LookAtTerminal(to_file)));
  // A file or a document on the output says nothing of failures to who looks at the terminal.
  if (!passed && (to_file || options.format != "text")) {
    for (const std::string& failure : failures) fmt::print(stderr, "{}\n", failure);
  }
  return passed ? 0 : 1;
}

// --- All -----------------------------------------------------------------------------------------

int AllAsHtml(const LabOptions& options) {
  std::vector<LabRun> runs;
  bool passed = true;
  for (const Scenario* scenario : sim::AllScenarios()) {
    auto result = sim::RunScenario(*scenario, HowOf(options));
    if (!result) Misused("{}", result.error());
    for (const std::string& failure : result->failures) {
      fmt::print(stderr, "{}: {}\n", scenario->id, failure);
      passed = false;
    }
    runs.push_back({scenario, *std::move(result)});
  }
  Deliver(options, AsHtml(fmt::format("The behaviours of TCP ({})", options.profile), runs));
  return passed ? 0 : 1;
}

int All(const LabOptions& options) {
  if (options.format == "html") return AllAsHtml(options);
  const LabTerminal terminal = LookAtTerminal(!options.output.empty());
  std::string out;
  std::size_t failed = 0;
  std::size_t widest = 0;
  for (const Scenario* s : sim::AllScenarios()) {
    widest = std::max(widest, std::string_view(s->id).size());
  }
  for (const Scenario* scenario : sim::AllScenarios()) {
    const auto result = sim::RunScenario(*scenario, HowOf(options));
    const bool passed = result && result->passed();
    failed += passed ? 0 : 1;
    const std::string mark =
        passed ? Painted("pass", "32", terminal) : Painted("FAIL", "31", terminal);
    const std::string why =
        passed ? scenario->title : (result ? result->failures.front() : result.error());
    out += fmt::format("{}  {:<{}}  {}\n", mark, scenario->id, widest, why);
  }
  const std::size_t all = sim::AllScenarios().size();
  out += failed == 0 ? fmt::format("all {} as expected\n", all)
                     : fmt::format("{} of {} not as expected\n", failed, all);
  Deliver(options, out);
  return failed == 0 ? 0 : 1;
}

int DrawFsm(const LabOptions& options) {
  if (options.all || !options.settings.empty()) Misused("{}: there is nothing to set", options.id);
  const LabTerminal terminal = LookAtTerminal(!options.output.empty() && options.output != "-");
  Deliver(options, Fsm(options.format, terminal.ascii));
  return 0;
}

int Run(LabOptions& options) {
  if (IsFsm(options.id)) return DrawFsm(options);
  CheckOptions(options);
  options.seed = ParseNumber("--seed", options.seed_text, 0, UINT64_MAX);
  if (options.all) return All(options);
  const std::string_view group = FindGroup(options.id);
  if (!group.empty() && (!options.settings.empty() || options.format != "text")) {
    Misused("{} is a group of behaviours; choose one: estab lab {}", options.id, group);
  }
  if (!group.empty()) return List(options, group);
  return options.id.empty() ? List(options) : One(options);
}

}  // namespace

void AddLab(CLI::App& app, std::function<int()>& run) {
  auto options = std::make_shared<LabOptions>();
  CLI::App* lab = app.add_subcommand(
      "lab", "Watch a behaviour in virtual time: draw it, and check that it is as it should be");
  lab->add_option(
         "ID", options->id,
         "What to watch, e.g. open/syn-lost; a group, e.g. open: its list; without it: the list")
      ->option_text(" ");
  lab->add_flag("--all", options->all, "Check every behaviour, one line each");
  lab->add_option("--set", options->settings,
                  "A parameter of the behaviour, or any setting by its name; may be repeated")
      ->type_name("NAME=VALUE")
      ->take_all()
      ->expected(1);
  lab->add_option("--profile", options->profile, "Whose rules: default, linux or rfc")
      ->type_name("NAME");
  lab->add_option("--seed", options->seed_text,
                  "Of ISNs and of chance; the same seed, the same run")
      ->type_name("N");
  lab->add_option("--handshake", options->handshake,
                  "2: beside it, what a handshake of two segments does; as --set handshake=N")
      ->type_name("N");
  lab->add_option("--time-wait", options->time_wait,
                  "0: beside it, what happens without TIME_WAIT; as --set time-wait=N")
      ->type_name("N");
  lab->add_option("--format", options->format,
                  "text, svg, html, json or pcapng; with --all text or html")
      ->type_name("FORMAT");
  lab->add_option("-o,--output", options->output, "Write to FILE instead of standard output")
      ->type_name("FILE");
  lab->add_flag("--verdicts", options->verdicts, "Draw rules that changed no state, too");
  lab->footer(
      "\nExamples:\n"
      "  estab lab open/syn-lost --set tcp_syn_retries=3\n"
      "  estab lab close/last-ack-lost --format svg -o figure.svg\n"
      "  estab lab --all --format html -o tcp.html\n"
      "  estab lab fsm --format html -o machine.html\n\n"
      "Exit status: 0 as expected, 1 not as expected, 2 asked wrongly.");
  lab->callback([options, &run] { run = [options] { return Run(*options); }; });
}

}  // namespace estab::cli
