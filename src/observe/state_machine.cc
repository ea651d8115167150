#include "observe/state_machine.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "observe/format.h"
#include "observe/text.h"
#include "tcp/rules.h"

namespace estab::observe {
namespace {

constexpr State kOrder[] = {State::kClosed,   State::kListen,      State::kSynSent,
                            State::kSynRcvd,  State::kEstablished, State::kFinWait1,
                            State::kFinWait2, State::kCloseWait,   State::kClosing,
                            State::kLastAck,  State::kTimeWait};

constexpr std::array<RuleEffect, tcp::kRuleCount> MakeEffects() {
  std::array<RuleEffect, tcp::kRuleCount> effects{};
#define EFFECT(rule, event, sends, tells) \
  effects[static_cast<std::size_t>(RuleId::rule)] = {event, sends, tells};
#include "observe/rule_effects.def"
#undef EFFECT
  return effects;
}
constexpr auto kEffects = MakeEffects();

// The way of a connection that is opened by us and closed by us, without a hitch, and of one that
// the peer opens and closes. Everything else is unusual.
struct Usual {
  State from;
  RuleId rule;
  Path path;
};
constexpr Usual kUsual[] = {
    {State::kClosed, RuleId::kActiveOpen, Path::kClient},
    {State::kSynSent, RuleId::kSynSentSynAck, Path::kClient},
    {State::kEstablished, RuleId::kCloseEstablished, Path::kClient},
    {State::kFinWait1, RuleId::kFinAcked, Path::kClient},
    {State::kFinWait2, RuleId::kFinSecond, Path::kClient},
    {State::kTimeWait, RuleId::kTimeWaitOver, Path::kClient},
    {State::kClosed, RuleId::kPassiveOpen, Path::kServer},
    {State::kListen, RuleId::kListenSyn, Path::kServer},
    {State::kSynRcvd, RuleId::kSynRcvdAck, Path::kServer},
    {State::kEstablished, RuleId::kFin, Path::kServer},
    {State::kCloseWait, RuleId::kCloseCloseWait, Path::kServer},
    {State::kLastAck, RuleId::kFinAckedLastAck, Path::kServer},
};

Path PathOf(State from, RuleId rule) {
  for (const Usual& u : kUsual) {
    if (u.from == from && u.rule == rule) return u.path;
  }
  return Path::kUnusual;
}

const char* PathName(Path path) {
  return path == Path::kClient ? "client" : path == Path::kServer ? "server" : "unusual";
}

std::string NextOf(const Rule& rule, State from, const char* stays) {
  return rule.moves && rule.to != from ? StateName(rule.to) : stays;
}

std::string OrDash(const char* text, const char* dash) { return *text == '\0' ? dash : text; }

// A cell of a Markdown table.
std::string TableCell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::vector<std::string> Row(RuleId id, State state, const char* dash) {
  const Rule& rule = GetRule(id);
  const RuleEffect& effect = EffectOf(id);
  return {std::string(TriggerName(rule.trigger)) + ": " + effect.event,
          rule.name,
          NextOf(rule, state, dash),
          OrDash(effect.sends, dash),
          OrDash(effect.tells, dash),
          BasisName(rule.basis),
          rule.section,
          rule.gist};
}

constexpr const char* kHeads[] = {"event", "rule",  "next state", "sent", "the application is told",
                                  "basis", "where", "why"};

std::string Letters(RuleId id, State state) {
  const Rule& rule = GetRule(id);
  return rule.moves && rule.to != state ? fmt::format("**{}**", StateName(rule.to)) : "stays";
}

// Every rule, with what it leads to in each state.
std::string Grid() {
  std::string out = "| rule |";
  std::string line = "|---|";
  for (const State s : kOrder) {
    out += fmt::format(" {} |", StateName(s));
    line += "---|";
  }
  out += "\n" + line + "\n";
  for (std::size_t i = 0; i < RuleCount(); ++i) {
    const auto id = static_cast<RuleId>(i);
    out += fmt::format("| `{}` |", GetRule(id).name);
    for (const State s : kOrder) {
      out += (GetRule(id).from & In(s)) != 0 ? " " + Letters(id, s) + " |" : "  |";
    }
    out += "\n";
  }
  return out;
}

}  // namespace

const RuleEffect& EffectOf(RuleId rule) { return kEffects[static_cast<std::size_t>(rule)]; }

std::span<const State> StatesInOrder() { return kOrder; }

std::vector<RuleId> RulesIn(State state) {
  std::vector<RuleId> rules;
  for (std::size_t i = 0; i < RuleCount(); ++i) {
    const auto id = static_cast<RuleId>(i);
    if ((GetRule(id).from & In(state)) != 0) rules.push_back(id);
  }
  return rules;
}

std::vector<Edge> AllEdges() {
  std::vector<Edge> edges;
  for (const State from : kOrder) {
    for (const RuleId id : RulesIn(from)) {
      const Rule& rule = GetRule(id);
      if (!rule.moves || rule.to == from) continue;
      const Path path = PathOf(from, id);
      const auto same = std::find_if(edges.begin(), edges.end(), [&](const Edge& e) {
        return e.from == from && e.to == rule.to && e.path == path;
      });
      if (same != edges.end()) {
        same->rules.push_back(id);
      } else {
        edges.push_back({from, rule.to, path, {id}});
      }
    }
  }
  return edges;
}

std::string MachineToText(bool ascii) {
  const char* dash = ascii ? "-" : "–";
  std::string out = fmt::format("{} states, {} rules, {} ways from one state to another\n",
                                std::size(kOrder), RuleCount(), AllEdges().size());
  for (const State state : kOrder) {
    out += fmt::format("\n{}\n", StateName(state));
    std::array<std::size_t, 4> widths{};
    std::vector<std::vector<std::string>> rows;
    for (const RuleId id : RulesIn(state)) {
      rows.push_back(Row(id, state, dash));
      for (std::size_t i = 0; i < widths.size(); ++i) {
        widths[i] = std::max(widths[i], Columns(rows.back()[i]));
      }
    }
    for (const auto& row : rows) {
      out += " ";
      for (std::size_t i = 0; i < widths.size(); ++i) {
        out += " " + row[i] + std::string(widths[i] - Columns(row[i]) + 1, ' ');
      }
      std::string where = row[6];
      for (std::size_t at = 0; ascii && (at = where.find("§")) != std::string::npos;) {
        where.replace(at, std::string_view("§").size(), "section ");
      }
      out += fmt::format(" {} ({})\n", row[5], where);
    }
  }
  return out;
}

std::string MachineToMarkdown(const std::string& figure) {
  std::string out = fmt::format(
      "# The state machine\n\n"
      "Generated from the rules that run ([rules.def](../src/tcp/rules.def)): `estab lab fsm` "
      "shows "
      "the same, and a\ntest fails when this page lags behind. To write it anew: "
      "`ESTAB_WRITE_DOCS=1 build/dev/tests/docs/doc_state_machine`.\n\n"
      "![The eleven states and every way from one to another]({})\n\n"
      "Eleven states, {} rules, {} ways from one state to another. Every arriving segment ends in "
      "exactly one of the rules,\nand a state changes only by a rule that names the next one. "
      "*Basis* says what a rule rests on: an RFC's MUST, SHOULD or\nMAY; Linux, where no RFC "
      "speaks; or a policy of estab's own.\n",
      figure, RuleCount(), AllEdges().size());
  for (const State state : kOrder) {
    out += fmt::format("\n## {}\n\n|", StateName(state));
    std::string line = "|";
    for (const char* head : kHeads) {
      out += fmt::format(" {} |", head);
      line += "---|";
    }
    out += "\n" + line + "\n";
    for (const RuleId id : RulesIn(state)) {
      std::vector<std::string> row = Row(id, state, "–");
      row[1] = "`" + row[1] + "`";
      row[2] = Letters(id, state);
      out += "|";
      for (const std::string& cell : row) out += " " + TableCell(cell) + " |";
      out += "\n";
    }
  }
  return out + "\n## All rules by all states\n\nEmpty: the rule cannot fire there.\n\n" + Grid();
}

std::string MachineToJson() {
  nlohmann::ordered_json out;
  for (const State s : kOrder) out["states"].push_back(StateName(s));
  for (std::size_t i = 0; i < RuleCount(); ++i) {
    const Rule& rule = GetRule(static_cast<RuleId>(i));
    const RuleEffect& effect = EffectOf(rule.id);
    nlohmann::ordered_json r;
    r["rule"] = rule.name;
    for (const State s : kOrder) {
      if ((rule.from & In(s)) != 0) r["from"].push_back(StateName(s));
    }
    r["trigger"] = TriggerName(rule.trigger);
    r["event"] = effect.event;
    if (rule.moves) r["to"] = StateName(rule.to);
    r["sends"] = effect.sends;
    r["tells"] = effect.tells;
    r["basis"] = BasisName(rule.basis);
    r["section"] = rule.section;
    r["gist"] = rule.gist;
    out["rules"].push_back(r);
  }
  for (const Edge& edge : AllEdges()) {
    nlohmann::ordered_json e;
    e["from"] = StateName(edge.from);
    e["to"] = StateName(edge.to);
    e["path"] = PathName(edge.path);
    for (const RuleId id : edge.rules) e["rules"].push_back(GetRule(id).name);
    out["edges"].push_back(e);
  }
  return out.dump(2) + "\n";
}

std::string MachineToHtml() {
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>estab: the state machine</title>\n<style>\n"
      "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:104rem;padding:0 1rem;"
      "color:#1c2430}\nsvg{max-width:100%;height:auto}\ntable{border-collapse:collapse;width:100%;"
      "margin:0 0 2rem}\nth,td{text-align:left;vertical-align:top;padding:.25rem .6rem;"
      "border-bottom:1px solid #e2e5ea;font-size:14px}\nth{background:#f4f5f7}\n"
      "code{font-size:13px}\n</style></head><body>\n<h1>The state machine</h1>\n" +
      MachineToSvg();
  for (const State state : kOrder) {
    out += fmt::format("<h2 id=\"{0}\">{0}</h2>\n<table><tr>", StateName(state));
    for (const char* head : kHeads) out += fmt::format("<th>{}</th>", head);
    out += "</tr>\n";
    for (const RuleId id : RulesIn(state)) {
      out += "<tr>";
      for (const std::string& cell : Row(id, state, "–")) {
        out += fmt::format("<td>{}</td>", Escaped(cell));
      }
      out += "</tr>\n";
    }
    out += "</table>\n";
  }
  return out + "</body></html>\n";
}

}  // namespace estab::observe
