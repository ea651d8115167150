// States, and the rules by which everything happens. The table itself is in src/tcp/rules.def.
#pragma once

#include <cstddef>
#include <cstdint>

namespace estab {

/// The eleven states of RFC 9293 §3.3.2. The values are Linux's (enum tcp_state), so that they can
/// be handed out in TCP_INFO as they are.
enum class State : std::uint8_t {
  kEstablished = 1,
  kSynSent = 2,
  kSynRcvd = 3,
  kFinWait1 = 4,
  kFinWait2 = 5,
  kTimeWait = 6,
  kClosed = 7,
  kCloseWait = 8,
  kLastAck = 9,
  kListen = 10,
  kClosing = 11,
};

/// "ESTABLISHED", "FIN_WAIT_1" and so on. Static storage.
const char* StateName(State state);

/// A set of states: bit number is the state's value.
using StateSet = std::uint16_t;
constexpr StateSet In(State s) { return static_cast<StateSet>(1u << static_cast<unsigned>(s)); }

/// What a rule rests on.
enum class Basis : std::uint8_t {
  kMust,    // an RFC's MUST
  kShould,  // an RFC's SHOULD
  kMay,     // an RFC's MAY
  kLinux,   // not in an RFC: what Linux does, and so what the Internet expects
  kPolicy,  // estab's own decision; docs/decisions says why
};

/// "MUST", "SHOULD", "MAY", "Linux", "policy". Static storage.
const char* BasisName(Basis basis);

/// What kind of event a rule answers.
enum class Trigger : std::uint8_t { kCall, kSegment, kTimer, kIcmp };

/// Names one rule. The enumerators are internal (src/tcp/rules.h); GetRule tells what one means.
enum class RuleId : std::uint16_t;

/// One rule: when it applies, where it leads, and why it exists. Every segment that arrives ends in
/// exactly one rule, and a state changes only by a rule that names the state it leads to: the same
/// table executes, explains, counts and draws.
struct Rule {
  RuleId id;
  const char* name;  // "syn-sent-syn-ack"
  StateSet from;     // where it applies
  Trigger trigger;
  bool moves;  // whether the state becomes `to`
  State to;    // meaningful only if `moves`
  Basis basis;
  const char* section;  // "RFC 9293 §3.10.7.3"
  const char* gist;     // one line in plain English
};

/// The rule that `id` names. Static storage. `id` must come from this library.
const Rule& GetRule(RuleId id);

/// How many rules there are; ids run from 0 to RuleCount() - 1.
std::size_t RuleCount();

}  // namespace estab
