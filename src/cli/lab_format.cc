#include "cli/lab_format.h"

#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "observe/format.h"
#include "observe/ladder_json.h"
#include "observe/ladder_svg.h"
#include "observe/ladder_text.h"
#include "observe/text.h"

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
constexpr std::size_t kMostSvgRows = 120;
constexpr std::size_t kSvgHeadRows = 14;
constexpr std::size_t kSvgTailRows = 12;

// What a terminal without UTF-8 can show instead of our few other characters.
std::string Shown(std::string text, const LabTerminal& terminal) {
  if (!terminal.ascii) return text;
  for (std::size_t at = 0; (at = text.find("§", at)) != std::string::npos;) {
    text.replace(at, std::string_view("§").size(), "section ");
  }
  return text;
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

std::string ParametersText(const ScenarioResult& result, const LabTerminal& terminal) {
  if (result.parameters.empty()) return {};
  std::vector<std::string> shown;
  std::size_t widest = 0;
  for (const sim::ParameterValue& p : result.parameters) {
    shown.push_back(fmt::format("{}={}", p.name, p.value));
    if (p.value != p.preset && !p.preset.empty()) {
      shown.back() += fmt::format(" ({} unless set)", p.preset);
    }
    widest = std::max(widest, shown.back().size());
  }
  std::string out = "  --set\n";
  for (std::size_t i = 0; i < shown.size(); ++i) {
    out += fmt::format("    {:<{}}  {}\n", shown[i], widest, result.parameters[i].gist);
  }
  return Painted(out, "2", terminal);
}

std::string VerdictText(const ScenarioResult& result, const LabTerminal& terminal) {
  if (result.passed()) return Painted("as expected", "32", terminal) + "\n";
  std::string out = Painted("NOT as expected", "31", terminal) + "\n";
  for (const std::string& failure : result.failures) out += "  " + failure + "\n";
  return out;
}

observe::Ladder ShortForText(observe::Ladder ladder) {
  if (ladder.rows.size() > kMostRows) observe::Shorten(ladder, kHeadRows, kTailRows);
  return ladder;
}

observe::Ladder ShortForSvg(observe::Ladder ladder) {
  // Timers that did not fire are not drawn, and so must not count.
  std::erase_if(ladder.rows, [](const observe::LadderRow& row) {
    const auto* timer = std::get_if<observe::LadderTimer>(&row.what);
    return timer != nullptr && !timer->fired;
  });
  if (ladder.rows.size() > kMostSvgRows) observe::Shorten(ladder, kSvgHeadRows, kSvgTailRows);
  return ladder;
}

// The play and what stands beside it, shortened. The ladders outlive the panels.
std::vector<observe::SvgPanel> PanelsOf(const LabRun& run, std::vector<observe::Ladder>& ladders) {
  ladders.push_back(ShortForSvg(run.result.ladder));
  for (const sim::Panel& panel : run.result.beside) ladders.push_back(ShortForSvg(panel.ladder));
  std::vector<observe::SvgPanel> panels;
  panels.push_back({&ladders[0], run.scenario->caption, false});
  for (std::size_t i = 0; i < run.result.beside.size(); ++i) {
    const sim::Panel& panel = run.result.beside[i];
    panels.push_back({&ladders[i + 1], panel.caption, panel.counterfactual});
  }
  return panels;
}

std::vector<observe::HtmlRule> RulesOf(const ScenarioResult& result) {
  std::map<RuleId, observe::HtmlRule> rules;
  for (const sim::FiredRule& fired : result.rules) {
    observe::HtmlRule& rule = rules[fired.rule];
    rule.rule = &GetRule(fired.rule);
    rule.fired[observe::Index(fired.side)] = fired.count;
  }
  std::vector<observe::HtmlRule> out;
  for (const auto& [id, rule] : rules) out.push_back(rule);
  return out;
}

}  // namespace

LabTerminal LookAtTerminal(bool to_file) {
  LabTerminal terminal;
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

std::string Painted(const std::string& text, const char* code, const LabTerminal& terminal) {
  return terminal.color ? fmt::format("\033[{}m{}\033[0m", code, text) : text;
}

std::string AsText(const LabRun& run, const LabTerminal& terminal, bool verdicts) {
  const Scenario& scenario = *run.scenario;
  observe::LadderTextOptions drawing;
  drawing.width = terminal.width;
  drawing.ascii = terminal.ascii;
  drawing.color = terminal.color;
  drawing.verdicts = verdicts;
  std::string out = Painted(scenario.id, "1", terminal) + ": " + scenario.title + "\n\n";
  out += Shown(Wrapped(scenario.text, std::min(terminal.width, kWidth), "  "), terminal) + "\n";
  out += ParametersText(run.result, terminal) + "\n";
  const auto draw = [&](const char* caption, const observe::Ladder& whole) {
    observe::Ladder ladder = ShortForText(whole);
    ladder.title.clear();
    if (!run.result.beside.empty()) {
      out += Painted(fmt::format("--- {} ---", caption), "1", terminal) + "\n\n";
    }
    out += Shown(observe::LadderToText(ladder, drawing), terminal) + "\n";
  };
  draw(scenario.caption, run.result.ladder);
  for (const sim::Panel& panel : run.result.beside) draw(panel.caption.c_str(), panel.ladder);
  for (const std::string& sentence : run.result.summary) {
    out += Shown(Wrapped(sentence, std::min(terminal.width, kWidth), ""), terminal);
  }
  return out + VerdictText(run.result, terminal);
}

std::string AsSvg(const LabRun& run, bool verdicts) {
  std::vector<observe::Ladder> ladders;
  const auto panels = PanelsOf(run, ladders);
  if (panels.size() == 1) return observe::LadderToSvg(ladders[0], {.verdicts = verdicts});
  const std::string title = ladders[0].title;
  for (observe::Ladder& ladder : ladders) ladder.title.clear();
  return observe::LaddersToSvg(title, panels, {.verdicts = verdicts});
}

std::string AsJson(const LabRun& run) {
  const Scenario& scenario = *run.scenario;
  const ScenarioResult& result = run.result;
  nlohmann::ordered_json out;
  out["id"] = scenario.id;
  out["title"] = scenario.title;
  out["text"] = scenario.text;
  out["passed"] = result.passed();
  out["failures"] = result.failures;
  if (!result.summary.empty()) out["summary"] = result.summary;
  for (const sim::ParameterValue& p : result.parameters) out["parameters"][p.name] = p.value;
  for (const observe::HtmlRule& r : RulesOf(result)) {
    out["rules"].push_back({{"rule", r.rule->name},
                            {"basis", BasisName(r.rule->basis)},
                            {"section", r.rule->section},
                            {"gist", r.rule->gist},
                            {"a", r.fired[0]},
                            {"b", r.fired[1]}});
  }
  out["trace"] = fmt::format("{:016x}", result.trace_hash);
  out["ladder"] = nlohmann::ordered_json::parse(observe::LadderToJson(result.ladder));
  for (const sim::Panel& panel : result.beside) {
    out["beside"].push_back(
        {{"caption", panel.caption},
         {"counterfactual", panel.counterfactual},
         {"ladder", nlohmann::ordered_json::parse(observe::LadderToJson(panel.ladder))}});
  }
  return out.dump(2) + "\n";
}

std::string AsPcapng(const LabRun& run) {
  const std::string title = fmt::format("{}: {}", run.scenario->id, run.scenario->title);
  std::string out = observe::ToPcapng({title, "between A and B"}, run.result.packets);
  // What stands beside the play is a section of its own.
  for (const sim::Panel& panel : run.result.beside) {
    out += observe::ToPcapng({fmt::format("{} ({})", title, panel.caption), "between A and B"},
                             panel.packets);
  }
  return out;
}

std::string AsHtml(const std::string& title, std::span<const LabRun> runs) {
  std::vector<std::vector<observe::Ladder>> ladders(runs.size());
  std::vector<observe::HtmlSection> sections;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const LabRun& run = runs[i];
    observe::HtmlSection s;
    s.id = run.scenario->id;
    s.title = run.scenario->title;
    s.text = run.scenario->text;
    for (const sim::ParameterValue& p : run.result.parameters) {
      s.parameters.push_back({p.name, p.value, p.gist});
    }
    s.rules = RulesOf(run.result);
    s.panels = PanelsOf(run, ladders[i]);
    s.summary = run.result.summary;
    s.failures = run.result.failures;
    sections.push_back(std::move(s));
  }
  return observe::ToHtml(title, sections);
}

}  // namespace estab::cli
