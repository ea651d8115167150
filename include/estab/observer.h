// Watching a stack: what happened, to whom, by which rule.
#pragma once

#include <cstdint>
#include <span>

#include "estab/address.h"
#include "estab/error.h"
#include "estab/packet.h"
#include "estab/rule.h"
#include "estab/time.h"

namespace estab {

/// A connection's number within its stack, from 1, in order of birth; 0 is "none". It stays with
/// the connection through its half-open record, its TCB and its TIME_WAIT record.
using ConnectionNumber = std::uint32_t;

/// TCP header flags as on the wire.
enum TcpFlag : std::uint16_t {
  kFin = 0x001,
  kSyn = 0x002,
  kRst = 0x004,
  kPsh = 0x008,
  kAck = 0x010,
  kUrg = 0x020,
  kEce = 0x040,
  kCwr = 0x080,
  kAe = 0x100,
};

/// The gist of a TCP segment, as observers see it. Numbers as on the wire, not relative.
struct SegmentSummary {
  std::uint16_t flags = 0;
  std::uint16_t window = 0;  // the field, unscaled
  std::uint32_t seq = 0;
  std::uint32_t ack = 0;
  std::uint32_t length = 0;  // payload bytes
  bool has_timestamp = false;
  std::uint32_t ts_value = 0;
  std::uint32_t ts_echo = 0;
};

/// The timers of a connection.
enum class TimerKind : std::uint8_t {
  kNone,
  kRetransmit,   // RFC 6298; SYN, SYN|ACK, data and FIN
  kPersist,      // zero-window probes, RFC 9293 §3.8.6.1
  kDelayedAck,   // RFC 1122 §4.2.3.2
  kKeepalive,    // RFC 9293 §3.8.4
  kFinWait2,     // an orphan's wait for the peer's FIN
  kTimeWait,     // 2MSL
  kUserTimeout,  // TCP_USER_TIMEOUT, a connection attempt's own limit
  kTailProbe,    // RFC 8985 §7: is the end of the flight lost?
  kReorder,      // RFC 8985 §6: how long what was overtaken may still take
  kPacing,       // the next burst's time
};
const char* TimerName(TimerKind kind);

/// The calls of a user that concern a connection.
enum class CallKind : std::uint8_t {
  kNone,
  kListen,
  kConnect,
  kAccept,
  kSend,
  kReceive,
  kShutdownWrite,
  kShutdownRead,
  kClose,
  kAbort,
};
const char* CallName(CallKind kind);

/// What made a rule fire. The member that `trigger` names is meaningful.
struct Cause {
  Trigger trigger = Trigger::kCall;
  CallKind call = CallKind::kNone;
  TimerKind timer = TimerKind::kNone;
  std::uint16_t icmp = 0;  // type << 8 | code
  SegmentSummary segment;
};

/// A rule fired. `from != to` is a transition. Connections that do not exist yet or any more have
/// number 0 and state kClosed (or kListen).
struct RuleEvent {
  Time at;
  ConnectionNumber number;
  const Tuple& tuple;
  State from;
  State to;
  RuleId rule;
  const Cause& cause;
};

/// A segment passed the boundary.
struct SegmentEvent {
  Time at;
  ConnectionNumber number;  // 0 for a reply that belongs to no connection
  const Tuple& tuple;
  bool sent;  // false: it arrived
  SegmentSummary segment;
};

/// A timer of a connection was set or ran out.
struct TimerEvent {
  enum class What : std::uint8_t { kArmed, kCancelled, kFired };
  Time at;
  ConnectionNumber number;
  const Tuple& tuple;
  TimerKind timer;
  What what;
  Time deadline;  // of kArmed
};

/// A user's call returned.
struct CallEvent {
  Time at;
  ConnectionNumber number;
  const Tuple& tuple;
  CallKind call;
  std::int64_t value;  // bytes, where the call counts them; negative: failed with `error`
  Error error;
};

/// Watches a stack. All events come in the order in which they happened, from within the verb or
/// call that caused them; an observer must not call back into the stack. References are valid for
/// the call only.
class Observer {
 public:
  /// What an observer wants to be told; anything else costs nothing.
  enum Interest : unsigned {
    kTransitions = 1,  // rules that changed a state
    kVerdicts = 2,     // every rule that fired
    kSegments = 4,
    kTimers = 8,
    kCalls = 16,
    kRefusals = 32,  // those verdicts that refused a segment for which there was no connection
  };
  /// The interests that a rule with these numbers and states concerns.
  static constexpr unsigned InterestOf(ConnectionNumber number, State from, State to) {
    if (from != to) return kVerdicts | kTransitions;
    const bool nobody = number == 0 || from == State::kListen;
    return nobody ? kVerdicts | kRefusals : unsigned{kVerdicts};
  }
  /// Asked whenever the observer is attached.
  virtual unsigned Interests() const = 0;

  virtual void OnRule(const RuleEvent&) {}
  virtual void OnSegment(const SegmentEvent&) {}
  virtual void OnTimer(const TimerEvent&) {}
  virtual void OnCall(const CallEvent&) {}

 protected:
  ~Observer() = default;
};

}  // namespace estab
