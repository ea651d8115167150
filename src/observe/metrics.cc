#include "observe/metrics.h"

#include <algorithm>

#include "observe/format.h"
#include "observe/state_machine.h"
#include "observe/text.h"

namespace estab::observe {
namespace {

struct Named {
  const char* name;
  std::uint64_t StackCounters::* counter;
};
constexpr Named kTotals[] = {
    {"packets_in", &StackCounters::packets_in},
    {"packets_out", &StackCounters::packets_out},
    {"bad_packets", &StackCounters::bad_packets},
    {"not_for_us", &StackCounters::not_for_us},
    {"handed_over", &StackCounters::handed_over},
    {"hand_over_losses", &StackCounters::hand_over_losses},
    {"fragments_in", &StackCounters::fragments_in},
    {"reassembled", &StackCounters::reassembled},
    {"reassembly_timeouts", &StackCounters::reassembly_timeouts},
    {"reassembly_failures", &StackCounters::reassembly_failures},
    {"icmp_errors_in", &StackCounters::icmp_errors_in},
    {"icmp_errors_stray", &StackCounters::icmp_errors_stray},
    {"icmp_errors_sent", &StackCounters::icmp_errors_sent},
    {"icmp_errors_limited", &StackCounters::icmp_errors_limited},
    {"path_mtu_lowered", &StackCounters::path_mtu_lowered},
    {"path_mtu_refused", &StackCounters::path_mtu_refused},
    {"mtu_probes", &StackCounters::mtu_probes},
    {"mtu_probes_passed", &StackCounters::mtu_probes_passed},
    {"mtu_probes_lost", &StackCounters::mtu_probes_lost},
    {"mtu_black_holes", &StackCounters::mtu_black_holes},
    {"connections_opened", &StackCounters::connections_opened},
    {"connections_accepted", &StackCounters::connections_accepted},
    {"resets_sent", &StackCounters::resets_sent},
    {"challenge_acks", &StackCounters::challenge_acks},
    {"challenge_acks_limited", &StackCounters::challenge_acks_limited},
    {"retransmissions", &StackCounters::retransmissions},
    {"listen_overflows", &StackCounters::listen_overflows},
    {"listen_drops", &StackCounters::listen_drops},
    {"syn_cookies_sent", &StackCounters::syn_cookies_sent},
    {"syn_cookies_received", &StackCounters::syn_cookies_received},
    {"syn_cookies_failed", &StackCounters::syn_cookies_failed},
    {"fast_open_requests", &StackCounters::fast_open_requests},
    {"fast_open_passive", &StackCounters::fast_open_passive},
    {"fast_open_passive_fails", &StackCounters::fast_open_passive_fails},
    {"fast_open_overflows", &StackCounters::fast_open_overflows},
    {"fast_open_active", &StackCounters::fast_open_active},
    {"fast_open_active_fails", &StackCounters::fast_open_active_fails},
    {"time_wait_overflows", &StackCounters::time_wait_overflows},
    {"memory_shed", &StackCounters::memory_shed},
    {"memory_windows_held", &StackCounters::memory_windows_held},
    {"memory_drops", &StackCounters::memory_drops},
    {"out_of_memory", &StackCounters::out_of_memory},
};

std::vector<std::pair<const char*, std::uint64_t>> LiveList(const StackCounters& c) {
  return {{"sockets", c.sockets},
          {"half_open", c.half_open},
          {"time_wait", c.time_wait},
          {"orphans", c.orphans},
          {"memory_bytes", c.memory},
          {"memory_in_use_bytes", c.memory_in_use},
          {"memory_limit_bytes", c.memory_limit},
          {"payload_chunks", c.payload_chunks},
          {"path_mtus", c.path_mtus}};
}

void Head(std::string& out, const char* name, const char* type, const char* help) {
  out += fmt::format("# HELP estab_{0} {1}\n# TYPE estab_{0} {2}\n", name, help, type);
}

}  // namespace

void Census::Add(const ConnectionInfo& info) {
  ++counts_[static_cast<std::size_t>(info.state)];
  ++total_;
  if (info.state != State::kCloseWait) return;
  Leak& leak = close_wait_[info.tuple.local.port];
  ++leak.count;
  leak.oldest = std::max(leak.oldest, info.idle.value_or(Duration{}));
}

std::vector<std::pair<const char*, std::uint64_t>> CounterList(const StackCounters& counters) {
  auto all = LiveList(counters);
  for (const Named& n : kTotals) all.emplace_back(n.name, counters.*n.counter);
  return all;
}

void Accumulate(StackCounters& sum, const StackCounters& more) {
  sum.sockets += more.sockets;
  sum.half_open += more.half_open;
  sum.time_wait += more.time_wait;
  sum.orphans += more.orphans;
  sum.memory += more.memory;
  sum.memory_in_use += more.memory_in_use;
  sum.memory_limit += more.memory_limit;
  sum.payload_chunks += more.payload_chunks;
  sum.path_mtus += more.path_mtus;
  for (const Named& n : kTotals) sum.*n.counter += more.*n.counter;
}

std::string MetricsText(const StackCounters& counters, std::span<const std::uint64_t> rules,
                        const Census& census) {
  std::string out;
  Head(out, "connections", "gauge", "What lives, by state.");
  for (const State s : StatesInOrder()) {
    out += fmt::format("estab_connections{{state=\"{}\"}} {}\n", StateName(s), census.Of(s));
  }
  Head(out, "close_wait", "gauge", "Closed by the peer, not by our application, by local port.");
  for (const auto& [port, leak] : census.close_wait()) {
    out += fmt::format("estab_close_wait{{port=\"{}\"}} {}\n", port, leak.count);
  }
  Head(out, "close_wait_oldest_seconds", "gauge", "How long the oldest of them has been silent.");
  for (const auto& [port, leak] : census.close_wait()) {
    out += fmt::format("estab_close_wait_oldest_seconds{{port=\"{}\"}} {}\n", port,
                       SecondsText(leak.oldest, 3));
  }
  for (const auto& [name, value] : LiveList(counters)) {
    Head(out, name, "gauge", "A live figure of the stack.");
    out += fmt::format("estab_{} {}\n", name, value);
  }
  for (const Named& n : kTotals) {
    const std::string name = std::string(n.name) + "_total";
    Head(out, name.c_str(), "counter", "Since the start.");
    out += fmt::format("estab_{} {}\n", name, counters.*n.counter);
  }
  Head(out, "rule_fired_total", "counter", "How often each rule has fired.");
  for (std::size_t i = 0; i < rules.size(); ++i) {
    out += fmt::format("estab_rule_fired_total{{rule=\"{}\"}} {}\n",
                       GetRule(static_cast<RuleId>(i)).name, rules[i]);
  }
  return out;
}

}  // namespace estab::observe
