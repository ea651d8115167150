// Collects what observers and a path report into a ladder.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "estab/observer.h"
#include "observe/isn_book.h"
#include "observe/ladder.h"
#include "observe/peer_inference.h"

namespace estab::observe {

/// Builds a Ladder. With both hosts in reach (the virtual world), attach Of(kA) and Of(kB) to the
/// stacks and report each segment's fate with AddSegment. On a real link, where only our host is
/// observed, construct it with `one_sided`: segments then come from the observer of side A, and B's
/// column is inferred from them and marked so.
class LadderBuilder {
 public:
  struct Options {
    bool one_sided = false;
    /// Keep to one connection: the first that has both ends. Otherwise everything is drawn.
    bool first_connection_only = false;
    bool calls = true;      // record the observers' CallEvents; off where a script records its own
    bool verdicts = false;  // record rules that changed no state, too
    std::size_t max_rows = 20'000;  // later rows are counted, not kept; changes of state always are
  };

  LadderBuilder() : LadderBuilder(Options{}) {}
  explicit LadderBuilder(const Options& options);
  LadderBuilder(const LadderBuilder&) = delete;
  LadderBuilder& operator=(const LadderBuilder&) = delete;

  /// The observer for one side's stack; lives as long as the builder.
  Observer* Of(Side side) { return &sides_[Index(side)]; }

  /// Names a column. An empty endpoint is filled in from the first connection seen.
  void SetHost(Side side, std::string name, std::string endpoint = {});
  void SetTitle(std::string title) { ladder_.title = std::move(title); }
  void SetNumbers(Numbers numbers) { ladder_.numbers = numbers; }

  /// A segment that left `segment.from` (bases are filled in here, from the SYNs seen so far).
  /// `sender` and `receiver` are its ends. `remember_isn` is false for forged or old segments,
  /// whose SYN must not change what numbers are relative to.
  void AddSegment(LadderSegment segment, const Endpoint& sender, const Endpoint& receiver,
                  bool remember_isn = true);
  /// Something to say.
  void AddNote(Time at, std::optional<Side> side, std::string text);
  /// `side` is gone, and every state with it: what is left of it is drawn as CLOSED, by `rule`.
  void LoseStates(Time at, Side side, std::string rule, std::string gist);
  /// `side` is now in `to`: for hosts that a script plays.
  void AddState(Time at, Side side, State to, std::string rule, std::string section = {});
  /// Leaves everything out from now on, or no more: for what is like what was drawn before.
  void SetPaused(bool paused) { paused_ = paused; }
  /// Draws only what goes on between these two addresses.
  void OnlyBetween(const IpAddress& a, const IpAddress& b) { between_ = {a, b}; }
  /// Draws only the connections of these ports of A, and what has no connection.
  void OnlyPorts(std::set<std::uint16_t> of_a) { ports_ = std::move(of_a); }
  /// Draws another name and section for the rule `name`: where a script has bent what it means.
  void Explain(std::string name, std::string shown, std::string section) {
    explained_[std::move(name)] = {std::move(shown), std::move(section)};
  }
  /// A call begins; give the returned number to EndCall with its result.
  std::size_t BeginCall(Time at, Side side, std::string text);
  void EndCall(std::size_t call, std::string result);

  /// The ladder so far, sorted. Timers still running are left out.
  Ladder Build() const;

 private:
  class SideObserver : public Observer {
   public:
    unsigned Interests() const override;
    void OnRule(const RuleEvent& event) override;
    void OnSegment(const SegmentEvent& event) override;
    void OnTimer(const TimerEvent& event) override;
    void OnCall(const CallEvent& event) override;
    LadderBuilder* builder = nullptr;
    Side side = Side::kA;
  };
  struct TimerKey {
    Side side;
    ConnectionNumber number;
    TimerKind kind;
    friend auto operator<=>(const TimerKey&, const TimerKey&) = default;
  };

  // Whether events of `tuple`, as `side` sees it, belong in; locks on to the first if so asked.
  bool Follow(Side side, const Tuple& tuple);
  void LearnEndpoints(Side side, const Tuple& tuple);
  // How `end` is written where it is not the one in that column's head; else empty.
  std::string EndApart(Side side, const Endpoint& end) const;
  // Whether that segment's window is closed, or was the last time.
  bool WindowMatters(const SegmentSummary& segment, const Tuple& tuple);
  // Its index in rows, or kFull.
  std::size_t Add(LadderRow row, bool always = false);
  void InferPeer(const SegmentEvent& event);

  static constexpr std::size_t kFull = static_cast<std::size_t>(-1);

  Options options_;
  Ladder ladder_;
  std::array<SideObserver, 2> sides_;
  bool paused_ = false;
  std::optional<std::pair<IpAddress, IpAddress>> between_;
  std::set<std::uint16_t> ports_;  // of A; empty: all
  std::optional<Tuple> followed_;  // as side A sees it
  std::array<std::optional<Endpoint>, 2> heads_;
  std::set<Tuple> closed_windows_;  // as their owners see them
  std::optional<Time> first_;
  std::array<State, 2> state_{State::kClosed, State::kClosed};  // as last drawn
  std::map<TimerKey, Time> running_;
  std::map<std::string, std::pair<std::string, std::string>> explained_;
  IsnBook isns_;
  std::map<Tuple, PeerInference> peers_;
};

}  // namespace estab::observe
