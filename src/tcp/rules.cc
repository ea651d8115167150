#include "tcp/rules.h"

#include "base/check.h"
#include "estab/observer.h"

namespace estab {
namespace {

constexpr StateSet CLOSED = In(State::kClosed);
constexpr StateSet LISTEN = In(State::kListen);
constexpr StateSet SYN_SENT = In(State::kSynSent);
constexpr StateSet SYN_RCVD = In(State::kSynRcvd);
constexpr StateSet ESTABLISHED = In(State::kEstablished);
constexpr StateSet FIN_WAIT_1 = In(State::kFinWait1);
constexpr StateSet FIN_WAIT_2 = In(State::kFinWait2);
constexpr StateSet CLOSE_WAIT = In(State::kCloseWait);
constexpr StateSet CLOSING = In(State::kClosing);
constexpr StateSet LAST_ACK = In(State::kLastAck);
constexpr StateSet TIME_WAIT = In(State::kTimeWait);
constexpr StateSet STAY = 0;

// The one state of a set; the set's lowest bit.
constexpr State Only(StateSet set) {
  unsigned bit = 0;
  while (bit < 15 && (set & (1u << bit)) == 0) ++bit;
  return static_cast<State>(bit);
}

constexpr Rule kRules[] = {
#define RULE(enumerator, name, from, trigger, to, basis, section, gist) \
  Rule{RuleId::enumerator, name,         static_cast<StateSet>(from),   \
       Trigger::trigger,   (to) != STAY, Only(to),                      \
       Basis::basis,       section,      gist},
#include "tcp/rules.def"
#undef RULE
};
static_assert(sizeof(kRules) / sizeof(kRules[0]) == tcp::kRuleCount);

}  // namespace

const Rule& GetRule(RuleId id) {
  ESTAB_CHECK(static_cast<std::size_t>(id) < tcp::kRuleCount);
  return kRules[static_cast<std::size_t>(id)];
}

std::size_t RuleCount() { return tcp::kRuleCount; }

const char* StateName(State state) {
  switch (state) {
    case State::kEstablished:
      return "ESTABLISHED";
    case State::kSynSent:
      return "SYN_SENT";
    case State::kSynRcvd:
      return "SYN_RCVD";
    case State::kFinWait1:
      return "FIN_WAIT_1";
    case State::kFinWait2:
      return "FIN_WAIT_2";
    case State::kTimeWait:
      return "TIME_WAIT";
    case State::kClosed:
      return "CLOSED";
    case State::kCloseWait:
      return "CLOSE_WAIT";
    case State::kLastAck:
      return "LAST_ACK";
    case State::kListen:
      return "LISTEN";
    case State::kClosing:
      return "CLOSING";
  }
  return "?";
}

const char* BasisName(Basis basis) {
  switch (basis) {
    case Basis::kMust:
      return "MUST";
    case Basis::kShould:
      return "SHOULD";
    case Basis::kMay:
      return "MAY";
    case Basis::kLinux:
      return "Linux";
    case Basis::kPolicy:
      return "policy";
  }
  return "?";
}

const char* TimerName(TimerKind kind) {
  switch (kind) {
    case TimerKind::kNone:
      return "none";
    case TimerKind::kTailProbe:
      return "tail-probe";
    case TimerKind::kReorder:
      return "reorder";
    case TimerKind::kPacing:
      return "pacing";
    case TimerKind::kRetransmit:
      return "retransmit";
    case TimerKind::kPersist:
      return "persist";
    case TimerKind::kDelayedAck:
      return "delayed ACK";
    case TimerKind::kKeepalive:
      return "keepalive";
    case TimerKind::kFinWait2:
      return "FIN_WAIT_2";
    case TimerKind::kTimeWait:
      return "2MSL";
    case TimerKind::kUserTimeout:
      return "user timeout";
  }
  return "?";
}

const char* CallName(CallKind kind) {
  switch (kind) {
    case CallKind::kNone:
      return "none";
    case CallKind::kListen:
      return "listen";
    case CallKind::kConnect:
      return "connect";
    case CallKind::kAccept:
      return "accept";
    case CallKind::kSend:
      return "send";
    case CallKind::kReceive:
      return "recv";
    case CallKind::kShutdownWrite:
      return "shutdown(write)";
    case CallKind::kShutdownRead:
      return "shutdown(read)";
    case CallKind::kClose:
      return "close";
    case CallKind::kAbort:
      return "abort";
  }
  return "?";
}

}  // namespace estab
