// Expectations that are wrong on purpose are found out: each test edits one thing of a play that
// is right as it stands.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sim/scenarios/common.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

constexpr Parameter kParameters[] = {kDelay};

std::vector<std::string> Failures(void (*run)(ScenarioContext&), std::uint64_t seed = 1) {
  const Scenario scenario{"test/wrong", "wrong on purpose", "", kParameters, run};
  const auto result = RunScenario(scenario, {.seed = seed});
  return result ? result->failures : std::vector<std::string>{result.error()};
}

void Open(ScenarioContext& ctx) {
  UseDelay(ctx);
  (void)Establish(ctx);
}

TEST(Wrong, NothingIsWrongToBeginWith) {
  EXPECT_EQ(Failures([](ScenarioContext& ctx) {
              Open(ctx);
              ctx.ExpectWire(Handshake(10ms));
              ctx.CloseAndExpectNothingLeft();
            }),
            std::vector<std::string>{});
}

TEST(Wrong, Time) {
  EXPECT_EQ(
      Failures([](ScenarioContext& ctx) {
        Open(ctx);
        ctx.ExpectWire(
            {{0ms, "A S seq=x"}, {12ms, "B S. seq=y ack=x+1"}, {20ms, "A . seq=x+1 ack=y+1"}});
      }),
      std::vector<std::string>{"expected segment 2 to be \"B S. seq=y ack=x+1\" at 12 ms (+- "
                               "1 ms); it is \"B S. seq=y ack=x+1\" at 10 ms"});
}

TEST(Wrong, Number) {
  EXPECT_EQ(
      Failures([](ScenarioContext& ctx) {
        Open(ctx);
        ctx.ExpectWire(
            {{0ms, "A S seq=x"}, {10ms, "B S. seq=y ack=x+1"}, {20ms, "A . seq=x+1 ack=y+2"}});
      }),
      std::vector<std::string>{"expected segment 3 to be \"A . seq=x+1 ack=y+2\" at 20 ms (+- "
                               "1 ms); it is \"A . seq=x+1 ack=y+1\" at 20 ms"});
}

TEST(Wrong, OneSegmentTooManyAndOneTooFew) {
  EXPECT_EQ(
      Failures([](ScenarioContext& ctx) {
        Open(ctx);
        ctx.ExpectWire({{0ms, "A S seq=x"}, {10ms, "B S. seq=y ack=x+1"}});
        ctx.ExpectWire(Then(Handshake(10ms), {{30ms, "B . seq=y+1 ack=x+1"}}));
        ctx.ExpectSent({30ms, "B . seq=y+1 ack=x+1"});
      }),
      (std::vector<std::string>{
          "expected segment 3 to be no more (+- 1 ms); it is \"A . seq=x+1 ack=y+1\" at 20 ms",
          "expected segment 4 to be \"B . seq=y+1 ack=x+1\" at 30 ms (+- 1 ms); it is none",
          "expected \"B . seq=y+1 ack=x+1\" at 30 ms (+- 1 ms); it was sent never"}));
}

TEST(Wrong, States) {
  EXPECT_EQ(Failures([](ScenarioContext& ctx) {
              Open(ctx);
              ctx.ExpectStates(Side::kA, {State::kClosed, State::kSynRcvd, State::kEstablished});
              ctx.ExpectTransition(Side::kB, State::kSynRcvd, State::kEstablished, 20ms);
            }),
            (std::vector<std::string>{
                "expected A to go through CLOSED, SYN_RCVD, ESTABLISHED; it went through CLOSED, "
                "SYN_SENT, ESTABLISHED",
                "expected B to go from SYN_RCVD to ESTABLISHED at 20 ms (+- 1 ms); it did so at 30 "
                "ms"}));
}

TEST(Wrong, SomethingIsLeft) {
  EXPECT_EQ(Failures([](ScenarioContext& ctx) {
              Open(ctx);
              ctx.ExpectNothingLeft();
            }),
            (std::vector<std::string>{"expected A to have no sockets left at 30 ms; it has 1",
                                      "expected B to have no sockets left at 30 ms; it has 1"}));
}

std::uint32_t IsnOf(std::uint64_t seed) {
  static std::uint32_t isn;
  (void)Failures(
      [](ScenarioContext& ctx) {
        Open(ctx);
        isn = ctx.Isn(Side::kA);
      },
      seed);
  return isn;
}

TEST(Seed, DecidesTheIsn) {
  EXPECT_EQ(IsnOf(1), IsnOf(1));
  EXPECT_NE(IsnOf(1), IsnOf(2));
  EXPECT_NE(IsnOf(2), IsnOf(3));
}

}  // namespace
}  // namespace estab::sim
