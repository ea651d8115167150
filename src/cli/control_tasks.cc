// The requests that the control socket answers.
#include <array>
#include <nlohmann/json.hpp>

#include "cli/control.h"
#include "cli/endpoint_text.h"
#include "cli/failure.h"
#include "cli/settings.h"
#include "observe/metrics.h"
#include "observe/text.h"
#include "observe/why.h"

namespace estab::cli {
namespace {

using Json = nlohmann::ordered_json;

// Connections that one step looks at, at most.
constexpr std::size_t kStep = 256;

void Line(std::string& out, const Json& json) {
  out += json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}
void End(std::string& out) { Line(out, {{"end", true}}); }

std::string RequestText(const Json& request, const char* name) {
  const auto at = request.find(name);
  return at != request.end() && at->is_string() ? at->get<std::string>() : std::string();
}

Json Described(const ConnectionInfo& info) {
  Json json;
  json["id"] = info.number;
  json["state"] = StateName(info.state);
  json["local"] = observe::EndpointText(info.tuple.local);
  json["remote"] = observe::EndpointText(info.tuple.remote);
  const bool listener = info.state == State::kListen;
  json["recv_q"] = listener ? info.accept_queue : info.receive_queue;
  if (info.path_mtu != 0) {
    json["mss"] = info.send_mss;
    json["pmtu"] = info.path_mtu;
  }
  json["send_q"] = listener ? info.backlog : info.send_queue;
  if (listener) json["syn_q"] = info.syn_queue;
  if (info.timer != TimerKind::kNone) {
    json["timer"] = TimerName(info.timer);
    json["timer_ms"] = info.timer_in / std::chrono::milliseconds(1);
    json["repeats"] = info.timer == TimerKind::kRetransmit ? info.retransmits : info.probes;
  }
  if (info.idle) json["idle_ms"] = *info.idle / std::chrono::milliseconds(1);
  if (info.orphan && info.holder == Holder::kSocket) json["orphan"] = true;
  if (info.unaccepted) json["unaccepted"] = true;
  if (info.holder == Holder::kHalfOpen) json["half_open"] = true;
  return json;
}

ControlTask ListTask(Machine& machine) {
  return [&machine, cursor = ListCursor{}](std::string& out) mutable {
    std::array<ConnectionInfo, kStep> some;
    const std::size_t n = machine.stack().List(machine.now(), cursor, some);
    for (std::size_t i = 0; i < n; ++i) Line(out, Described(some[i]));
    if (cursor.done) End(out);
    return cursor.done;
  };
}

Json Summary(const Stack& stack, const observe::Census& census) {
  Json json;
  json["total"] = census.total();
  for (int s = static_cast<int>(State::kEstablished); s <= static_cast<int>(State::kClosing); ++s) {
    const auto state = static_cast<State>(s);
    json["states"][StateName(state)] = census.Of(state);
  }
  const StackCounters counters = stack.Counters();
  json["orphans"] = counters.orphans;
  json["half_open"] = counters.half_open;
  json["memory"] = counters.memory;
  json["close_wait"] = Json::array();
  for (const auto& [port, leak] : census.close_wait()) {
    json["close_wait"].push_back({{"port", port},
                                  {"count", leak.count},
                                  {"oldest_ms", leak.oldest / std::chrono::milliseconds(1)}});
  }
  return json;
}

// Counts everything first, in steps; then `finish` says what came of it.
ControlTask CensusTask(Machine& machine, bool metrics) {
  return [&machine, metrics, cursor = ListCursor{},
          census = observe::Census{}](std::string& out) mutable {
    std::array<ConnectionInfo, kStep> some;
    Stack& stack = machine.stack();
    const std::size_t n = stack.List(machine.now(), cursor, some);
    for (std::size_t i = 0; i < n; ++i) census.Add(some[i]);
    if (!cursor.done) return false;
    if (metrics) {
      const auto text = observe::MetricsText(stack.Counters(), stack.RuleCounters(), census);
      Line(out, {{"text", text}});
    } else {
      Line(out, Summary(stack, census));
    }
    End(out);
    return true;
  };
}

void AddCounters(const Stack& stack, std::string& out) {
  for (const auto& [name, value] : observe::CounterList(stack.Counters())) {
    Line(out, {{"name", name}, {"value", value}});
  }
  const auto rules = stack.RuleCounters();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (rules[i] == 0) continue;
    const Rule& rule = GetRule(static_cast<RuleId>(i));
    Line(out, {{"rule", rule.name}, {"value", rules[i]}, {"gist", rule.gist}});
  }
}

void AddWhy(Machine& machine, const Json& request, std::string& out) {
  const observe::Journal* journal = machine.journal();
  if (journal == nullptr) Failed("there is no journal");
  const auto number = request.find("id");
  if (number != request.end() && number->is_number_unsigned()) {
    const auto id = number->get<std::uint64_t>();
    if (id > UINT32_MAX) Misused("why: there is no connection {}", id);
    const auto text =
        observe::Why(*journal, machine.stack(), machine.now(), static_cast<ConnectionNumber>(id));
    return Line(out, {{"text", text}});
  }
  const auto local = ParseEndpoint(RequestText(request, "local"));
  const std::string remote_text = RequestText(request, "remote");
  const auto remote = remote_text.empty() ? std::optional(Endpoint{}) : ParseEndpoint(remote_text);
  if (!local || !remote) Misused("why: write ADDRESS:PORT, as in 192.0.2.2:80");
  const Tuple tuple{*local, *remote};
  Line(out, {{"text", observe::Why(*journal, machine.stack(), machine.now(), tuple)}});
}

void AddSettings(Machine& machine, const Json& request, std::string& out) {
  Stack& stack = machine.stack();
  const std::string name = observe::FullSettingName(RequestText(request, "name"));
  if (request.contains("value")) ApplySetting(stack, name, RequestText(request, "value"));
  if (name.empty()) {
    for (const auto& setting : AllSettings()) {
      Line(out, {{"name", setting.name},
                 {"value", CurrentValue(stack, setting.name)},
                 {"gist", setting.gist}});
    }
    return;
  }
  std::array<char, kSettingTextSize> text;
  const auto value = stack.GetSetting(name, text);
  if (!value) NoSuchSetting(name);
  Line(out, {{"name", name}, {"value", std::string(*value)}});
}

// Answers in one piece.
ControlTask AtOnce(Machine& machine, Json request) {
  return [&machine, request = std::move(request)](std::string& out) {
    const std::string verb = RequestText(request, "verb");
    if (verb == "counters") {
      AddCounters(machine.stack(), out);
    } else if (verb == "why") {
      AddWhy(machine, request, out);
    } else if (verb == "set") {
      AddSettings(machine, request, out);
    } else {
      Misused("there is no request '{}'", verb);
    }
    End(out);
    return true;
  };
}

// A Failure becomes the answer.
ControlTask Guarded(ControlTask task) {
  return [task = std::move(task)](std::string& out) {
    try {
      return task(out);
    } catch (const Failure& failure) {
      Line(out, {{"error", failure.what()}, {"status", failure.status()}});
      return true;
    }
  };
}

}  // namespace

ControlTask MakeControlTask(Machine& machine, const std::string& request) {
  const Json json = Json::parse(request, nullptr, false);
  if (!json.is_object()) {
    return Guarded([](std::string&) -> bool { Misused("a request is a line of JSON"); });
  }
  const std::string verb = RequestText(json, "verb");
  if (verb == "list") return ListTask(machine);
  if (verb == "summary" || verb == "metrics") return CensusTask(machine, verb == "metrics");
  return Guarded(AtOnce(machine, json));
}

}  // namespace estab::cli
