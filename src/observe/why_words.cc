#include "observe/why_words.h"

#include "observe/format.h"
#include "observe/text.h"

namespace estab::observe {
namespace {

std::string CallSentence(CallKind call) {
  switch (call) {
    case CallKind::kNone:
      return "a call was made";
    case CallKind::kShutdownWrite:
      return "shutdown(SHUT_WR) was called";
    case CallKind::kShutdownRead:
      return "shutdown(SHUT_RD) was called";
    default:
      return fmt::format("{}() was called", CallName(call));
  }
}

std::string TimerWords(TimerKind timer) {
  switch (timer) {
    case TimerKind::kRetransmit:
      return "the retransmission timer";
    case TimerKind::kPersist:
      return "the persist timer";
    case TimerKind::kDelayedAck:
      return "the delayed-ACK timer";
    case TimerKind::kTailProbe:
      return "the tail loss probe's timer";
    case TimerKind::kReorder:
      return "the reordering timer";
    case TimerKind::kTimeWait:
      return "the 2MSL timer";
    case TimerKind::kUserTimeout:
      return "the user's own time-out";
    default:
      return fmt::format("the {} timer", TimerName(timer));
  }
}

std::string Bytes(std::uint64_t n) { return Counted(n, "byte"); }

// "repeat 3 of at most 5", from what was done and what is left.
std::string Repeat(unsigned done, const std::optional<unsigned>& left) {
  if (!left) return fmt::format("repeat {}", done + 1);
  return fmt::format("repeat {} of at most {}", done + 1, done + *left);
}

std::string RetransmitEffect(const ConnectionInfo& info) {
  const bool last = info.repeats_left == 0u;
  const std::string repeat = Repeat(info.retransmits, info.repeats_left);
  switch (info.state) {
    case State::kSynSent:
      if (last) return "no SYN was answered: the attempt is given up, with ETIMEDOUT";
      return fmt::format("the same SYN goes out again, {}", repeat);
    case State::kSynRcvd:
      if (last && info.passive) return "the record is dropped; the application never hears of it";
      if (last) return "the attempt is given up, with ETIMEDOUT";
      return fmt::format("the same SYN|ACK goes out again, {}", repeat);
    default:
      break;
  }
  if (last && info.orphan) return "no repeat was acknowledged: CLOSED, and nobody is left to tell";
  if (last) return "no repeat was acknowledged: CLOSED, and the application gets ETIMEDOUT";
  return fmt::format("the oldest segment that is not acknowledged goes out again, {}", repeat);
}

std::string TimerEffect(const ConnectionInfo& info) {
  const bool last = info.repeats_left == 0u;
  switch (info.timer) {
    case TimerKind::kRetransmit:
      return RetransmitEffect(info);
    case TimerKind::kPersist:
      if (last) return "no probe was answered: CLOSED, with ETIMEDOUT";
      return "a probe asks whether the peer's closed window has opened";
    case TimerKind::kTailProbe:
      return "a probe asks whether the end of what was sent has arrived";
    case TimerKind::kReorder:
      return "what later segments have overtaken counts as lost, and goes out again";
    case TimerKind::kPacing:
      return "the next burst may go";
    case TimerKind::kDelayedAck:
      return "the ACK that is owed goes out by itself";
    case TimerKind::kKeepalive:
      if (last) return "no keepalive probe was answered: reset, and ETIMEDOUT";
      return fmt::format("if the peer stays silent, a keepalive probe asks whether it lives, {}",
                         Repeat(info.probes, info.repeats_left));
    case TimerKind::kFinWait2:
      return "CLOSED, without having seen the peer's FIN (tcp_fin_timeout)";
    case TimerKind::kTimeWait:
      return "every old duplicate is dead: CLOSED, and the four-tuple is free";
    default:
      return "its time-out is reported";
  }
}

}  // namespace

std::string MillisText(Duration span) { return SecondsText(span, 3) + " s"; }

std::string CauseSentence(const Cause& cause) {
  switch (cause.trigger) {
    case Trigger::kCall:
      return CallSentence(cause.call);
    case Trigger::kTimer:
      return TimerWords(cause.timer) + " ran out";
    case Trigger::kIcmp:
      return fmt::format("ICMP arrived (type {}, code {})", cause.icmp >> 8, cause.icmp & 0xffu);
    case Trigger::kSegment:
      break;
  }
  const SegmentSummary& s = cause.segment;
  const bool flags = (s.flags & ~unsigned{kPsh}) != 0;
  std::string out = flags ? FlagsText(s.flags) : "a segment without flags";
  out += fmt::format(" arrived (seq {}", s.seq);
  if ((s.flags & kAck) != 0) out += fmt::format(", ack {}", s.ack);
  if (s.length != 0) out += fmt::format(", {}", Bytes(s.length));
  return out + ")";
}

std::string RuleSentence(RuleId id) {
  const Rule& rule = GetRule(id);
  // A gist that begins with its call would say it twice.
  std::string_view gist = rule.gist;
  for (const std::string_view call : {"connect: ", "listen: "}) {
    if (gist.starts_with(call)) gist.remove_prefix(call.size());
  }
  return fmt::format("{} ({}) [{}]", gist, rule.section, rule.name);
}

std::string WaitsFor(const ConnectionInfo& info) {
  switch (info.state) {
    case State::kClosed:
      return "nothing";
    case State::kListen:
      return fmt::format("SYNs: {} half-open, {} to be accepted (room for {})", info.syn_queue,
                         info.accept_queue, info.backlog + 1);
    case State::kSynSent:
      return "the peer's SYN|ACK";
    case State::kSynRcvd:
      return "the ACK of our SYN";
    case State::kEstablished:
      if (info.send_queue != 0) return "the peer to acknowledge " + Bytes(info.send_queue);
      if (info.receive_queue != 0) {
        return "the application to read " + Bytes(info.receive_queue);
      }
      if (info.unaccepted) return "the application to accept it";
      return "nothing: both sides may send, neither has to";
    case State::kFinWait1:
      if (info.send_queue != 0) {
        return fmt::format("the ACK of our FIN, which follows {} not yet acknowledged",
                           Bytes(info.send_queue));
      }
      return "the ACK of our FIN";
    case State::kFinWait2:
      return "the peer's FIN: its application has not closed its side yet";
    case State::kCloseWait:
      return "our own application: the peer has closed, and until the application closes too, this "
             "stays (the stack never closes for it)";
    case State::kClosing:
      return "the ACK of our FIN; both sides closed at once";
    case State::kLastAck:
      return "the ACK of our FIN, the last word";
    case State::kTimeWait:
      return "old duplicates to die; a repeated FIN of the peer is acknowledged again";
  }
  return "nothing";
}

std::string NextSentence(const ConnectionInfo& info) {
  if (info.timer != TimerKind::kNone) {
    return fmt::format("in {} {} runs out: {}", MillisText(info.timer_in), TimerWords(info.timer),
                       TimerEffect(info));
  }
  switch (info.state) {
    case State::kEstablished:
    case State::kCloseWait:
    case State::kFinWait2:
      return "no timer runs: only a segment or a call changes anything. A peer that died without a "
             "word is not noticed before something is sent (or SO_KEEPALIVE is set)";
    case State::kClosed:
      return "nothing";
    default:
      return "no timer runs: only a segment or a call changes anything";
  }
}

}  // namespace estab::observe
