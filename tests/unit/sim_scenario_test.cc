#include "sim/scenario.h"

#include <gtest/gtest.h>

#include <string>

#include "observe/ladder_svg.h"
#include "observe/ladder_text.h"
#include "sim/scenarios/registry.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

constexpr Parameter kParameters[] = {
    {"lost", "2", "how many SYNs are lost"},
    {"pause", "500ms", "between opening and sending"},
    {"tcp_syn_retries", "5", "repeats", "net.ipv4.tcp_syn_retries"},
};

void SynLost(ScenarioContext& ctx) {
  const SocketId listener = ctx.b().Listen(80);
  ctx.Fault("drop the first " + ctx.Value("lost") + " SYN");
  const SocketId a = ctx.a().Connect(ctx.b(), 80);
  ctx.RunUntil(5s);
  ctx.ExpectTimes(Side::kA, kSyn, {0s, 1s, 3s});
  ctx.ExpectSegment(Side::kB, kSyn | kAck, 3010ms);
  ctx.ExpectCount(Side::kA, kRst, 0);
  ctx.ExpectState(Side::kA, State::kEstablished);
  ctx.ExpectState(Side::kA, a, State::kEstablished);
  ctx.ExpectStates(Side::kB, {State::kListen, State::kSynRcvd, State::kEstablished});
  ctx.ExpectTransition(Side::kA, State::kSynSent, State::kEstablished, 3020ms);
  const SocketId b = ctx.b().MustAccept(listener);
  ctx.At(ctx.now() + ctx.Span("pause"), [&] { (void)ctx.a().Send(a, "hello"); });
  ctx.Run(1s);
  ctx.ExpectData(ctx.b().Read(b), "hello", "recv of B");
  ctx.ExpectError(ctx.b().Accept(listener), Error::kWouldBlock, "accept without a connection");
}
const Scenario kSynLost = {"open/syn-lost", "the first SYNs are lost", "", kParameters, SynLost};

TEST(Scenario, PassesAndDrawsWhatHappened) {
  const auto result = RunScenario(kSynLost, {});
  ASSERT_TRUE(result.has_value()) << result.error();
  for (const std::string& failure : result->failures) ADD_FAILURE() << failure;
  const std::string text = observe::LadderToText(result->ladder);
  for (const char* piece :
       {"open/syn-lost: the first SYNs are lost", "listen(80)", "EINPROGRESS", "SYN_SENT",
        "lost by fault", "SYN|ACK seq=0 ack=1", "ESTABLISHED", "send(\"hello\")", "len=5",
        "recv() = \"hello\"", "accept() = EAGAIN"}) {
    EXPECT_NE(text.find(piece), std::string::npos) << piece << "\n" << text;
  }
  // A call is drawn above what it causes.
  EXPECT_LT(text.find("EINPROGRESS"), text.find("SYN_SENT"));
  EXPECT_NE(observe::LadderToSvg(result->ladder).find("SYN_SENT"), std::string::npos);
}

TEST(Scenario, TheSameSeedIsTheSameRun) {
  const auto one = RunScenario(kSynLost, {.seed = 3});
  const auto two = RunScenario(kSynLost, {.seed = 3});
  const auto other = RunScenario(kSynLost, {.seed = 4});
  EXPECT_EQ(one->trace_hash, two->trace_hash);
  EXPECT_NE(one->trace_hash, other->trace_hash);
}

// How long the timers of that kind ran that ran out at `side`.
std::vector<Duration> Spans(const char* id, Side side, TimerKind kind) {
  const auto result = RunScenario(*FindScenario(id), {});
  std::vector<Duration> spans;
  for (const observe::LadderRow& row : result->ladder.rows) {
    const auto* timer = std::get_if<observe::LadderTimer>(&row.what);
    if (timer == nullptr || timer->side != side || timer->kind != kind || !timer->fired) continue;
    spans.push_back(timer->ended - timer->armed);
  }
  return spans;
}

TEST(Scenario, EveryTimerThatRunsOutIsASpan) {
  EXPECT_EQ(Spans("open/synack-lost", Side::kB, TimerKind::kRetransmit),
            (std::vector<Duration>{1s, 2s, 4s, 8s, 16s, 32s}));
  std::vector<Duration> keepalive(11, 75s);
  keepalive[0] = 7200s;
  EXPECT_EQ(Spans("timer/keepalive", Side::kA, TimerKind::kKeepalive), keepalive);
}

TEST(Scenario, AWrongExpectationFailsAndSaysWhatHappened) {
  const auto result = RunScenario(kSynLost, {.values = {{"lost", "1"}}});
  ASSERT_TRUE(result.has_value());
  ASSERT_FALSE(result->passed());
  EXPECT_EQ(result->failures[0],
            "expected A to send SYN at 0 s, 1 s, 3 s (+- 1 ms); it sent that at 0 s, 1 s");
  EXPECT_EQ(result->failures[1],
            "expected B to send SYN|ACK at 3.01 s (+- 1 ms); it sent that at 1.01 s");
}

TEST(Scenario, EveryKindOfExpectationCanFail) {
  const auto result =
      RunScenario({"x",
                   "x",
                   "",
                   {},
                   [](ScenarioContext& ctx) {
                     ctx.b().Listen(80);
                     const SocketId a = ctx.a().Connect(ctx.b(), 80);
                     ctx.Run(1s);
                     ctx.ExpectState(Side::kA, State::kSynSent);
                     ctx.ExpectState(Side::kA, a, State::kTimeWait);
                     ctx.ExpectStates(Side::kA, {State::kClosed, State::kEstablished});
                     ctx.ExpectTransition(Side::kA, State::kSynSent, State::kEstablished, 22ms);
                     ctx.ExpectSegment(Side::kA, kRst, 1s);
                     ctx.ExpectCount(Side::kA, kSyn, 2);
                     ctx.ExpectError(ctx.a().Read(a), Error::kConnectionReset, "recv");
                     ctx.ExpectData(ctx.a().Read(a), "x", "recv");
                     ctx.Expect(1 + 1 == 3, "one and one are three");
                     ctx.Fault("drop the 9th RST");
                     ctx.Fault("loose SYN");
                     (void)ctx.b().MustAccept({});
                   }},
                  {});
  ASSERT_TRUE(result.has_value());
  const char* expected[] = {
      "expected A in SYN_SENT at 1 s; it is in ESTABLISHED",
      "expected the socket of A in TIME_WAIT at 1 s; it is in ESTABLISHED",
      "expected A to go through CLOSED, ESTABLISHED; it went through CLOSED, SYN_SENT, ESTABLISHED",
      "expected A to go from SYN_SENT to ESTABLISHED at 22 ms (+- 1 ms); it did so at 20 ms",
      "expected A to send RST at 1 s (+- 1 ms); it sent that never",
      "expected A to send SYN 2 times; it sent that 1 times, at 0 s",
      "expected ECONNRESET from recv at 1 s; got EAGAIN",
      "expected \"x\" from recv at 1 s; got EAGAIN",
      "expected at 1 s: one and one are three; it is not so",
      "fault \"loose SYN\": \"loose\" is not an action (drop, delay, duplicate, corrupt, mark)",
  };
  ASSERT_EQ(result->failures.size(), std::size(expected) + 2);
  for (std::size_t i = 0; i < std::size(expected); ++i) {
    EXPECT_EQ(result->failures[i], expected[i]);
  }
  EXPECT_NE(result->failures[10].find("a connection to accept at B"), std::string::npos);
  EXPECT_EQ(result->failures[11],
            "expected the fault \"drop the 9th RST\" to hit something; it never did");
}

TEST(Scenario, UnknownParametersAndRefusedSettingsAreUsageErrors) {
  EXPECT_EQ(
      RunScenario(kSynLost, {.values = {{"colour", "red"}}}).error(),
      "open/syn-lost has no parameter \"colour\"; it has lost, pause, tcp_syn_retries, and takes "
      "every setting by its name");
  const auto refused = RunScenario(kSynLost, {.values = {{"net.nosuch", "1"}}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().find("setting net.nosuch=1"), std::string::npos) << refused.error();
  EXPECT_EQ(RunScenario(kSynLost, {.values = {{"tcp_msl", "far"}}}).error(),
            "setting estab.tcp_msl=far: not a value that it can have (maximum segment lifetime; "
            "TIME_WAIT lasts "
            "twice as long)");
}

TEST(Scenario, ACrashIsDrawnAndCallsOnItFail) {
  const auto result = RunScenario({"x",
                                   "x",
                                   "",
                                   {},
                                   [](ScenarioContext& ctx) {
                                     const SocketId a = ctx.a().Connect(ctx.b(), 80);
                                     ctx.a().Crash();
                                     (void)ctx.a().Send(a, "x");
                                     ctx.Run(10s);
                                     ctx.ExpectCount(Side::kA, kSyn, 0);
                                     ctx.ExpectState(Side::kA, State::kClosed);
                                     ctx.a().Restart();
                                     ctx.a().Connect(ctx.b(), 80);
                                   }},
                                  {});
  ASSERT_TRUE(result.has_value());
  ASSERT_EQ(result->failures.size(), 1u);
  EXPECT_EQ(result->failures[0], "send was called on A, which has crashed");
  const std::string text = observe::LadderToText(result->ladder);
  EXPECT_NE(text.find("by crash"), std::string::npos) << text;
  EXPECT_NE(text.find("restarts"), std::string::npos) << text;
}

TEST(Scenario, CutAndMend) {
  const auto result = RunScenario({"x",
                                   "x",
                                   "",
                                   {},
                                   [](ScenarioContext& ctx) {
                                     ctx.b().Listen(80);
                                     ctx.Cut(Side::kA);
                                     ctx.a().Connect(ctx.b(), 80);
                                     ctx.Run(500ms);
                                     ctx.ExpectCount(Side::kB, kSyn | kAck, 0);
                                     ctx.Cut(Side::kA, false);
                                     ctx.RunUntil(2s);
                                     ctx.ExpectTimes(Side::kB, kSyn | kAck, {1010ms});
                                   }},
                                  {});
  ASSERT_TRUE(result.has_value());
  for (const std::string& failure : result->failures) ADD_FAILURE() << failure;
}

}  // namespace
}  // namespace estab::sim
