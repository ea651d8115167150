// Every behaviour that estab promises can be watched: there is a scenario for each row of the
// requirement, in sections 1 to 6.
#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "sim/scenarios/registry.h"

namespace estab::sim {
namespace {

constexpr const char* kBehaviours[] = {
    // 1. Opening
    "open/three-way",
    "open/third-carries-data",
    "open/data-on-syn",
    "open/tcb",
    "open/negotiate",
    "open/simultaneous",
    "open/self-connect",
    "open/old-syn-first",
    "open/new-syn-before-rst",
    "open/why-not-two",
    "open/syn-lost",
    "open/synack-lost",
    "open/ack-lost",
    "open/isn",
    "open/refused",
    "open/backlog",
    "open/syn-flood",
    "open/ports",
    "open/fast-open",
    "open/icmp",
    "open/bad-segments",
    "open/close-while-opening",
    "open/listener-close",
    // 2. Closing
    "close/four-way",
    "close/three-segments",
    "close/simultaneous",
    "close/fin-with-ack",
    "close/fin-odd",
    "close/half",
    "close/fin-lost",
    "close/ack-of-fin-lost",
    "close/fin-wait-2",
    "close/second-fin-lost",
    "close/last-ack-lost",
    "close/close-wait-leak",
    "close/linger-abort",
    "close/unread-data",
    "close/data-after-close",
    "close/orphans",
    // 3. TIME_WAIT
    "time-wait/who",
    "time-wait/2msl",
    "time-wait/old-data",
    "time-wait/last-ack-rst",
    "time-wait/four-tuple",
    "time-wait/reopen",
    "time-wait/rst",
    "time-wait/reuse",
    "time-wait/cost",
    // 4. Resets and half-open connections
    "rst/no-port",
    "rst/time-wait-port",
    "rst/format",
    "rst/accept",
    "rst/errors",
    "rst/poll",
    "half-open/crash",
    "half-open/reconnect",
    "half-open/silent",
    "timeout/connect",
    "timeout/io",
    // 5. Timers
    "timer/keepalive",
    "timer/rto",
    "timer/persist",
    "timer/delayed-ack",
    "timer/cost",
    // 6. The machine as a whole
    "fsm/eleven",
    "fsm/explain",
    "spec/9293",
    "data/loss",
    "data/reorder",
    "data/duplicate",
    "data/checksum",
    "data/ecn",
    "data/pmtu",
    "data/black-hole",
    "data/mtu-probe",
    "data/nagle",
    "data/zero-window",
    "data/sws",
    "data/paws",
    "data/push",
    "data/cubic",
};

TEST(Behaviours, EachHasItsScenario) {
  for (const char* id : kBehaviours) EXPECT_NE(FindScenario(id), nullptr) << id;
}

// What a rule prevents is seen beside it.
TEST(Behaviours, CounterfactualsStandBesideTheRealRun) {
  for (const char* id : {"open/three-way", "open/why-not-two", "close/four-way",
                         "time-wait/old-data", "time-wait/last-ack-rst"}) {
    const auto result = RunScenario(*FindScenario(id), {});
    ASSERT_TRUE(result.has_value()) << id;
    EXPECT_TRUE(result->passed()) << id << ": " << result->failures.front();
    bool counterfactual = false;
    for (const Panel& panel : result->beside) {
      counterfactual = counterfactual || panel.counterfactual;
      EXPECT_FALSE(panel.ladder.rows.empty()) << id;
    }
    EXPECT_TRUE(counterfactual) << id;
  }
  for (const auto& [id, name, value] : {std::tuple("open/why-not-two", "handshake", "3"),
                                        std::tuple("time-wait/old-data", "time-wait", "1"),
                                        std::tuple("time-wait/last-ack-rst", "time-wait", "1")}) {
    const auto result = RunScenario(*FindScenario(id), {.values = {{name, value}}});
    ASSERT_TRUE(result.has_value()) << id;
    EXPECT_TRUE(result->beside.empty()) << id;
  }
}

}  // namespace
}  // namespace estab::sim
