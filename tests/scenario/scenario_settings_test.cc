// Scenarios follow the settings that are in force.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "sim/scenarios/registry.h"

namespace estab::sim {
namespace {

using Values = std::vector<std::pair<std::string, std::string>>;

struct Variant {
  const char* id;
  Values values;
};

std::ostream& operator<<(std::ostream& out, const Variant& variant) {
  out << variant.id;
  for (const auto& [name, value] : variant.values) out << " --set " << name << "=" << value;
  return out;
}

class AVariant : public testing::TestWithParam<Variant> {};

TEST_P(AVariant, IsAsExpected) {
  const Scenario* scenario = FindScenario(GetParam().id);
  ASSERT_NE(scenario, nullptr);
  const auto result = RunScenario(*scenario, {.values = GetParam().values});
  ASSERT_TRUE(result.has_value()) << result.error();
  for (const std::string& failure : result->failures) ADD_FAILURE() << failure;
}

const Variant kVariants[] = {
    {"open/three-way", {{"delay", "1ms"}}},
    {"open/three-way", {{"delay", "40ms"}}},
    {"open/simultaneous", {{"delay", "33ms"}}},
    {"open/syn-lost", {{"tcp_syn_retries", "3"}}},
    {"open/syn-lost", {{"tcp_syn_retries", "0"}}},
    {"open/syn-lost", {{"tcp_syn_retries", "10"}}},
    {"open/syn-lost", {{"tcp_syn_retries", "6"}, {"tcp_syn_linear_timeouts", "4"}}},
    {"open/syn-lost", {{"tcp_rto_initial", "3s"}}},
    {"open/syn-lost", {{"lost", "2"}}},
    {"open/syn-lost", {{"lost", "0"}}},
    {"open/syn-lost", {{"tcp_rto_max_ms", "5000"}}},
    {"open/synack-lost", {{"tcp_synack_retries", "2"}}},
    {"open/synack-lost", {{"again", "600ms"}}},
    {"open/synack-lost", {{"lost", "3"}}},
    {"open/ack-lost", {{"lost", "3"}}},
    {"open/ack-lost", {{"lost", "all"}}},
    {"open/ack-lost", {{"data", "500ms"}}},
    {"open/ack-lost", {{"lost", "all"}, {"data", "5s"}}},
    {"open/backlog", {{"tcp_abort_on_overflow", "1"}}},
    {"open/icmp", {{"code", "3"}}},
    {"open/icmp", {{"code", "4"}}},
    {"open/icmp", {{"type", "11"}, {"code", "0"}}},
    {"open/icmp", {{"type", "12"}, {"off", "1"}, {"tcp_syn_retries", "2"}}},
    {"open/icmp", {{"estab.profile", "linux"}, {"off", "1"}}},
    {"open/icmp", {{"estab.profile", "rfc"}, {"code", "0"}}},
    {"open/icmp", {{"estab.profile", "rfc"}, {"code", "2"}}},
    {"close/four-way", {{"tcp_msl", "2s"}}},
    {"close/four-way", {{"delay", "1ms"}}},
    {"close/simultaneous", {{"delay", "40ms"}}},
    {"close/fin-lost", {{"tcp_orphan_retries", "3"}}},
    {"close/fin-lost", {{"tcp_orphan_retries", "1"}, {"tcp_rto_min", "1s"}}},
    {"close/last-ack-lost", {{"lost", "3"}}},
    {"close/last-ack-lost", {{"lost", "all"}, {"tcp_orphan_retries", "4"}}},
    {"close/second-fin-lost", {{"tcp_orphan_retries", "5"}}},
    {"close/fin-wait-2", {{"tcp_fin_timeout", "5"}}},
    {"close/fin-wait-2", {{"tcp_fin_timeout", "0"}}},
    {"time-wait/2msl", {{"tcp_msl", "500ms"}}},
    {"time-wait/old-data", {{"after", "59s"}}},
    {"time-wait/old-data", {{"tcp_rfc1337", "0"}}},
    {"time-wait/reopen", {{"after", "1s"}}},
    {"half-open/silent", {{"tcp_retries2", "3"}}},
    {"half-open/reconnect", {{"tcp_rto_initial", "2s"}}},
    {"rst/accept", {{"tcp_invalid_ratelimit", "2000"}}},
    {"rst/accept", {{"tcp_invalid_ratelimit", "0"}}},
    {"timer/keepalive", {{"peer", "alive"}}},
    {"timer/keepalive", {{"peer", "restarted"}}},
    {"timer/keepalive",
     {{"tcp_keepalive_time", "10"}, {"tcp_keepalive_intvl", "3"}, {"tcp_keepalive_probes", "2"}}},
    {"open/why-not-two", {{"ghosts", "4"}, {"tcp_synack_retries", "1"}, {"tcp_retries2", "5"}}},
    {"open/why-not-two", {{"peer", "alive"}}},
    {"open/why-not-two", {{"handshake", "3"}}},
    {"open/data-on-syn", {{"bytes", "1000"}, {"delay", "33ms"}}},
    {"open/tcb", {{"half-open", "40"}, {"tcp_synack_retries", "1"}}},
    {"open/isn", {{"after", "3s"}, {"secret", "99"}}},
    {"open/ports", {{"ip_local_port_range", "50000 50001"}}},
    {"open/negotiate", {{"a.tcp_timestamps", "0"}}},
    {"open/negotiate", {{"b.tcp_timestamps", "0"}, {"a.tcp_sack", "0"}}},
    {"open/negotiate", {{"b.tcp_window_scaling", "0"}, {"b.tcp_sack", "0"}}},
    {"open/negotiate", {{"a.tcp_sack", "0"}, {"a.maxseg", "900"}, {"tos", "184"}}},
    {"open/listener-close", {{"queued", "5"}, {"syn-count", "1"}}},
    {"open/syn-flood", {{"syns", "300"}, {"honest", "1"}}},
    {"open/syn-flood", {{"tcp_syncookies", "2"}}},
    {"close/ack-of-fin-lost", {{"lost", "all"}, {"tcp_orphan_retries", "3"}}},
    {"close/ack-of-fin-lost", {{"lost", "1"}}},
    {"close/close-wait-leak", {{"connections", "7"}, {"after", "10s"}}},
    {"close/orphans", {{"tcp_max_orphans", "5"}, {"closed", "9"}}},
    {"close/orphans", {{"closed", "1"}}},
    {"close/fin-with-ack", {{"tcp_msl", "1s"}}},
    {"close/linger-abort", {{"linger", "3"}}},
    {"time-wait/old-data", {{"time-wait", "0"}, {"after", "30s"}}},
    {"time-wait/last-ack-rst", {{"delay", "40ms"}, {"tcp_rto_min", "300ms"}}},
    {"time-wait/rst", {{"tcp_rfc1337", "1"}}},
    {"time-wait/rst", {{"tcp_msl", "2s"}}},
    {"time-wait/reuse", {{"tcp_tw_reuse", "0"}}},
    {"time-wait/reuse", {{"tcp_tw_reuse", "2"}}},
    {"time-wait/reuse", {{"after", "500ms"}}},
    {"time-wait/reuse", {{"tcp_timestamps", "0"}}},
    {"time-wait/reuse", {{"tcp_tw_reuse_delay", "5000"}}},
    {"time-wait/reuse", {{"after", "61s"}, {"tcp_tw_reuse", "0"}}},
    {"time-wait/cost", {{"ipv6", "1"}}},
    {"time-wait/cost", {{"connections", "10"}, {"tcp_max_tw_buckets", "0"}}},
    {"timeout/connect", {{"timeout", "700ms"}}},
    {"timeout/connect", {{"timeout", "8s"}}},
    {"timeout/io", {{"timeout", "250ms"}}},
    {"timer/rto", {{"lost", "8"}}},
    {"timer/rto", {{"lost", "0"}, {"tcp_rto_min", "500ms"}}},
    {"timer/rto", {{"tcp_rto_max_ms", "1000"}}},
    {"timer/delayed-ack", {{"pieces", "40"}, {"full", "8"}}},
    {"timer/cost", {{"connections", "20"}, {"idle", "7"}}},
    {"data/loss", {{"lost", "1"}}},
    {"data/loss", {{"segments", "30"}, {"lost", "30"}}},
    {"data/ecn", {{"marked", "1"}}},
    {"data/ecn", {{"marked", "10"}, {"segments", "60"}, {"tcp_abe", "1"}}},
    {"data/pmtu", {{"router", "old"}}},
    {"data/pmtu", {{"df", "0"}}},
    {"data/pmtu", {{"mtu", "576"}, {"segments", "10"}}},
    {"data/pmtu", {{"mtu", "700"}, {"min_pmtu", "1000"}}},
    {"data/black-hole", {{"mtu", "300"}, {"tcp_retries1", "1"}}},
    {"data/black-hole", {{"tcp_base_mss", "700"}}},
    {"data/mtu-probe", {{"mtu", "1100"}}},
    {"data/mtu-probe", {{"mtu", "1500"}, {"tcp_probe_threshold", "32"}}},
    {"data/nagle", {{"nodelay", "1"}}},
    {"data/nagle", {{"writes", "9"}, {"delay", "3ms"}}},
    {"data/sws", {{"read", "1000"}, {"buffer", "20000"}}},
    {"data/zero-window", {{"closed", "30s"}}},
    {"hostile/rst-flood", {{"packets", "500"}, {"every", "1ms"}}},
    {"hostile/backlog-overflow", {{"clients", "10"}, {"backlog", "2"}}},
    {"hostile/port-exhaustion", {{"ports", "7"}}},
    {"hostile/memory", {{"budget", "500000"}, {"connections", "30"}}},
    {"demo/file", {{"bytes", "0"}}},
    {"demo/file", {{"bytes", "1"}}},
    {"demo/file", {{"bytes", "300000"}, {"loss", "20000"}}},
};

INSTANTIATE_TEST_SUITE_P(Lab, AVariant, testing::ValuesIn(kVariants));

std::string UsageError(const char* id, Values values) {
  const auto result = RunScenario(*FindScenario(id), {.values = std::move(values)});
  return result ? "none" : result.error();
}

TEST(Variants, BadValuesAreUsageErrors) {
  EXPECT_NE(UsageError("open/three-way", {{"delay", "soon"}}).find("parameter delay: \"soon\""),
            std::string::npos);
  EXPECT_NE(UsageError("open/three-way", {{"delay", "1s"}}).find("from 1 ms to 40 ms"),
            std::string::npos);
  EXPECT_NE(UsageError("open/syn-lost", {{"lost", "-1"}}).find("from 0 to 255"), std::string::npos);
  EXPECT_NE(UsageError("open/syn-lost", {{"tcp_syn_retries", "many"}}).find("tcp_syn_retries=many"),
            std::string::npos);
  EXPECT_NE(UsageError("open/three-way", {{"nonsense", "1"}}).find("no parameter \"nonsense\""),
            std::string::npos);
}

}  // namespace
}  // namespace estab::sim
