// The requests that the control socket answers.
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

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

// A walk over all that lives in the machines, one after the other, in steps.
class Walk {
 public:
  explicit Walk(MachineGroup& machines) : machines_(machines) {}

  /// The next few; `done()` tells whether those were the last.
  std::vector<ConnectionInfo> Step() {
    std::vector<ConnectionInfo> some(kStep);
    machines_.Ask(machine_, [&](Machine& machine) {
      some.resize(machine.stack().List(machine.now(), cursor_, some));
    });
    if (cursor_.done) {
      ++machine_;
      cursor_ = ListCursor{};
    }
    return some;
  }
  bool done() const { return machine_ == machines_.size(); }

 private:
  MachineGroup& machines_;
  std::size_t machine_ = 0;
  ListCursor cursor_;
};

// Every thread listens; to the user they are one listener.
void Merge(std::map<Endpoint, ConnectionInfo>& listeners, const ConnectionInfo& info) {
  const auto [at, first] = listeners.try_emplace(info.tuple.local, info);
  if (first) return;
  at->second.accept_queue += info.accept_queue;
  at->second.backlog += info.backlog;
  at->second.syn_queue += info.syn_queue;
}

ControlTask ListTask(MachineGroup& machines) {
  return [walk = Walk(machines),
          listeners = std::map<Endpoint, ConnectionInfo>()](std::string& out) mutable {
    for (const ConnectionInfo& info : walk.Step()) {
      if (info.state == State::kListen) {
        Merge(listeners, info);
      } else {
        Line(out, Described(info));
      }
    }
    if (!walk.done()) return false;
    for (const auto& [local, info] : listeners) Line(out, Described(info));
    End(out);
    return true;
  };
}

Json Summary(const StackCounters& counters, const observe::Census& census) {
  Json json;
  json["total"] = census.total();
  for (int s = static_cast<int>(State::kEstablished); s <= static_cast<int>(State::kClosing); ++s) {
    const auto state = static_cast<State>(s);
    json["states"][StateName(state)] = census.Of(state);
  }
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

// How often each rule has fired, in all of them.
std::vector<std::uint64_t> RuleCounters(MachineGroup& machines) {
  std::vector<std::uint64_t> sums;
  machines.AskAll([&](Machine& machine) {
    const auto rules = machine.stack().RuleCounters();
    sums.resize(rules.size());
    for (std::size_t i = 0; i < rules.size(); ++i) sums[i] += rules[i];
  });
  return sums;
}

// Counts everything first, in steps; then says what came of it.
ControlTask CensusTask(MachineGroup& machines, bool metrics) {
  return [&machines, metrics, walk = Walk(machines), listeners = std::set<Endpoint>(),
          census = observe::Census{}](std::string& out) mutable {
    for (const ConnectionInfo& info : walk.Step()) {
      if (info.state != State::kListen || listeners.insert(info.tuple.local).second) {
        census.Add(info);
      }
    }
    if (!walk.done()) return false;
    const StackCounters counters = machines.Counters();
    if (metrics) {
      Line(out, {{"text", observe::MetricsText(counters, RuleCounters(machines), census)}});
    } else {
      Line(out, Summary(counters, census));
    }
    End(out);
    return true;
  };
}

void AddCounters(MachineGroup& machines, std::string& out) {
  for (const auto& [name, value] : observe::CounterList(machines.Counters())) {
    Line(out, {{"name", name}, {"value", value}});
  }
  const auto rules = RuleCounters(machines);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (rules[i] == 0) continue;
    const Rule& rule = GetRule(static_cast<RuleId>(i));
    Line(out, {{"rule", rule.name}, {"value", rules[i]}, {"gist", rule.gist}});
  }
}

// What the journal of one of the machines says of `whom`: a number or a four-tuple.
template <class Whom>
std::string Story(MachineGroup& machines, std::size_t index, const Whom& whom) {
  std::string text;
  machines.Ask(index, [&](Machine& machine) {
    if (machine.journal() == nullptr) Failed("there is no journal");
    text = observe::Why(*machine.journal(), machine.stack(), machine.now(), whom);
  });
  return text;
}

// The machine that a connection lives in or, if it has ended, lived in.
std::size_t HomeOf(MachineGroup& machines, const Tuple& tuple) {
  std::size_t home = 0;
  bool lives = false;
  for (std::size_t i = 0; i < machines.size() && !lives; ++i) {
    machines.Ask(i, [&](Machine& machine) {
      lives = machine.stack().GetInfo(machine.now(), tuple).has_value();
      home = lives ? i : machine.stack().ShardOf(tuple);
    });
  }
  return home;
}

void AddReasons(MachineGroup& machines, const Json& request, std::string& out) {
  const auto number = request.find("id");
  if (number != request.end() && number->is_number_unsigned()) {
    const auto id = number->get<std::uint64_t>();
    if (id == 0 || id > UINT32_MAX) Misused("why: there is no connection {}", id);
    // They number their connections in turn.
    const auto home = static_cast<std::size_t>((id - 1) % machines.size());
    return Line(out, {{"text", Story(machines, home, static_cast<ConnectionNumber>(id))}});
  }
  const auto local = ParseEndpoint(RequestText(request, "local"));
  const std::string remote_text = RequestText(request, "remote");
  const auto remote = remote_text.empty() ? std::optional(Endpoint{}) : ParseEndpoint(remote_text);
  if (!local || !remote) Misused("why: write ADDRESS:PORT, as in 192.0.2.2:80");
  const Tuple tuple{*local, *remote};
  if (!remote_text.empty() || machines.size() == 1) {
    return Line(out, {{"text", Story(machines, HomeOf(machines, tuple), tuple)}});
  }
  // A listener is in all of them, and each has refused what came to it.
  for (std::size_t i = 0; i < machines.size(); ++i) {
    const std::string head = fmt::format("thread {} of {}:\n", i + 1, machines.size());
    Line(out, {{"text", head + Story(machines, i, tuple)}});
  }
}

void AddSettings(MachineGroup& machines, const Json& request, std::string& out) {
  const std::string name = observe::FullSettingName(RequestText(request, "name"));
  if (request.contains("value")) {
    const std::string value = RequestText(request, "value");
    machines.AskAll([&](Machine& machine) { ApplySetting(machine.stack(), name, value); });
  }
  machines.Ask(0, [&](Machine& machine) {
    const Stack& stack = machine.stack();
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
  });
}

// Answers in one piece.
ControlTask AtOnce(MachineGroup& machines, Json request) {
  return [&machines, request = std::move(request)](std::string& out) {
    const std::string verb = RequestText(request, "verb");
    if (verb == "counters") {
      AddCounters(machines, out);
    } else if (verb == "why") {
      AddReasons(machines, request, out);
    } else if (verb == "set") {
      AddSettings(machines, request, out);
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

ControlTask MakeControlTask(MachineGroup& machines, const std::string& request) {
  const Json json = Json::parse(request, nullptr, false);
  if (!json.is_object()) {
    return Guarded([](std::string&) -> bool { Misused("a request is a line of JSON"); });
  }
  const std::string verb = RequestText(json, "verb");
  if (verb == "list") return ListTask(machines);
  if (verb == "summary" || verb == "metrics") return CensusTask(machines, verb == "metrics");
  return Guarded(AtOnce(machines, json));
}

}  // namespace estab::cli
