// Scenarios: small plays in a virtual world that draw themselves and say what must happen.
//
//   void SynLost(ScenarioContext& ctx) {
//     ctx.b().Listen(80);
//     ctx.Fault("drop the first 2 SYN");
//     const SocketId s = ctx.a().Connect(ctx.b(), 80);
//     ctx.RunUntil(10s);
//     ctx.ExpectTimes(Side::kA, kSyn, {0s, 1s, 3s});
//     ctx.ExpectState(Side::kA, State::kEstablished);
//   }
//   constexpr Parameter kParameters[] = {
//       {"tcp_syn_retries", "5", "SYNs repeated before giving up", "net.ipv4.tcp_syn_retries"}};
//   const Scenario kSynLost = {"open/syn-lost", "SYN lost", "...", kParameters, SynLost};
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "estab/stack.h"
#include "observe/isn_book.h"
#include "observe/ladder.h"
#include "observe/ladder_builder.h"
#include "sim/capture_tap.h"
#include "sim/ladder_tap.h"
#include "sim/world.h"

namespace estab::sim {

class ScenarioContext;

/// Something of a scenario that can be set from outside.
struct Parameter {
  const char* name;
  const char* value;              // if nothing else is said; nullptr: as the stack's profile has it
  const char* gist;               // one line
  const char* setting = nullptr;  // the stacks' setting that it stands for, given to both hosts
};

/// Another course of the same play, in a world of its own, drawn beside it. A counterfactual one
/// shows what a rule is there to prevent: no stack does that, so a script bends it
/// (docs/decisions).
struct Variant {
  const char* caption;  // "without TIME_WAIT"
  bool counterfactual;
  void (*run)(ScenarioContext& context);
  // Played if this parameter has this value; nullptr: always.
  const char* parameter = nullptr;
  const char* value = nullptr;
};

struct Scenario {
  const char* id;     // "open/three-way"
  const char* title;  // one line
  const char* text;   // what happens, and why; plain sentences
  std::span<const Parameter> parameters;
  void (*run)(ScenarioContext& context);
  const char* caption = "as it is";  // of the play itself, where others stand beside it
  std::span<const Variant> variants = {};
};

/// How to run one.
struct ScenarioOptions {
  std::uint64_t seed = 1;
  std::string profile = {};  // estab.profile of both hosts; empty: as it is
  /// A scenario's parameters, or settings of the stacks by their names ("net.ipv4...").
  std::vector<std::pair<std::string, std::string>> values = {};
  bool verdicts = false;  // record rules that changed no state
  bool packets = false;   // keep the packets, each with the reasons for it
  bool offload = false;   // both hosts' links cut super-segments; nothing else changes
};

/// A parameter as it was in this run.
struct ParameterValue {
  const char* name;
  std::string value;
  std::string preset;  // if nothing had been said
  const char* gist;
};

/// What stands beside the play.
struct Panel {
  std::string caption;
  bool counterfactual = false;
  observe::Ladder ladder;
  std::vector<observe::CapturedPacket> packets;
};

struct ScenarioResult {
  observe::Ladder ladder;
  std::vector<Panel> beside;  // the variants that were played
  std::vector<ParameterValue> parameters;
  std::vector<FiredRule> rules;                  // of the play itself
  std::vector<observe::CapturedPacket> packets;  // of the play itself
  std::vector<std::string> failures;             // one sentence each: expected, and what happened
  std::vector<std::string> summary;              // what was measured, a sentence each; may be empty
  std::uint64_t delivered = 0;                   // bytes, where moving them is the point
  std::uint64_t trace_hash = 0;
  bool passed() const { return failures.empty(); }
};

/// Runs `scenario` in a world of its own. The error is a sentence about what is wrong with
/// `options`: an unknown parameter, a value that a setting refuses.
std::expected<ScenarioResult, std::string> RunScenario(const Scenario& scenario,
                                                       const ScenarioOptions& options);

/// A host as scenarios use it. Each call is drawn into the ladder with its result. Calls on a host
/// that crashed fail the scenario and do nothing.
class ScenarioHost {
 public:
  ScenarioHost(ScenarioContext& context, Side side) : context_(context), side_(side) {}

  Side side() const { return side_; }
  IpAddress address(bool ipv6 = false) const;
  Endpoint endpoint(std::uint16_t port, bool ipv6 = false) const { return {address(ipv6), port}; }
  Stack& stack();

  /// A socket that listens at this port of every address of the family.
  SocketId Listen(std::uint16_t port, int backlog = 16, const SocketOptions& options = {},
                  bool ipv6 = false);
  /// A socket that is nothing yet; not drawn.
  SocketId Open(bool ipv6 = false);
  Result<void> Bind(SocketId socket, const Endpoint& local);
  /// A socket that opens a connection. `local_port` 0 lets the stack choose.
  SocketId Connect(const ScenarioHost& peer, std::uint16_t port, std::uint16_t local_port = 0,
                   const SocketOptions& options = {});
  SocketId Connect(const Endpoint& remote, std::uint16_t local_port = 0,
                   const SocketOptions& options = {});
  /// Connects a socket again, e.g. to see EALREADY.
  Result<void> ConnectAgain(SocketId socket, const Endpoint& remote);
  Result<SocketId> Accept(SocketId listener);
  /// As Accept, for where a connection must be waiting: fails the scenario if none is.
  SocketId MustAccept(SocketId listener);
  Result<std::size_t> Send(SocketId socket, std::string_view data);
  /// Up to `most` bytes; an empty string is the end of the stream.
  Result<std::string> Read(SocketId socket, std::size_t most = 65536);
  Result<void> Shutdown(SocketId socket, How how = How::kWrite);
  Result<void> Close(SocketId socket);
  Result<void> Abort(SocketId socket);
  Result<void> SetOptions(SocketId socket, const SocketOptions& options);
  std::optional<Error> TakeError(SocketId socket);

  /// The state of `socket`; CLOSED if the handle is no more.
  State state(SocketId socket);
  /// A stack's setting, now and after a restart; fails the scenario if it is refused.
  void Set(std::string_view name, std::string_view value);
  /// The stack is gone without a word.
  void Crash();
  /// It comes back, with nothing remembered. Crashes first if it is alive.
  void Restart();

 private:
  bool Ready(std::string_view call);
  template <class T>
  void Record(std::string text, const Result<T>& result, std::string_view value);
  SocketId ConnectFrom(SocketId socket, const Endpoint& remote, std::uint16_t local_port);

  friend class ScenarioContext;

  ScenarioContext& context_;
  Side side_;
  bool played_ = false;            // by the script
  std::vector<SocketId> handles_;  // every socket since the last start, closed ones too
};

/// A segment as textbooks write it, and when it must leave: {0ms, "A S seq=x"}, {10ms, "B S. seq=y
/// ack=x+1"}, {20ms, "A . seq=x+1 ack=y+1 len=5"}. Flags are S, F, R and "." for ACK, in that
/// order. x and y stand for the ISNs of A and B, x' and y' for those of a second connection on the
/// same four-tuple. `len` is there only with payload.
struct ExpectedSegment {
  Duration at;
  std::string text;
};

/// A segment that a side sent; not those that a script injected.
struct SentSegment {
  Side from;
  Duration at;
  SegmentSummary segment;
  std::string text;  // as in ExpectedSegment
  wire::TcpOptions options;
  std::string option_order;  // "mss, sackOK, TS, nop, wscale": the kinds, as they lie in the header
  std::uint8_t tos = 0;      // IPv4's type of service, or IPv6's traffic class
  Endpoint source;
  Endpoint destination;
};

/// What a scenario works with. Times are counted from the beginning of the scenario.
class ScenarioContext {
 public:
  ScenarioContext(const Scenario& scenario, const ScenarioOptions& options);
  ScenarioContext(const ScenarioContext&) = delete;
  ScenarioContext& operator=(const ScenarioContext&) = delete;

  ScenarioHost& a() { return a_; }
  ScenarioHost& b() { return b_; }
  ScenarioHost& host(Side side) { return side == Side::kA ? a_ : b_; }
  World& world() { return world_; }
  observe::LadderBuilder& ladder() { return builder_; }
  Duration now() const { return world_.now().time_since_epoch(); }

  /// Calls `action` at that time; what it calls is drawn then.
  void At(Duration at, std::function<void()> action);
  /// Runs for that long.
  void Run(Duration span) { world_.Run(world_.now() + span); }
  /// Runs until that time.
  void RunUntil(Duration at) { world_.Run(Time(at)); }
  /// Runs until nothing is left to happen; fails the scenario if that is not so at `limit`.
  void RunUntilIdle(Duration limit);
  /// Says something in the ladder, at one side or across.
  void Note(std::string text, std::optional<Side> side = std::nullopt);
  /// Says that from here on it goes on in the same way, and draws no more of it until Draw.
  void DrawNoMore(std::string note);
  void Draw() { builder_.SetPaused(false); }
  /// Draws textbook numbers (x, x+1, y) or absolute ones.
  void SetNumbers(observe::Numbers numbers) { builder_.SetNumbers(numbers); }

  /// How long a packet takes, each way; 10 ms if nothing is said. Before anything is sent.
  void SetDelay(Duration delay);
  /// Puts faults in force, in the words of fault.h. A mistake in them fails the scenario, and so
  /// does one that never hit anything.
  void Fault(std::string_view faults);
  /// Drops the nth segment from `from` with what people mean by these flags (fault.h).
  void DropNth(Side from, std::uint16_t flags, std::uint32_t nth);
  /// Drops all of them from the `nth` on.
  void DropFrom(Side from, std::uint16_t flags, std::uint32_t nth = 1);
  /// Nothing of `from` arrives any more (true), or everything does again (false).
  void Cut(Side from, bool cut = true);
  /// A segment made by hand reaches `to` after `delay`, as if it came from `source`.
  void Inject(Side to, const Endpoint& source, const Endpoint& destination,
              const wire::Segment& segment, Duration delay = Duration::zero());

  /// As above, but never shown: what follows from it is drawn as if nothing had come.
  void Imagine(Side to, const Endpoint& source, const Endpoint& destination,
               const wire::Segment& segment);
  /// An ICMP error reaches `to` at once, about a segment of its own from `source` to `destination`
  /// with number `seq`. The peer is said to have sent it. Not drawn: add a note.
  void InjectIcmp(Side to, const Endpoint& source, const Endpoint& destination, std::uint32_t seq,
                  std::uint8_t type, std::uint8_t code);
  /// From now on the script plays `side`: its stack vanishes without a word, and what is sent to it
  /// is drawn and heard by nobody.
  void TakeOver(Side side);
  /// The side that the script plays is now in `state`, and why.
  void PlayState(Side side, State state, std::string why);
  /// It sends `segment`, which takes the path's delay. Counts as sent by that side.
  void PlaySegment(Side from, const Endpoint& source, const Endpoint& destination,
                   const wire::Segment& segment);
  /// A call of its application.
  void PlayCall(Side side, std::string call, std::string result);

  /// Values of parameters, as set or by default. Asking for what is not declared is a bug.
  std::string Value(std::string_view parameter);
  /// As a number from `least` to `most`; anything else is a usage error of the whole run.
  std::int64_t Number(std::string_view parameter, std::int64_t least = 0,
                      std::int64_t most = INT32_MAX);
  /// As a time ("500ms") from `least` to `most`; likewise.
  Duration Span(std::string_view parameter, Duration least = Duration::zero(),
                Duration most = std::chrono::hours(24));

  /// Everything that was sent so far, in order.
  const std::vector<SentSegment>& sent() const { return recorder_.sent(); }
  /// The ISN that `side` used last: the number of its last SYN; 0 if it sent none.
  std::uint32_t Isn(Side side) const;

  /// The profile in force: "default", "linux" or "rfc".
  std::string Profile() { return Setting("estab.profile"); }
  /// The value of a stack's setting on A as it is now, whoever set it: parameters and profiles
  /// agree in it. Fails the scenario if there is no such setting.
  std::string Setting(std::string_view name);
  /// The same as a number.
  std::int64_t SettingNumber(std::string_view name);

  // --- What must be so. Each failure is one sentence; the scenario goes on. ----------------------

  /// Anything else.
  void Expect(bool holds, std::string_view what);
  template <class T>
  void ExpectEqual(const T& got, const T& expected, std::string_view what) {
    Expect(got == expected, what);
  }
  /// The youngest connection of that side is in this state (CLOSED if there never was one).
  void ExpectState(Side side, State state);
  void ExpectState(Side side, SocketId socket, State state);
  /// The youngest connection of that side went through exactly these states, its first one
  /// included: {kClosed, kSynSent, kEstablished}.
  void ExpectStates(Side side, std::initializer_list<State> states);
  /// The youngest connection of that side moved from `from` to `to` at that time.
  void ExpectTransition(Side side, State from, State to, Duration at,
                        Duration tolerance = std::chrono::milliseconds(1));
  /// That side sent a segment with exactly these of SYN, FIN, RST and ACK at that time.
  void ExpectSegment(Side side, std::uint16_t flags, Duration at,
                     Duration tolerance = std::chrono::milliseconds(1));
  /// It sent such segments at exactly these times, and no others.
  void ExpectTimes(Side side, std::uint16_t flags, const std::vector<Duration>& times,
                   Duration tolerance = std::chrono::milliseconds(1));
  /// It sent so many of them.
  void ExpectCount(Side side, std::uint16_t flags, std::size_t count);
  /// Both sides together sent exactly these segments.
  void ExpectWire(const std::vector<ExpectedSegment>& wire,
                  Duration tolerance = std::chrono::milliseconds(1));
  /// One of the segments sent is this one.
  void ExpectSent(const ExpectedSegment& expected,
                  Duration tolerance = std::chrono::milliseconds(1));
  /// Every connection is gone, and all that it held. Ends the drawing, and closes listeners and
  /// handles of dead connections first: for the end of a scenario.
  void ExpectNothingLeft();
  /// The same for a scenario whose connections still live: closes them all, waits for their end,
  /// and draws nothing of it.
  void CloseAndExpectNothingLeft();
  /// A call gave this error.
  template <class T>
  void ExpectError(const Result<T>& got, Error expected, std::string_view what) {
    ExpectErrorIs(got ? std::nullopt : std::optional(got.error()), expected, what);
  }
  void ExpectError(std::optional<Error> got, Error expected, std::string_view what) {
    ExpectErrorIs(got, expected, what);
  }
  /// Read gave exactly this.
  void ExpectData(const Result<std::string>& got, std::string_view expected, std::string_view what);

  /// Every state that a connection of either side has been in.
  StateSet StatesSeen() const;

  /// Says what was measured, apart from the ladder.
  void Say(std::string sentence) { summary_.push_back(std::move(sentence)); }
  void SetDelivered(std::uint64_t bytes) { delivered_ = bytes; }

  void Fail(std::string sentence) { failures_.push_back(std::move(sentence)); }
  /// Finishes: looks for faults that never hit, and hands over what was collected.
  ScenarioResult Finish();
  /// What was wrong with the options; empty if nothing.
  const std::string& usage_error() const { return usage_error_; }

 private:
  friend class ScenarioHost;

  struct Move {
    Time at;
    State from;
    State to;
  };
  // Follows the states of one side's connections.
  class Tracker : public Observer {
   public:
    unsigned Interests() const override { return kTransitions; }
    void OnRule(const RuleEvent& event) override;
    const std::vector<Move>* Youngest() const;
    void Forget() { moves_.clear(); }
    StateSet seen() const { return seen_; }

   private:
    std::map<ConnectionNumber, std::vector<Move>> moves_;
    StateSet seen_ = 0;
  };
  // Remembers what was sent.
  class Recorder : public Tap {
   public:
    void OnPacket(const PacketReport& report) override;
    std::vector<Time> TimesOf(Side side, std::uint16_t flags) const;
    const std::vector<SentSegment>& sent() const { return sent_; }

   private:
    std::vector<SentSegment> sent_;
    observe::IsnBook isns_;
  };

  void TakeValues();
  static WorldConfig MakeWorld(const Scenario& scenario, const ScenarioOptions& options,
                               std::string& usage_error);
  void ExpectErrorIs(std::optional<Error> got, Error expected, std::string_view what);
  std::string When() const;
  void StopDrawing();
  void CloseQuietly(ScenarioHost& host, bool live);
  void ExpectZero(Side side, std::uint64_t count, const char* what);

  const Scenario& scenario_;
  ScenarioOptions options_;
  std::string usage_error_;
  observe::LadderBuilder builder_;
  LadderTap ladder_tap_;
  CaptureTap capture_tap_;
  std::array<Tracker, 2> trackers_;
  Recorder recorder_;
  std::array<std::optional<PathConfig>, 2> uncut_;
  World world_;  // after everything that watches it
  ScenarioHost a_;
  ScenarioHost b_;
  std::vector<ParameterValue> parameters_;
  std::vector<std::string> failures_;
  std::vector<std::string> summary_;
  std::uint64_t delivered_ = 0;
};

}  // namespace estab::sim
