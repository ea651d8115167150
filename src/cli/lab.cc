#include "cli/lab.h"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <chrono>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/failure.h"
#include "observe/ladder_json.h"
#include "observe/ladder_svg.h"
#include "observe/ladder_text.h"
#include "observe/text.h"
#include "sim/scenarios/registry.h"

namespace estab::cli {
namespace {

using sim::Scenario;
using sim::ScenarioResult;

constexpr std::size_t kWidth = 100;
// A ladder of more rows than this is drawn without its middle.
constexpr std::size_t kMostRows = 400;
constexpr std::size_t kHeadRows = 60;
constexpr std::size_t kTailRows = 40;
// The slanted arrows of a burst lie close together: few of them can be read in a drawing.
constexpr std::size_t kSvgHeadRows = 14;
constexpr std::size_t kSvgTailRows = 12;

struct LabOptions {
  std::string id;
  bool all = false;
  std::vector<std::string> settings;
  std::string profile = "default";
  std::string seed_text = "1";
  std::uint64_t seed = 1;  // read from it by Run
  std::string format = "text";
  std::string output;
  bool verdicts = false;
};

struct Terminal {
  bool color = false;
  bool ascii = false;
  std::size_t width = kWidth;
};

Terminal LookAtTerminal(bool to_file) {
  Terminal terminal;
  const char* no_color = std::getenv("NO_COLOR");
  const bool wanted = no_color == nullptr || *no_color == '\0';
  const bool tty = !to_file && isatty(STDOUT_FILENO) != 0;
  const char* kind = std::getenv("TERM");
  const bool dumb = kind != nullptr && std::string_view(kind) == "dumb";
  terminal.color = tty && wanted && !dumb;
  std::setlocale(LC_CTYPE, "");
  terminal.ascii = std::string_view(nl_langinfo(CODESET)) != "UTF-8";
  winsize size{};
  if (tty && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 72) {
    terminal.width = std::min<std::size_t>(size.ws_col, 140);
  }
  return terminal;
}

// What a terminal without UTF-8 can show instead of our few other characters.
std::string Shown(std::string text, const Terminal& terminal) {
  if (!terminal.ascii) return text;
  for (std::size_t at = 0; (at = text.find("§", at)) != std::string::npos;) {
    text.replace(at, std::string_view("§").size(), "section ");
  }
  return text;
}

std::string Painted(const std::string& text, const char* code, const Terminal& terminal) {
  return terminal.color ? fmt::format("\033[{}m{}\033[0m", code, text) : text;
}

// `text` in lines of at most `width` columns, each with `indent` before it.
std::string Wrapped(const std::string& text, std::size_t width, const std::string& indent) {
  std::string out = indent;
  std::size_t column = indent.size();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    const std::size_t columns = observe::Columns(word);
    if (column > indent.size() && column + 1 + columns > width) {
      out += "\n" + indent;
      column = indent.size();
    } else if (column > indent.size()) {
      out += ' ';
      ++column;
    }
    out += word;
    column += columns;
    at = end + 1;
  }
  return out + "\n";
}

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
  if (options.format == "html" || options.format == "pcapng") {
    Misused("format {}: not supported yet, only text, svg and json", options.format);
  }
  if (options.format != "text" && options.format != "svg" && options.format != "json") {
    Misused("no format \"{}\": text, svg or json", options.format);
  }
  if (options.all && !options.id.empty()) Misused("either an ID or --all, not both");
  if (options.all && !options.settings.empty()) Misused("--set needs an ID, not --all");
  if (options.id.empty() && !options.settings.empty()) Misused("--set needs an ID");
  if (options.id.empty() && options.format != "text") {
    Misused("--format {} needs an ID", options.format);
  }
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
  const Terminal terminal = LookAtTerminal(!options.output.empty());
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
  out += "\nestab lab ID draws one; --set NAME=VALUE changes it; --all checks them all\n";
  Deliver(options, out);
  return 0;
}

// --- One -----------------------------------------------------------------------------------------

// The value in force. One that is set by the setting's own name is set last.
std::string ValueOf(const sim::Parameter& parameter, const sim::ScenarioOptions& how) {
  std::string value = parameter.value;
  for (const auto& [name, given] : how.values) {
    if (name == parameter.name) value = given;
  }
  for (const auto& [name, given] : how.values) {
    if (parameter.setting != nullptr && name == parameter.setting) value = given;
  }
  return value;
}

std::string ParametersText(const Scenario& scenario, const sim::ScenarioOptions& how,
                           const Terminal& terminal) {
  if (scenario.parameters.empty()) return {};
  std::vector<std::string> shown;
  std::size_t widest = 0;
  for (const auto& p : scenario.parameters) {
    const std::string value = ValueOf(p, how);
    shown.push_back(fmt::format("{}={}", p.name, value));
    if (value != p.value) shown.back() += fmt::format(" ({} unless set)", p.value);
    widest = std::max(widest, shown.back().size());
  }
  std::string out = "  --set\n";
  for (std::size_t i = 0; i < shown.size(); ++i) {
    out += fmt::format("    {:<{}}  {}\n", shown[i], widest, scenario.parameters[i].gist);
  }
  return Painted(out, "2", terminal);
}

std::string VerdictText(const ScenarioResult& result, const Terminal& terminal) {
  if (result.passed()) return Painted("as expected", "32", terminal) + "\n";
  std::string out = Painted("NOT as expected", "31", terminal) + "\n";
  for (const std::string& failure : result.failures) out += "  " + failure + "\n";
  return out;
}

std::string WallText(std::uint64_t bytes, std::chrono::nanoseconds wall) {
  const auto us = std::max<std::int64_t>(wall / std::chrono::microseconds(1), 1);
  return fmt::format("{}.{:03} s of wall time, both hosts and the wire together: {} Mbit/s",
                     us / 1'000'000, us / 1000 % 1000, bytes * 8 / static_cast<std::uint64_t>(us));
}

std::string AsText(const Scenario& scenario, const sim::ScenarioOptions& how,
                   const ScenarioResult& result, const Terminal& terminal) {
  observe::LadderTextOptions drawing;
  drawing.width = terminal.width;
  drawing.ascii = terminal.ascii;
  drawing.color = terminal.color;
  drawing.verdicts = how.verdicts;
  observe::Ladder ladder = result.ladder;
  ladder.title.clear();
  std::string out = Painted(scenario.id, "1", terminal) + ": " + scenario.title + "\n\n";
  out += Shown(Wrapped(scenario.text, std::min(terminal.width, kWidth), "  "), terminal) + "\n";
  out += ParametersText(scenario, how, terminal) + "\n";
  out += Shown(observe::LadderToText(ladder, drawing), terminal) + "\n";
  for (const std::string& sentence : result.summary) out += sentence + "\n";
  return out + VerdictText(result, terminal);
}

std::string AsJson(const Scenario& scenario, const ScenarioResult& result) {
  nlohmann::ordered_json out;
  out["id"] = scenario.id;
  out["title"] = scenario.title;
  out["text"] = scenario.text;
  out["passed"] = result.passed();
  out["failures"] = result.failures;
  if (!result.summary.empty()) out["summary"] = result.summary;
  out["trace"] = fmt::format("{:016x}", result.trace_hash);
  out["ladder"] = nlohmann::ordered_json::parse(observe::LadderToJson(result.ladder));
  return out.dump(2) + "\n";
}

void ShortenFor(const LabOptions& options, observe::Ladder& ladder) {
  if (ladder.rows.size() <= kMostRows || options.format == "json") return;
  if (options.format == "text") return observe::Shorten(ladder, kHeadRows, kTailRows);
  // Timers that did not fire are not drawn, and so must not count.
  std::erase_if(ladder.rows, [](const observe::LadderRow& row) {
    const auto* timer = std::get_if<observe::LadderTimer>(&row.what);
    return timer != nullptr && !timer->fired;
  });
  observe::Shorten(ladder, kSvgHeadRows, kSvgTailRows);
}

int One(const LabOptions& options) {
  const Scenario& scenario = Find(options.id);
  sim::ScenarioOptions how;
  how.seed = options.seed;
  how.values = ReadSettings(options.settings);
  how.verdicts = options.verdicts;
  const auto begin = std::chrono::steady_clock::now();
  auto result = sim::RunScenario(scenario, how);
  const auto wall = std::chrono::steady_clock::now() - begin;
  if (!result) Misused("{}", result.error());
  if (result->delivered != 0) result->summary.push_back(WallText(result->delivered, wall));
  ShortenFor(options, result->ladder);
  const bool to_file = !options.output.empty() && options.output != "-";
  const Terminal terminal = LookAtTerminal(to_file);
  if (options.format == "text") {
    Deliver(options, AsText(scenario, how, *result, terminal));
  } else if (options.format == "svg") {
    Deliver(options, observe::LadderToSvg(result->ladder, {.verdicts = options.verdicts}));
  } else {
    Deliver(options, AsJson(scenario, *result));
  }
  // A file or a document on the output says nothing of failures to who looks at the terminal.
  if (!result->passed() && (to_file || options.format != "text")) {
    for (const std::string& failure : result->failures) fmt::print(stderr, "{}\n", failure);
  }
  return result->passed() ? 0 : 1;
}

// --- All -----------------------------------------------------------------------------------------

int All(const LabOptions& options) {
  const Terminal terminal = LookAtTerminal(!options.output.empty());
  std::string out;
  std::size_t failed = 0;
  std::size_t widest = 0;
  for (const Scenario* s : sim::AllScenarios()) {
    widest = std::max(widest, std::string_view(s->id).size());
  }
  for (const Scenario* scenario : sim::AllScenarios()) {
    sim::ScenarioOptions how;
    how.seed = options.seed;
    const auto result = sim::RunScenario(*scenario, how);
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

int Run(LabOptions& options) {
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
  lab->add_option("--format", options->format, "text, svg or json")->type_name("FORMAT");
  lab->add_option("-o,--output", options->output, "Write to FILE instead of standard output")
      ->type_name("FILE");
  lab->add_flag("--verdicts", options->verdicts, "Draw rules that changed no state, too");
  lab->footer(
      "\nExamples:\n"
      "  estab lab open/syn-lost --set tcp_syn_retries=3\n"
      "  estab lab close/last-ack-lost --format svg -o figure.svg\n\n"
      "Exit status: 0 as expected, 1 not as expected, 2 asked wrongly.");
  lab->callback([options, &run] { run = [options] { return Run(*options); }; });
}

}  // namespace estab::cli
