// What every event brings along: the time, the settings, the pools, and somebody who writes it
// down.
#pragma once

#include <array>
#include <cstdint>

#include "base/check.h"
#include "base/siphash.h"
#include "estab/observer.h"
#include "tcp/buffers.h"
#include "tcp/rules.h"
#include "tcp/settings.h"
#include "tcp/tcb.h"

namespace estab::tcp {

/// What has become of probes for a larger MTU (RFC 4821).
struct MtuProbeCounts {
  std::uint64_t sent = 0;
  std::uint64_t passed = 0;
  std::uint64_t lost = 0;
};

/// Counts rules as they fire and tells the observer. One a stack.
class Recorder {
 public:
  MtuProbeCounts mtu_probes;  // no rule of their own: they go with segments that have one

  void SetObserver(Observer* observer) {
    observer_ = observer;
    interests_ = observer == nullptr ? 0 : observer->Interests();
  }
  /// What is told is what the table says: aborts if the rule does not lead there from here.
  void Fired(Time at, ConnectionNumber number, const Tuple& tuple, State from, State to,
             RuleId rule, const Cause& cause) {
    Fired(at, number, tuple, from, to, rule, GetRule(rule), cause);
  }
  /// The same with the rule at hand.
  void Fired(Time at, ConnectionNumber number, const Tuple& tuple, State from, State to, RuleId id,
             const Rule& rule, const Cause& cause) {
    ESTAB_CHECK(IsIn(from, rule.from) && to == (rule.moves ? rule.to : from));
    ++counts_[static_cast<std::size_t>(id)];
    if ((interests_ & Observer::InterestOf(number, from, to)) == 0) return;
    observer_->OnRule(RuleEvent{at, number, tuple, from, to, id, cause});
  }
  /// Counts a rule that nobody wants to be told of.
  void Count(RuleId rule) { ++counts_[static_cast<std::size_t>(rule)]; }
  void Timer(Time at, ConnectionNumber number, const Tuple& tuple, TimerKind timer,
             TimerEvent::What what, Time deadline = kNever) {
    if (!Wants(Observer::kTimers)) return;
    observer_->OnTimer(TimerEvent{at, number, tuple, timer, what, deadline});
  }
  void Call(Time at, ConnectionNumber number, const Tuple& tuple, CallKind call, std::int64_t value,
            Error error) {
    if (!Wants(Observer::kCalls)) return;
    observer_->OnCall(CallEvent{at, number, tuple, call, value, error});
  }
  void Segment(Time at, ConnectionNumber number, const Tuple& tuple, bool sent,
               const SegmentSummary& segment) {
    if (!Wants(Observer::kSegments)) return;
    observer_->OnSegment(SegmentEvent{at, number, tuple, sent, segment});
  }
  bool Wants(unsigned interests) const { return (interests_ & interests) != 0; }
  const std::array<std::uint64_t, kRuleCount>& counts() const { return counts_; }

 private:
  Observer* observer_ = nullptr;
  unsigned interests_ = 0;
  std::array<std::uint64_t, kRuleCount> counts_{};
};

/// The stack's allowance of challenge ACKs (RFC 5961 §7), counted by the second. How many a second
/// has is drawn anew around the limit, so that nobody can learn from it what others do.
struct ChallengeBudget {
  SipKey key{};
  Stamp second = 0;
  std::int32_t limit = -1;  // as of the draw
  std::int32_t left = 0;
  std::uint64_t sent = 0;
  std::uint64_t limited = 0;
};

/// The surroundings of one event.
struct Context {
  Time now;
  const Settings& settings;
  Buffers& buffers;
  Recorder& recorder;
  ChallengeBudget& challenges;
  Cause cause;

  Stamp stamp() const { return StampOf(now); }
};

/// Fires `rule` for `tcb`: counts it, tells the observer, and, if the rule moves, changes the
/// state. No other function does. Aborts if the rule does not apply in the present state.
void Apply(Context& cx, Tcb& tcb, RuleId rule);

/// Fires `rule`, which must lead to CLOSED, ends all timers and frees the buffers. What arrived in
/// order stays readable, unless nobody can read it. `error` (if any) is what the user will be told.
void ApplyClosed(Context& cx, Tcb& tcb, RuleId rule);
void ApplyClosed(Context& cx, Tcb& tcb, RuleId rule, Error error);

}  // namespace estab::tcp
