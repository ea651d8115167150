#include "cli/ss.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/ask.h"
#include "cli/failure.h"
#include "cli/link_options.h"
#include "observe/state_machine.h"
#include "observe/text.h"

namespace estab::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSsExamples = R"(
Examples:
  estab ss --control PATH                      every connection, half-open and in TIME_WAIT too
  estab ss --control PATH -l                   listeners, with their queues
  estab ss --control PATH --state CLOSE_WAIT   one state; ss's names (close-wait) will do
  estab ss --control PATH --port 80            one port, at either end
  estab ss --control PATH -s                   how many in each state; leaks in CLOSE_WAIT by port
  estab ss --control PATH --counters           what the stack has counted, and each rule
  estab ss --control PATH --prometheus         the same for Prometheus

Recv-Q: bytes not read; of a listener, connections not accepted. Send-Q: bytes not acknowledged; of
a listener, its backlog. Idle: since the peer was last heard. Timer: the next to run out, and how
often it has. PMTU: what the path takes, as far as is known.

Exit status: 0 it worked, 1 nobody serves at PATH, 2 it was asked wrongly.)";

struct SsOptions {
  std::string control;
  bool listeners = false;
  bool all = false;
  bool summary = false;
  bool counters = false;
  bool prometheus = false;
  bool json = false;
  std::vector<std::string> states;
  std::string port;
};

// "close-wait", "CLOSE_WAIT" and "closewait" are one.
std::string Plain(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '-' || c == '_') continue;
    out += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  if (out == "ESTAB") return "ESTABLISHED";
  if (out == "SYNRECV" || out == "SYNRECEIVED") return "SYNRCVD";
  if (out == "LISTENING") return "LISTEN";
  return out;
}

std::vector<std::string> WantedStates(const SsOptions& options) {
  std::vector<std::string> wanted;
  for (const std::string& text : options.states) {
    const auto states = observe::StatesInOrder();
    const auto found = std::find_if(states.begin(), states.end(),
                                    [&](State s) { return Plain(StateName(s)) == Plain(text); });
    if (found == states.end()) {
      Misused("--state {}: no such state; one of the eleven, e.g. CLOSE_WAIT", text);
    }
    wanted.emplace_back(StateName(*found));
  }
  return wanted;
}

bool HasPort(const Json& row, const std::string& port) {
  const std::string end = ":" + port;
  return row.value("local", "").ends_with(end) || row.value("remote", "").ends_with(end);
}

std::string Seconds(const Json& row, const char* name) {
  const auto at = row.find(name);
  if (at == row.end()) return "-";
  return observe::SecondsText(std::chrono::milliseconds(at->get<std::int64_t>()), 3) + "s";
}

std::string TimerText(const Json& row) {
  if (!row.contains("timer")) return "-";
  std::string out = row.value("timer", "") + " " + Seconds(row, "timer_ms");
  if (const unsigned repeats = row.value("repeats", 0u); repeats != 0) {
    out += fmt::format("/{}", repeats);
  }
  return out;
}

std::string Notes(const Json& row) {
  std::string out;
  for (const char* note : {"orphan", "unaccepted", "half_open"}) {
    if (!row.value(note, false)) continue;
    out += (out.empty() ? "" : ",") +
           std::string(note == std::string_view("half_open") ? "half-open" : note);
  }
  if (row.contains("syn_q")) out = fmt::format("{} half-open", row.value("syn_q", 0u));
  return out;
}

using Row = std::array<std::string, 10>;

// Columns as wide as what is in them; lines without trailing blanks.
void PrintTable(const std::vector<Row>& rows) {
  std::array<std::size_t, std::tuple_size_v<Row>> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool number = i == 1 || i == 2 || i == 6 || i == 8;
      line += number ? fmt::format("{:>{}}  ", row[i], widths[i])
                     : fmt::format("{:<{}}  ", row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
  }
}

int List(const SsOptions& options) {
  const std::vector<std::string> states = WantedStates(options);
  if (!options.port.empty()) static_cast<void>(ParsePort("--port", options.port));
  std::vector<Row> rows;
  rows.push_back(
      {"State", "Recv-Q", "Send-Q", "Local", "Peer", "Id", "Idle", "Timer", "PMTU", "Notes"});
  Ask(options.control, {{"verb", "list"}}, [&](const Json& row) {
    const std::string state = row.value("state", "");
    if (states.empty()) {
      if (!options.all && (state == "LISTEN") != options.listeners) return;
    } else if (std::find(states.begin(), states.end(), state) == states.end()) {
      return;
    }
    if (!options.port.empty() && !HasPort(row, options.port)) return;
    if (options.json) {
      fmt::print("{}\n", row.dump());
      return;
    }
    rows.push_back(
        {state, std::to_string(row.value("recv_q", 0u)), std::to_string(row.value("send_q", 0u)),
         row.value("local", ""), state == "LISTEN" ? "*" : row.value("remote", ""),
         std::to_string(row.value("id", 0u)), Seconds(row, "idle_ms"), TimerText(row),
         row.contains("pmtu") ? std::to_string(row.value("pmtu", 0u)) : "-", Notes(row)});
  });
  if (!options.json) PrintTable(rows);
  return 0;
}

void PrintSummary(const Json& json) {
  fmt::print("{} in all; {} orphans; {} half-open records; {} KiB of memory\n",
             json.value("total", 0u), json.value("orphans", 0u), json.value("half_open", 0u),
             json.value("memory", std::uint64_t{0}) / 1024);
  for (const auto& [state, count] : json["states"].items()) {
    if (count != 0) fmt::print("{:>8}  {}\n", count.get<std::uint64_t>(), state);
  }
  if (json["close_wait"].empty()) return;
  fmt::print("closed by the peer, not by our application (CLOSE_WAIT):\n");
  for (const Json& leak : json["close_wait"]) {
    fmt::print("{:>8}  at port {}, the oldest silent for {}\n", leak.value("count", 0u),
               leak.value("port", 0u), Seconds(leak, "oldest_ms"));
  }
}

int Ss(const SsOptions& options) {
  const int kinds = int{options.summary} + int{options.counters} + int{options.prometheus};
  const bool filtered =
      options.listeners || options.all || !options.states.empty() || !options.port.empty();
  if (kinds > 1) Misused("one of -s, --counters and --prometheus");
  if (kinds == 1 && filtered) Misused("-s, --counters and --prometheus are about everything");
  const auto print = [&](const Json& json) { fmt::print("{}\n", json.dump()); };
  if (options.prometheus) {
    Ask(options.control, {{"verb", "metrics"}},
        [](const Json& json) { fmt::print("{}", json.value("text", "")); });
  } else if (options.summary) {
    Ask(options.control, {{"verb", "summary"}}, [&](const Json& json) {
      if (options.json) return print(json);
      PrintSummary(json);
    });
  } else if (options.counters) {
    Ask(options.control, {{"verb", "counters"}}, [&](const Json& json) {
      if (options.json) return print(json);
      const std::string name =
          json.contains("rule") ? "rule " + json.value("rule", "") : json.value("name", "");
      fmt::print("{:>14}  {}\n", json.value("value", std::uint64_t{0}), name);
    });
  } else {
    return List(options);
  }
  return 0;
}

}  // namespace

void AddSs(CLI::App& app, std::function<int()>& run) {
  auto options = std::make_shared<SsOptions>();
  CLI::App* verb = app.add_subcommand("ss", "Lists the connections of a running estab serve");
  verb->footer(kSsExamples);
  verb->add_option("--control", options->control, "The socket that serve --control opened")
      ->type_name("PATH")
      ->required();
  verb->add_flag("-l,--listening", options->listeners, "Listeners only");
  verb->add_flag("-a,--all", options->all, "Listeners, too");
  verb->add_option("--state", options->states, "Only this state; may be repeated")
      ->type_name("STATE")
      ->take_all()
      ->expected(1);
  verb->add_option("--port", options->port, "Only this port, at either end")->type_name("PORT");
  verb->add_flag("-s,--summary", options->summary, "Counts by state, and CLOSE_WAIT by port");
  verb->add_flag("--counters", options->counters, "What the stack and its rules have counted");
  verb->add_flag("--prometheus", options->prometheus, "All figures in Prometheus's text format");
  verb->add_flag("--json", options->json, "A line of JSON each");
  verb->callback([options, &run] { run = [options] { return Ss(*options); }; });
}

}  // namespace estab::cli
