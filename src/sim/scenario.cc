#include "sim/scenario.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/check.h"
#include "observe/format.h"
#include "observe/text.h"

namespace estab::sim {
namespace {

using observe::FlagsText;
using observe::SideName;
using observe::SpanText;

constexpr Duration kDefaultDelay = std::chrono::milliseconds(10);
constexpr std::uint16_t kTold = kSyn | kFin | kRst | kAck;  // flags that expectations look at

const Parameter* FindParameter(const Scenario& scenario, std::string_view name) {
  for (const Parameter& p : scenario.parameters) {
    if (name == p.name) return &p;
  }
  return nullptr;
}

// What may be set of `scenario`, for whoever asked for something else.
std::string ParametersOf(const Scenario& scenario) {
  std::string out;
  for (const Parameter& p : scenario.parameters)
    out += (out.empty() ? "it has " : ", ") + std::string(p.name);
  return out + (out.empty() ? "it has none" : "") + ", and takes every setting by its name";
}

// What was asked for; nullopt if nothing was. One that is set by the setting's own name wins, since
// it is set last.
std::optional<std::string> GivenValue(const Parameter& parameter, const ScenarioOptions& options) {
  std::optional<std::string> value;
  for (const auto& [name, given] : options.values) {
    if (name == parameter.name) value = given;
  }
  for (const auto& [name, given] : options.values) {
    if (parameter.setting != nullptr && name == parameter.setting) value = given;
  }
  return value;
}

std::string TextOf(Stack& stack, std::string_view setting) {
  std::array<char, kSettingTextSize> text{};
  const auto value = stack.GetSetting(setting, text);
  return value ? std::string(*value) : std::string();
}

// "B S. seq=y ack=x+1", as ExpectedSegment has it.
std::string WireText(Side from, const SegmentSummary& segment, const observe::SegmentBases& bases) {
  const auto number = [](std::uint32_t value, const std::optional<observe::IsnBase>& base,
                         char letter) {
    if (!base) return fmt::format("{}", value);
    const auto offset = static_cast<std::int32_t>(value - base->isn);
    const std::string symbol = letter + std::string(base->nth, '\'');
    return offset == 0 ? symbol : fmt::format("{}{:+}", symbol, offset);
  };
  const bool a = from == Side::kA;
  std::string out = fmt::format("{} ", SideName(from));
  if ((segment.flags & kSyn) != 0) out += 'S';
  if ((segment.flags & kFin) != 0) out += 'F';
  if ((segment.flags & kRst) != 0) out += 'R';
  if ((segment.flags & kAck) != 0) out += '.';
  out += " seq=" + number(segment.seq, bases.seq, a ? 'x' : 'y');
  if ((segment.flags & kAck) != 0) out += " ack=" + number(segment.ack, bases.ack, a ? 'y' : 'x');
  if (segment.length != 0) out += fmt::format(" len={}", segment.length);
  // The window of a reset that answers should be 0; one that gives a connection up has its own.
  const bool answers = (segment.flags & kAck) == 0 || segment.seq == 0;
  if ((segment.flags & kRst) != 0 && answers && segment.window != 0) {
    out += fmt::format(" win={}", segment.window);
  }
  return out;
}

std::uint8_t ByteAt(std::span<const std::byte> packet, std::size_t at) {
  return at < packet.size() ? std::to_integer<std::uint8_t>(packet[at]) : std::uint8_t{0};
}

bool IsV4(std::span<const std::byte> packet) { return ByteAt(packet, 0) >> 4 == 4; }

std::uint8_t TosOf(std::span<const std::byte> packet) {
  if (IsV4(packet)) return ByteAt(packet, 1);
  return static_cast<std::uint8_t>((ByteAt(packet, 0) << 4) | (ByteAt(packet, 1) >> 4));
}

// The kinds of TCP options, in the order in which they lie in the header.
std::string OptionOrder(std::span<const std::byte> packet) {
  constexpr const char* kNames[] = {"end", "nop", "mss", "wscale", "sackOK", "sack"};
  const std::size_t tcp = IsV4(packet) ? (ByteAt(packet, 0) & 15u) * 4u : 40u;
  const std::size_t end = tcp + (ByteAt(packet, tcp + 12) >> 4) * 4u;
  std::string out;
  for (std::size_t at = tcp + 20; at < end;) {
    const std::uint8_t kind = ByteAt(packet, at);
    const std::uint8_t length = kind <= 1 ? 1 : ByteAt(packet, at + 1);
    if (length == 0) break;
    out += out.empty() ? "" : ", ";
    out += kind < std::size(kNames) ? kNames[kind] : kind == 8 ? "TS" : fmt::format("{}", kind);
    at += length;
  }
  return out;
}

}  // namespace

// --- Watching
// -------------------------------------------------------------------------------------

void ScenarioContext::Tracker::OnRule(const RuleEvent& event) {
  seen_ = static_cast<StateSet>(seen_ | In(event.from) | In(event.to));
  // Listeners are no connections.
  if (event.number == 0 || event.tuple.remote.port == 0) return;
  moves_[event.number].push_back({event.at, event.from, event.to});
}

const std::vector<ScenarioContext::Move>* ScenarioContext::Tracker::Youngest() const {
  return moves_.empty() ? nullptr : &moves_.rbegin()->second;
}

void ScenarioContext::Recorder::OnPacket(const PacketReport& report) {
  if (report.view == nullptr || report.injected()) return;
  const SegmentSummary& segment = report.view->segment;
  const auto bases = isns_.Look(segment, report.view->source, report.view->destination, true);
  sent_.push_back({report.from, report.sent.time_since_epoch(), segment,
                   WireText(report.from, segment, bases), report.view->options,
                   OptionOrder(report.bytes), TosOf(report.bytes), report.view->source,
                   report.view->destination});
}

std::vector<Time> ScenarioContext::Recorder::TimesOf(Side side, std::uint16_t flags) const {
  std::vector<Time> times;
  for (const SentSegment& s : sent_) {
    const bool like = (s.segment.flags & kTold) == (flags & kTold);
    if (s.from == side && like) times.push_back(Time(s.at));
  }
  return times;
}

// --- Setting up
// -----------------------------------------------------------------------------------

WorldConfig ScenarioContext::MakeWorld(const Scenario& scenario, const ScenarioOptions& options,
                                       std::string& usage_error) {
  WorldConfig config;
  config.seed = options.seed;
  for (HostConfig& host : config.host) host.offload = options.offload;
  for (PathConfig& path : config.path) path.delay = kDefaultDelay;
  std::vector<std::pair<std::string, std::string>> settings;
  if (!options.profile.empty()) settings.emplace_back("estab.profile", options.profile);
  for (const Parameter& parameter : scenario.parameters) {
    if (parameter.setting == nullptr) continue;
    std::optional<std::string> value = GivenValue(parameter, options);
    if (!value && parameter.value != nullptr) value = parameter.value;
    // Without either it is what the profile says.
    if (value) settings.emplace_back(parameter.setting, *value);
  }
  for (const auto& [name, value] : options.values) {
    if (FindParameter(scenario, name) != nullptr) continue;
    const std::string full = observe::FullSettingName(name);
    if (full.find('.') == std::string::npos) {
      usage_error =
          fmt::format("{} has no parameter \"{}\"; {}", scenario.id, name, ParametersOf(scenario));
      continue;
    }
    settings.emplace_back(full, value);
  }
  for (HostConfig& host : config.host) host.settings = settings;
  return config;
}

ScenarioContext::ScenarioContext(const Scenario& scenario, const ScenarioOptions& options)
    : scenario_(scenario),
      options_(options),
      builder_({.calls = false, .verdicts = options.verdicts}),
      ladder_tap_(builder_),
      capture_tap_(options.packets),
      world_(MakeWorld(scenario, options, usage_error_)),
      a_(*this, Side::kA),
      b_(*this, Side::kB) {
  builder_.SetTitle(fmt::format("{}: {}", scenario.id, scenario.title));
  world_.AddTap(ladder_tap_);
  world_.AddTap(recorder_);
  world_.AddTap(capture_tap_);
  for (const Side side : {Side::kA, Side::kB}) {
    Host& host = world_.host(side);
    host.AddObserver(*builder_.Of(side));
    host.AddObserver(trackers_[Index(side)]);
    host.AddObserver(capture_tap_.Of(side));
    if (usage_error_.empty()) usage_error_ = host.setting_error();
  }
  TakeValues();
}

void ScenarioContext::TakeValues() {
  for (const Parameter& p : scenario_.parameters) {
    ParameterValue value{p.name, {}, p.value == nullptr ? "" : p.value, p.gist};
    const std::string in_force = p.setting == nullptr ? "" : TextOf(a_.stack(), p.setting);
    const auto given = GivenValue(p, options_);
    if (p.value == nullptr && !given) value.preset = in_force;
    value.value = given ? *given : value.preset;
    parameters_.push_back(std::move(value));
  }
}

std::string ScenarioContext::Value(std::string_view parameter) {
  const auto found = std::find_if(parameters_.begin(), parameters_.end(),
                                  [&](const auto& p) { return parameter == p.name; });
  ESTAB_CHECK(found != parameters_.end());
  return found->value;
}

std::int64_t ScenarioContext::Number(std::string_view parameter, std::int64_t least,
                                     std::int64_t most) {
  const std::string text = Value(parameter);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (whole && value >= least && value <= most) return value;
  usage_error_ = fmt::format("parameter {}: \"{}\" is not a number from {} to {}", parameter, text,
                             least, most);
  return std::clamp<std::int64_t>(value, least, most);
}

Duration ScenarioContext::Span(std::string_view parameter, Duration least, Duration most) {
  const std::string text = Value(parameter);
  const auto span = ParseDuration(text);
  if (span && *span >= least && *span <= most) return *span;
  usage_error_ = fmt::format("parameter {}: \"{}\" is not a time from {} to {}", parameter, text,
                             SpanText(least), SpanText(most));
  return least;
}

std::string ScenarioContext::Setting(std::string_view name) {
  std::array<char, kSettingTextSize> text{};
  Stack& stack = world_.a().alive() ? a_.stack() : b_.stack();
  const auto value = stack.GetSetting(name, text);
  if (value) return std::string(*value);
  Fail(fmt::format("there is no setting {}", name));
  return {};
}

std::int64_t ScenarioContext::SettingNumber(std::string_view name) {
  const std::string text = Setting(name);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) Fail(fmt::format("the setting {} is no number: {}", name, text));
  return value;
}

// --- The play
// -------------------------------------------------------------------------------------

void ScenarioContext::At(Duration at, std::function<void()> action) {
  world_.At(Time(at), std::move(action));
}

void ScenarioContext::RunUntilIdle(Duration limit) {
  if (world_.RunUntilIdle(Time(limit)) == RunEnd::kIdle) return;
  Fail(fmt::format("expected that nothing is left to happen at {}; something is", SpanText(limit)));
}

void ScenarioContext::Note(std::string text, std::optional<Side> side) {
  builder_.AddNote(world_.now(), side, std::move(text));
}

void ScenarioContext::DrawNoMore(std::string note) {
  Note(std::move(note), Side::kB);
  builder_.SetPaused(true);
}

void ScenarioContext::SetDelay(Duration delay) {
  for (const Side side : {Side::kA, Side::kB}) {
    PathConfig config = world_.path(side).config();
    config.delay = delay;
    world_.path(side).set_config(config);
  }
}

void ScenarioContext::Fault(std::string_view faults) {
  if (auto added = world_.faults().Add(faults); !added) Fail(added.error());
}

void ScenarioContext::DropNth(Side from, std::uint16_t flags, std::uint32_t nth) {
  sim::Fault fault;
  fault.match = SegmentMatch::Flags(flags);
  fault.from = from;
  fault.first = fault.last = nth;
  fault.text = fmt::format("drop number {} of {} from {}", nth, FlagsText(flags), SideName(from));
  world_.faults().Add(std::move(fault));
}

void ScenarioContext::DropFrom(Side from, std::uint16_t flags, std::uint32_t nth) {
  sim::Fault fault;
  fault.match = SegmentMatch::Flags(flags);
  fault.from = from;
  fault.first = nth;
  fault.text =
      fmt::format("drop {} from {}, from number {} on", FlagsText(flags), SideName(from), nth);
  world_.faults().Add(std::move(fault));
}

void ScenarioContext::Cut(Side from, bool cut) {
  std::optional<PathConfig>& before = uncut_[Index(from)];
  if (cut == before.has_value()) return;
  if (cut) {
    before = world_.path(from).config();
    PathConfig config = *before;
    config.loss_ppm = kAlways;
    world_.path(from).set_config(config);
  } else {
    world_.path(from).set_config(*before);
    before.reset();
  }
  Note(fmt::format("the way from {} is {}", SideName(from), cut ? "cut" : "whole again"));
}

void ScenarioContext::Inject(Side to, const Endpoint& source, const Endpoint& destination,
                             const wire::Segment& segment, Duration delay) {
  world_.Inject(to, CraftPacket(source, destination, segment), delay);
}

void ScenarioContext::Imagine(Side to, const Endpoint& source, const Endpoint& destination,
                              const wire::Segment& segment) {
  world_.Inject(to, CraftPacket(source, destination, segment), Duration::zero(), Author::kImagined);
}

void ScenarioContext::InjectIcmp(Side to, const Endpoint& source, const Endpoint& destination,
                                 std::uint32_t seq, std::uint8_t type, std::uint8_t code) {
  wire::Segment quoted;
  quoted.flags = kAck;
  quoted.seq = seq;
  const auto packet =
      CraftIcmpError(CraftPacket(source, destination, quoted), type, code, destination.address);
  world_.Inject(to, packet, Duration::zero(), Author::kImagined);
}

void ScenarioContext::TakeOver(Side side) {
  host(side).played_ = true;
  host(side).handles_.clear();
  world_.host(side).Crash();
}

void ScenarioContext::PlayState(Side side, State state, std::string why) {
  builder_.AddState(world_.now(), side, state, std::move(why));
}

void ScenarioContext::PlaySegment(Side from, const Endpoint& source, const Endpoint& destination,
                                  const wire::Segment& segment) {
  world_.Inject(Other(from), CraftPacket(source, destination, segment),
                world_.path(from).config().delay, Author::kScript);
}

void ScenarioContext::PlayCall(Side side, std::string call, std::string result) {
  builder_.EndCall(builder_.BeginCall(world_.now(), side, std::move(call)), std::move(result));
}

ScenarioResult ScenarioContext::Finish() {
  for (const std::string& fault : world_.faults().Unused()) {
    Fail(fmt::format("expected the fault \"{}\" to hit something; it never did", fault));
  }
  ScenarioResult result;
  result.ladder = builder_.Build();
  result.parameters = std::move(parameters_);
  result.rules = capture_tap_.Fired();
  result.packets = capture_tap_.packets();
  result.failures = std::move(failures_);
  result.summary = std::move(summary_);
  result.delivered = delivered_;
  result.trace_hash = world_.trace_hash();
  return result;
}

}  // namespace estab::sim
