// The machine as a whole.
#include <algorithm>
#include <map>

#include "observe/format.h"
#include "observe/journal.h"
#include "observe/state_machine.h"
#include "observe/text.h"
#include "observe/why.h"
#include "sim/scenarios/common.h"
#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

using namespace std::chrono_literals;

// The ways out of `state`, from the table that the engine executes.
std::string WaysOut(State state) {
  std::map<State, std::string> ways;
  for (std::size_t i = 0; i < RuleCount(); ++i) {
    const Rule& rule = GetRule(static_cast<RuleId>(i));
    if (!rule.moves || rule.to == state || (rule.from & In(state)) == 0) continue;
    std::string& way = ways[rule.to];
    way += fmt::format("{}{} ({})", way.empty() ? "" : ", ", rule.name,
                       observe::TriggerName(rule.trigger));
  }
  std::string out = fmt::format("{}:", StateName(state));
  for (const auto& [to, how] : ways) out += fmt::format(" to {} by {};", StateName(to), how);
  return out;
}

// One connection closed by A, and one closed by both at once.
void Eleven(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair first = Establish(ctx);
  ctx.RunUntil(200ms);
  (void)ctx.a().Close(first.a);
  ctx.RunUntil(400ms);
  (void)ctx.b().Close(first.b);
  ctx.RunUntil(600ms);
  const SocketId a = ctx.a().Connect(ctx.b(), kServerPort, kClientPort + 1);
  ctx.Run(3 * d);
  const SocketId b = ctx.b().MustAccept(first.listener);
  ctx.RunUntil(800ms);
  (void)ctx.a().Close(a);
  (void)ctx.b().Close(b);
  ctx.RunUntil(800ms + 3 * d + TwoMsl(ctx));
  for (const State state : observe::StatesInOrder()) {
    const bool seen = (ctx.StatesSeen() & In(state)) != 0;
    ctx.Expect(seen, fmt::format("a connection has been in {}", StateName(state)));
    ctx.Say(WaysOut(state));
  }
  ctx.ExpectNothingLeft();
}

// The journal of one connection, asked while it lives and after its death.
void Explain(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  observe::Journal::Options options;
  options.records = 1024;
  options.connections = 64;
  options.refusals = 16;
  observe::Journal journal(options);
  ctx.world().a().AddObserver(journal);
  const Pair pair = Establish(ctx);
  ctx.RunUntil(200ms);
  const auto tuple = ctx.a().stack().GetTuple(pair.a);
  if (!tuple) return ctx.Fail("A's connection has no name");
  const auto ask = [&] {
    return observe::Why(journal, ctx.a().stack(), ctx.world().now(), *tuple);
  };
  const std::string alive = ask();
  ctx.Expect(alive.find("ESTABLISHED") != std::string::npos, "why names the state");
  ctx.Expect(alive.find("RFC 9293") != std::string::npos, "and what it rests on");
  (void)ctx.a().Close(pair.a);
  ctx.RunUntil(400ms);
  (void)ctx.b().Close(pair.b);
  ctx.RunUntil(400ms + 3 * d + TwoMsl(ctx));
  const std::string dead = ask();
  for (const char* rule : {"active-open", "syn-sent-syn-ack", "close-established", "fin-acked",
                           "fin-second", "time-wait-over"}) {
    ctx.Expect(dead.find(rule) != std::string::npos,
               fmt::format("the dead connection's story has {}", rule));
  }
  std::size_t begin = 0;
  while (begin < dead.size()) {
    const std::size_t end = std::min(dead.find('\n', begin), dead.size());
    if (end != begin) ctx.Say(dead.substr(begin, end - begin));
    begin = end + 1;
  }
  ctx.world().a().RemoveObserver(journal);
  ctx.ExpectNothingLeft();
}

// The RFC's own example, and how much of the machine rests on which text.
void Spec(ScenarioContext& ctx) {
  const Duration d = UseDelay(ctx);
  const Pair pair = Establish(ctx);
  ctx.ExpectWire(Handshake(d));
  ctx.RunUntil(200ms);
  (void)ctx.a().Close(pair.a);
  ctx.RunUntil(400ms);
  (void)ctx.b().Close(pair.b);
  ctx.RunUntil(400ms + 3 * d + TwoMsl(ctx));
  std::map<std::string, std::size_t> by_basis;
  std::size_t of_9293 = 0;
  for (std::size_t i = 0; i < RuleCount(); ++i) {
    const Rule& rule = GetRule(static_cast<RuleId>(i));
    const std::string_view section = rule.section;
    ++by_basis[BasisName(rule.basis)];
    of_9293 += section.find("RFC 9293") != std::string_view::npos ? 1 : 0;
    ctx.Expect(!section.empty(), fmt::format("the rule {} says what it rests on", rule.name));
  }
  std::string all;
  for (const auto& [basis, count] : by_basis) all += fmt::format(", {} {}", count, basis);
  ctx.Say(fmt::format("{} rules{}; {} of them rest on RFC 9293 itself", RuleCount(), all, of_9293));
  ctx.Say("docs/conformance.md goes through the requirements one by one");
  ctx.ExpectNothingLeft();
}

constexpr Scenario kMachineScenarios[] = {
    {"fsm/eleven", "all eleven states, and the ways out of each",
     "Two connections go through every state there is: one is closed by A, one by both at once. "
     "Below the drawing stand the ways out of each state, from the table of rules that the engine "
     "executes (RFC 9293 §3.3.2, figure 5).",
     kDelayAndMsl, Eleven},
    {"fsm/explain", "any connection can be asked why",
     "Every transition is recorded with its cause and its rule. The story below the drawing is "
     "that "
     "of a connection which is already dead.",
     kDelayAndMsl, Explain},
    {"spec/9293", "what the machine rests on",
     "Every rule names the text that it rests on: a MUST, SHOULD or MAY of an RFC, Linux, or a "
     "decision of estab's own. The requirements of RFC 9293, appendix B, are gone through one by "
     "one in docs/conformance.md.",
     kDelayAndMsl, Spec},
};

}  // namespace

std::span<const Scenario> MachineScenarios() { return kMachineScenarios; }

}  // namespace estab::sim
