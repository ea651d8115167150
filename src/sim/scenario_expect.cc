// What a scenario expects to have happened, told in a sentence where it has not.
#include <algorithm>

#include "observe/format.h"
#include "observe/text.h"
#include "sim/scenario.h"

namespace estab::sim {
namespace {

using observe::ErrnoName;
using observe::FlagsText;
using observe::SideName;
using observe::SpanText;

std::string TimesText(const std::vector<Time>& times) {
  if (times.empty()) return "never";
  std::string out = "at ";
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (i != 0) out += ", ";
    out += SpanText(times[i].time_since_epoch());
  }
  return out;
}

bool Near(Time time, Duration expected, Duration tolerance) {
  const Duration off = time.time_since_epoch() - expected;
  return off <= tolerance && -off <= tolerance;
}

std::string ErrorText(std::optional<Error> error) {
  return error ? std::string(ErrnoName(*error)) : "no error";
}

}  // namespace

std::string ScenarioContext::When() const { return SpanText(now()); }

void ScenarioContext::Expect(bool holds, std::string_view what) {
  if (!holds) Fail(fmt::format("expected at {}: {}; it is not so", When(), what));
}

void ScenarioContext::ExpectState(Side side, State state) {
  const std::vector<Move>* moves = trackers_[Index(side)].Youngest();
  const State got = moves == nullptr ? State::kClosed : moves->back().to;
  if (got == state) return;
  Fail(fmt::format("expected {} in {} at {}; it is in {}", SideName(side), StateName(state), When(),
                   StateName(got)));
}

void ScenarioContext::ExpectState(Side side, SocketId socket, State state) {
  const State got = host(side).state(socket);
  if (got == state) return;
  Fail(fmt::format("expected the socket of {} in {} at {}; it is in {}", SideName(side),
                   StateName(state), When(), StateName(got)));
}

void ScenarioContext::ExpectStates(Side side, std::initializer_list<State> states) {
  std::vector<State> got;
  if (const std::vector<Move>* moves = trackers_[Index(side)].Youngest(); moves != nullptr) {
    got.push_back(moves->front().from);
    for (const Move& move : *moves) got.push_back(move.to);
  }
  if (std::equal(got.begin(), got.end(), states.begin(), states.end())) return;
  const auto text = [](const auto& list) {
    std::string out;
    for (const State s : list) out += (out.empty() ? "" : ", ") + std::string(StateName(s));
    return out.empty() ? std::string("none") : out;
  };
  Fail(fmt::format("expected {} to go through {}; it went through {}", SideName(side), text(states),
                   text(got)));
}

void ScenarioContext::ExpectTransition(Side side, State from, State to, Duration at,
                                       Duration tolerance) {
  std::vector<Time> times;
  if (const std::vector<Move>* moves = trackers_[Index(side)].Youngest(); moves != nullptr) {
    for (const Move& move : *moves) {
      if (move.from == from && move.to == to) times.push_back(move.at);
    }
  }
  for (const Time time : times) {
    if (Near(time, at, tolerance)) return;
  }
  Fail(fmt::format("expected {} to go from {} to {} at {} (+- {}); it did so {}", SideName(side),
                   StateName(from), StateName(to), SpanText(at), SpanText(tolerance),
                   TimesText(times)));
}

void ScenarioContext::ExpectSegment(Side side, std::uint16_t flags, Duration at,
                                    Duration tolerance) {
  const std::vector<Time> times = recorder_.TimesOf(side, flags);
  for (const Time time : times) {
    if (Near(time, at, tolerance)) return;
  }
  Fail(fmt::format("expected {} to send {} at {} (+- {}); it sent that {}", SideName(side),
                   FlagsText(flags), SpanText(at), SpanText(tolerance), TimesText(times)));
}

void ScenarioContext::ExpectTimes(Side side, std::uint16_t flags,
                                  const std::vector<Duration>& expected, Duration tolerance) {
  const std::vector<Time> times = recorder_.TimesOf(side, flags);
  bool equal = times.size() == expected.size();
  for (std::size_t i = 0; equal && i < times.size(); ++i) {
    equal = Near(times[i], expected[i], tolerance);
  }
  if (equal) return;
  std::vector<Time> wanted;
  for (const Duration d : expected) wanted.push_back(Time(d));
  Fail(fmt::format("expected {} to send {} {} (+- {}); it sent that {}", SideName(side),
                   FlagsText(flags), TimesText(wanted), SpanText(tolerance), TimesText(times)));
}

void ScenarioContext::ExpectCount(Side side, std::uint16_t flags, std::size_t count) {
  const std::vector<Time> times = recorder_.TimesOf(side, flags);
  if (times.size() == count) return;
  Fail(fmt::format("expected {} to send {} {} times; it sent that {} times, {}", SideName(side),
                   FlagsText(flags), count, times.size(), TimesText(times)));
}

void ScenarioContext::ExpectWire(const std::vector<ExpectedSegment>& wire, Duration tolerance) {
  // Two segments of one moment have no order.
  std::vector<SentSegment> sent = recorder_.sent();
  std::vector<ExpectedSegment> expected = wire;
  const auto earlier = [](const auto& a, const auto& b) {
    return a.at != b.at ? a.at < b.at : a.text < b.text;
  };
  std::sort(sent.begin(), sent.end(), earlier);
  std::sort(expected.begin(), expected.end(), earlier);
  for (std::size_t i = 0; i < std::max(sent.size(), expected.size()); ++i) {
    const bool both = i < sent.size() && i < expected.size();
    if (both && sent[i].text == expected[i].text &&
        Near(Time(sent[i].at), expected[i].at, tolerance)) {
      continue;
    }
    const std::string wanted = i < expected.size() ? fmt::format("\"{}\" at {}", expected[i].text,
                                                                 SpanText(expected[i].at))
                                                   : std::string("no more");
    const std::string got = i < sent.size()
                                ? fmt::format("\"{}\" at {}", sent[i].text, SpanText(sent[i].at))
                                : std::string("none");
    Fail(fmt::format("expected segment {} to be {} (+- {}); it is {}", i + 1, wanted,
                     SpanText(tolerance), got));
    return;  // whatever follows is out of step
  }
}

void ScenarioContext::ExpectSent(const ExpectedSegment& expected, Duration tolerance) {
  std::vector<Time> times;
  for (const SentSegment& s : recorder_.sent()) {
    if (s.text != expected.text) continue;
    if (Near(Time(s.at), expected.at, tolerance)) return;
    times.push_back(Time(s.at));
  }
  Fail(fmt::format("expected \"{}\" at {} (+- {}); it was sent {}", expected.text,
                   SpanText(expected.at), SpanText(tolerance), TimesText(times)));
}

void ScenarioContext::ExpectZero(Side side, std::uint64_t count, const char* what) {
  if (count == 0) return;
  Fail(fmt::format("expected {} to have no {} left at {}; it has {}", SideName(side), what, When(),
                   count));
}

StateSet ScenarioContext::StatesSeen() const {
  return static_cast<StateSet>(trackers_[0].seen() | trackers_[1].seen());
}

std::uint32_t ScenarioContext::Isn(Side side) const {
  std::uint32_t isn = 0;
  for (const SentSegment& s : recorder_.sent()) {
    if (s.from == side && (s.segment.flags & kSyn) != 0) isn = s.segment.seq;
  }
  return isn;
}

void ScenarioContext::StopDrawing() {
  world_.RemoveTap(ladder_tap_);
  world_.RemoveTap(capture_tap_);
  for (const Side side : {Side::kA, Side::kB}) {
    world_.host(side).RemoveObserver(*builder_.Of(side));
    world_.host(side).RemoveObserver(capture_tap_.Of(side));
  }
}

// Handles of connections that are over, and of listeners, hold nothing up; live ones only if asked.
void ScenarioContext::CloseQuietly(ScenarioHost& host, bool live) {
  const Time now = world_.now();
  for (const SocketId socket : host.handles_) {
    const auto info = host.stack().GetInfo(now, socket);
    if (!info) continue;
    const bool over = info->state == State::kClosed || info->state == State::kListen;
    if (over || live) (void)host.stack().Close(now, socket);
  }
}

void ScenarioContext::CloseAndExpectNothingLeft() {
  StopDrawing();
  for (const Side side : {Side::kA, Side::kB}) {
    if (uncut_[Index(side)]) Cut(side, false);
    if (world_.host(side).alive()) CloseQuietly(host(side), true);
  }
  // Longer than any connection takes to give up.
  if (world_.RunUntilIdle(world_.now() + std::chrono::hours(24 * 7)) != RunEnd::kIdle) {
    Fail("expected every connection to end after close; something is still going on");
  }
  ExpectNothingLeft();
}

void ScenarioContext::ExpectNothingLeft() {
  StopDrawing();
  for (const Side side : {Side::kA, Side::kB}) {
    if (!world_.host(side).alive()) continue;
    CloseQuietly(host(side), false);
    const StackCounters counters = host(side).stack().Counters();
    ExpectZero(side, counters.sockets, "sockets");
    ExpectZero(side, counters.half_open, "half-open records");
    ExpectZero(side, counters.time_wait, "TIME_WAIT records");
    ExpectZero(side, counters.orphans, "orphans");
    ExpectZero(side, counters.payload_chunks, "payload");
  }
}

void ScenarioContext::ExpectErrorIs(std::optional<Error> got, Error expected,
                                    std::string_view what) {
  if (got == expected) return;
  Fail(fmt::format("expected {} from {} at {}; got {}", ErrnoName(expected), what, When(),
                   ErrorText(got)));
}

void ScenarioContext::ExpectData(const Result<std::string>& got, std::string_view expected,
                                 std::string_view what) {
  if (got && *got == expected) return;
  Fail(fmt::format("expected \"{}\" from {} at {}; got {}", expected, what, When(),
                   got ? fmt::format("\"{}\"", *got) : std::string(ErrnoName(got.error()))));
}

// --- Running
// --------------------------------------------------------------------------------------

namespace {

std::string ValueIn(const ScenarioResult& result, std::string_view parameter) {
  for (const ParameterValue& p : result.parameters) {
    if (parameter == p.name) return p.value;
  }
  return {};
}

void AddBeside(ScenarioResult& result, const Variant& variant, ScenarioResult other) {
  for (const std::string& failure : other.failures) {
    result.failures.push_back(fmt::format("{}: {}", variant.caption, failure));
  }
  for (const std::string& sentence : other.summary) {
    result.summary.push_back(fmt::format("{}: {}", variant.caption, sentence));
  }
  result.beside.push_back(
      {variant.caption, variant.counterfactual, std::move(other.ladder), std::move(other.packets)});
}

}  // namespace

std::expected<ScenarioResult, std::string> RunScenario(const Scenario& scenario,
                                                       const ScenarioOptions& options) {
  ScenarioContext context(scenario, options);
  if (!context.usage_error().empty()) return std::unexpected(context.usage_error());
  scenario.run(context);
  // Values that only the scenario itself could judge.
  if (!context.usage_error().empty()) return std::unexpected(context.usage_error());
  ScenarioResult result = context.Finish();
  for (const Variant& variant : scenario.variants) {
    if (variant.parameter != nullptr && ValueIn(result, variant.parameter) != variant.value) {
      continue;
    }
    ScenarioContext beside(scenario, options);
    variant.run(beside);
    if (!beside.usage_error().empty()) return std::unexpected(beside.usage_error());
    AddBeside(result, variant, beside.Finish());
  }
  return result;
}

}  // namespace estab::sim
