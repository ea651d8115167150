#include "tcp/timers.h"

#include <algorithm>

#include "tcp/policy.h"
#include "tcp/rtt.h"
#include "tcp/send_queue.h"
#include "tcp/sender.h"

namespace estab::tcp {
namespace {

void Set(Context& cx, Tcb& tcb, Time& deadline, TimerKind kind, Time at) {
  deadline = at;
  cx.recorder.Timer(cx.now, tcb.number, tcb.tuple, kind, TimerEvent::What::kArmed, at);
}

void Clear(Context& cx, Tcb& tcb, Time& deadline, TimerKind kind) {
  if (deadline == kNever) return;
  deadline = kNever;
  cx.recorder.Timer(cx.now, tcb.number, tcb.tuple, kind, TimerEvent::What::kCancelled);
}

void Refine(Tcb& tcb, const LossState& loss) { tcb.fine_at = loss.deadline(); }

// `wait`, but no longer than TCP_USER_TIMEOUT leaves.
Duration WithinUserTimeout(const Context& cx, const Tcb& tcb, Duration wait) {
  if (tcb.options->user_timeout_ms == 0) return wait;
  const Stamp elapsed = cx.stamp() - tcb.series_began;
  const std::int64_t left = std::int64_t{tcb.options->user_timeout_ms} - elapsed;
  return std::min<Duration>(wait, std::chrono::milliseconds(std::max<std::int64_t>(left, 1)));
}

constexpr std::chrono::seconds kLongestRecord(60);  // what Linux's TIME_WAIT holds at most

Duration FinWait2Time(const Context& cx, const Tcb& tcb) {
  const std::int64_t seconds = tcb.options->fin_wait2_seconds > 0 ? tcb.options->fin_wait2_seconds
                                                                  : cx.settings.fin_timeout_s;
  return std::max<Duration>(std::chrono::seconds(seconds), BackedOffRto(cx, tcb) * 7 / 2);
}

// The part of it that Linux spends in a record: all, or what lies above a minute, which it has then
// spent once already.
Duration FinWait2InRecord(const Context& cx, const Tcb& tcb) {
  const Duration all = FinWait2Time(cx, tcb);
  if (all <= kLongestRecord) return all;
  return std::max<Duration>(all - kLongestRecord, BackedOffRto(cx, tcb) * 7 / 2);
}

}  // namespace

void ArmRetransmit(Context& cx, Tcb& tcb, Duration wait) {
  if (tcb.persisting) DisarmRetransmit(cx, tcb);
  if (tcb.retransmit_at == kNever && tcb.rtt.repeats == 0) tcb.series_began = cx.stamp();
  const bool counts = tcb.rtt.repeats != 0 || !cx.settings.policy.give_up_by_time;
  if (counts) wait = WithinUserTimeout(cx, tcb, wait);
  Set(cx, tcb, tcb.retransmit_at, TimerKind::kRetransmit, cx.now + wait);
}

void ArmPersist(Context& cx, Tcb& tcb, Duration wait) {
  if (!tcb.persisting) {
    tcb.persisting = true;
    tcb.series_began = cx.stamp();
    tcb.rtt.repeats = 0;
  } else {
    wait = WithinUserTimeout(cx, tcb, wait);
  }
  Set(cx, tcb, tcb.retransmit_at, TimerKind::kPersist, cx.now + wait);
}

void DisarmRetransmit(Context& cx, Tcb& tcb) {
  Clear(cx, tcb, tcb.retransmit_at, tcb.persisting ? TimerKind::kPersist : TimerKind::kRetransmit);
  if (tcb.persisting) tcb.rtt.backoff = 0;
  tcb.persisting = false;
}

void ArmProbe(Context& cx, Tcb& tcb, LossState& loss, Time at) {
  Set(cx, tcb, loss.probe_at, TimerKind::kTailProbe, at);
  Refine(tcb, loss);
}

void DisarmProbe(Context& cx, Tcb& tcb, LossState& loss) {
  Clear(cx, tcb, loss.probe_at, TimerKind::kTailProbe);
  Refine(tcb, loss);
}

void ArmReorder(Context& cx, Tcb& tcb, LossState& loss, Duration wait) {
  Set(cx, tcb, loss.reorder_at, TimerKind::kReorder, cx.now + wait);
  Refine(tcb, loss);
}

void DisarmReorder(Context& cx, Tcb& tcb, LossState& loss) {
  Clear(cx, tcb, loss.reorder_at, TimerKind::kReorder);
  Refine(tcb, loss);
}

void ArmPace(Context& cx, Tcb& tcb, LossState& loss, Time at) {
  Set(cx, tcb, loss.pace_at, TimerKind::kPacing, at);
  Refine(tcb, loss);
}

void DisarmPace(Context& cx, Tcb& tcb, LossState& loss) {
  Clear(cx, tcb, loss.pace_at, TimerKind::kPacing);
  Refine(tcb, loss);
}

void ArmDelayedAck(Context& cx, Tcb& tcb, Duration wait) {
  Set(cx, tcb, tcb.delayed_ack_at, TimerKind::kDelayedAck, cx.now + wait);
}

void DisarmDelayedAck(Context& cx, Tcb& tcb) {
  Clear(cx, tcb, tcb.delayed_ack_at, TimerKind::kDelayedAck);
}

void UpdateKeepalive(Context& cx, Tcb& tcb, bool fresh) {
  constexpr StateSet kWatched = In(State::kEstablished) | In(State::kCloseWait) |
                                In(State::kFinWait1) | In(State::kFinWait2) | In(State::kClosing) |
                                In(State::kLastAck);
  if (!IsIn(tcb.state, kWatched) || (tcb.orphan && tcb.state == State::kFinWait2)) return;
  if (!tcb.options->keepalive) {
    Clear(cx, tcb, tcb.idle_at, TimerKind::kKeepalive);
    return;
  }
  const std::chrono::milliseconds heard(fresh ? 0 : cx.stamp() - tcb.last_heard);
  const Time at = std::max(cx.now, cx.now + KeepaliveIdle(cx, tcb) - heard);
  Set(cx, tcb, tcb.idle_at, TimerKind::kKeepalive, at);
}

void ArmKeepalive(Context& cx, Tcb& tcb, Duration wait) {
  Set(cx, tcb, tcb.idle_at, TimerKind::kKeepalive, cx.now + wait);
}

void ArmFinWait2(Context& cx, Tcb& tcb) {
  Duration wait = FinWait2Time(cx, tcb);
  tcb.record = cx.settings.policy.fin_wait2_is_record && wait <= kLongestRecord;
  if (cx.settings.policy.fin_wait2_is_record && !tcb.record) wait -= kLongestRecord;
  Set(cx, tcb, tcb.idle_at, TimerKind::kFinWait2, cx.now + wait);
  if (tcb.record) tcb.last_challenge = 0;  // it counts for itself
}

bool FinWait2GoesOn(Context& cx, Tcb& tcb) {
  if (!cx.settings.policy.fin_wait2_is_record || tcb.record) return false;
  tcb.record = true;
  tcb.last_challenge = 0;
  Set(cx, tcb, tcb.idle_at, TimerKind::kFinWait2, cx.now + FinWait2InRecord(cx, tcb));
  return true;
}

bool UserTimeoutPassed(const Context& cx, const Tcb& tcb) {
  const bool counts = tcb.rtt.repeats != 0 || tcb.persisting || !cx.settings.policy.give_up_by_time;
  return tcb.options->user_timeout_ms != 0 && counts &&
         cx.stamp() - tcb.series_began >= tcb.options->user_timeout_ms;
}

void UpdatePersistTimer(Context& cx, Tcb& tcb) {
  constexpr StateSet kSending = In(State::kEstablished) | In(State::kCloseWait) |
                                In(State::kFinWait1) | In(State::kClosing) | In(State::kLastAck);
  const bool waiting = IsIn(tcb.state, kSending) && tcb.syn_acked && Outstanding(tcb) == 0 &&
                       SendEnd(cx, tcb) != tcb.snd.nxt && !tcb.pending.force &&
                       !WindowAllowsSending(cx, tcb);
  if (waiting && !tcb.persisting) {
    ArmPersist(cx, tcb, BackedOffRto(cx, tcb));
  } else if (!waiting && tcb.persisting && !tcb.pending.probe && !tcb.pending.force) {
    DisarmRetransmit(cx, tcb);
  }
}

}  // namespace estab::tcp
