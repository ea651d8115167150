// What happens when a connection's deadlines pass.
#include "tcp/ack_policy.h"
#include "tcp/congestion/congestion.h"
#include "tcp/path_mtu.h"
#include "tcp/policy.h"
#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/send_queue.h"
#include "tcp/sender.h"
#include "tcp/tail_probe.h"
#include "tcp/timers.h"

namespace estab::tcp {
namespace {

// What the user is told when retrying was in vain: the network's own word, if there was one.
Error GiveUpError(const Tcb& tcb) {
  return tcb.soft_error != 0 ? static_cast<Error>(tcb.soft_error) : Error::kTimedOut;
}

void OnSynTimeout(Context& cx, Tcb& tcb) {
  if (UserTimeoutPassed(cx, tcb)) {
    return ApplyClosed(cx, tcb, RuleId::kUserTimeout, GiveUpError(tcb));
  }
  const bool sent = tcb.state == State::kSynSent;
  const int linear = sent ? cx.settings.syn_linear_timeouts : 0;      // on top of the retries
  const bool fast_open = tcb.passive && tcb.options->syn_count == 0;  // one more, as Linux
  const int limit =
      (fast_open ? 1 : 0) + (sent ? SynRetries(cx, tcb) : SynAckRetries(cx, tcb)) + linear;
  // Linux's other limit: the time that the retries alone would take. It counts when SYNs that do
  // not double have used it up.
  const bool late = sent && tcb.rtt.repeats != 0 &&
                    std::chrono::milliseconds(cx.stamp() - tcb.series_began) >=
                        SynSeries(cx.settings, *tcb.options, SynRetries(cx, tcb));
  if (tcb.rtt.repeats >= limit || late) {
    return ApplyClosed(cx, tcb, sent ? RuleId::kSynGiveUp : RuleId::kSynAckGiveUpActive,
                       GiveUpError(tcb));
  }
  Apply(cx, tcb, sent ? RuleId::kSynTimeout : RuleId::kSynAckTimeout);
  if (tcb.rtt.repeats < UINT8_MAX) ++tcb.rtt.repeats;
  tcb.syn_repeated = true;
  EndSynTiming(tcb);  // Karn: which SYN would the answer be for?
  tcb.pending.syn = true;
  ArmRetransmit(cx, tcb, SynTimeout(cx.settings, *tcb.options, tcb.rtt.repeats, linear));
}

Duration SinceSeriesBegan(const Context& cx, const Tcb& tcb) {
  return std::chrono::milliseconds(cx.stamp() - tcb.series_began);
}

// Repeats that an orphan has, as Linux counts them: `alive` while the RTO has not reached its most,
// which says that something was sent not too long ago.
int OrphanRetriesByLinux(const Settings& settings, const Tcb& tcb, bool alive) {
  if (tcb.soft_error != 0 && !alive) return 0;
  return alive ? OrphanRetries(settings) : settings.orphan_retries;
}

// Linux's answer: by the time since the first repeat (retransmits_timed_out).
bool RepeatedForTooLong(const Context& cx, const Tcb& tcb) {
  if (tcb.rtt.repeats == 0) return false;
  const std::chrono::milliseconds longest(RtoMaxMs(cx.settings, *tcb.options));
  if (tcb.snd.wnd == 0 && !tcb.orphan) {
    // The window was closed over what is in flight: the repeats are probes, and only silence
    // counts.
    const std::chrono::milliseconds silent(cx.stamp() - tcb.last_heard);
    return silent > 2 * longest && SinceSeriesBegan(cx, tcb) > 2 * longest;
  }
  if (tcb.options->user_timeout_ms != 0) return false;  // it counts instead
  const bool alive = BackedOffRto(cx, tcb) < longest;
  const int retries =
      tcb.orphan ? OrphanRetriesByLinux(cx.settings, tcb, alive) : cx.settings.retries2;
  return SinceSeriesBegan(cx, tcb) >= RepeatSeries(cx.settings, *tcb.options, retries);
}

bool RepeatedInVain(const Context& cx, const Tcb& tcb) {
  if (cx.settings.policy.give_up_by_time) return RepeatedForTooLong(cx, tcb);
  if (tcb.orphan) return tcb.rtt.repeats >= OrphanRetries(cx.settings);
  return tcb.options->user_timeout_ms == 0 && tcb.rtt.repeats >= cx.settings.retries2;
}

// So many repeats that the path itself is in doubt: R1 of RFC 9293 §3.8.3.
bool PathInDoubt(const Context& cx, const Tcb& tcb) {
  const int retries = cx.settings.retries1;
  if (!cx.settings.policy.give_up_by_time) return tcb.rtt.repeats >= retries;
  return tcb.rtt.repeats != 0 &&
         SinceSeriesBegan(cx, tcb) >= RepeatSeries(cx.settings, *tcb.options, retries);
}

void OnRetransmitTimeout(Context& cx, Tcb& tcb) {
  if (UserTimeoutPassed(cx, tcb)) {
    return ApplyClosed(cx, tcb, RuleId::kUserTimeout, GiveUpError(tcb));
  }
  if (RepeatedInVain(cx, tcb)) {
    return ApplyClosed(cx, tcb, tcb.orphan ? RuleId::kOrphanGiveUp : RuleId::kRetransmitGiveUp,
                       GiveUpError(tcb));
  }
  const bool smaller = PathInDoubt(cx, tcb) && OnBlackHole(cx, tcb);
  Apply(cx, tcb, smaller ? RuleId::kRetransmitSmaller : RuleId::kRetransmit);
  EnterLossRecovery(cx, tcb);
  if (cx.settings.policy.give_up_by_time && tcb.rtt.repeats == 0) tcb.series_began = cx.stamp();
  if (tcb.rtt.repeats < UINT8_MAX) ++tcb.rtt.repeats;
  if (tcb.rtt.backoff < UINT8_MAX) ++tcb.rtt.backoff;
  if (!tcb.syn_acked) tcb.pending.syn = true;
  ArmRetransmit(cx, tcb, BackedOffRto(cx, tcb));
}

// An orphan gets its probes counted even if they are answered: nobody will ever read the reason. On
// Linux that begins when the wait has reached its most.
bool ProbedInVain(const Context& cx, const Tcb& tcb) {
  if (!tcb.orphan) return tcb.rtt.repeats >= cx.settings.retries2;
  if (!cx.settings.policy.give_up_by_time) return tcb.rtt.backoff >= OrphanRetries(cx.settings);
  const std::chrono::milliseconds longest(RtoMaxMs(cx.settings, *tcb.options));
  const bool alive = BackedOffRto(cx, tcb) < longest;
  const int retries = OrphanRetriesByLinux(cx.settings, tcb, alive);
  return tcb.rtt.repeats >= retries || (!alive && tcb.rtt.backoff >= retries);
}

void OnPersistTimeout(Context& cx, Tcb& tcb) {
  // TCP_USER_TIMEOUT counts from the first unanswered probe; on Linux from the first of all.
  const bool first =
      cx.settings.policy.give_up_by_time ? tcb.rtt.backoff == 0 : tcb.rtt.repeats == 0;
  if (first) tcb.series_began = cx.stamp();
  if (UserTimeoutPassed(cx, tcb)) {
    return ApplyClosed(cx, tcb, RuleId::kUserTimeout, GiveUpError(tcb));
  }
  if (ProbedInVain(cx, tcb)) {
    return ApplyClosed(cx, tcb, RuleId::kPersistGiveUp, GiveUpError(tcb));
  }
  Apply(cx, tcb, RuleId::kPersistProbe);
  if (UsableWindow(tcb) > 0) {
    tcb.pending.force = true;
  } else {
    tcb.pending.probe = true;
  }
  if (tcb.rtt.repeats < UINT8_MAX) ++tcb.rtt.repeats;
  if (tcb.rtt.backoff < UINT8_MAX) ++tcb.rtt.backoff;
  ArmPersist(cx, tcb, BackedOffRto(cx, tcb));
}

void OnKeepaliveTimeout(Context& cx, Tcb& tcb) {
  const bool busy = Outstanding(tcb) != 0 || SendEnd(cx, tcb) != tcb.snd.nxt;
  const auto silent = std::chrono::milliseconds(cx.stamp() - tcb.last_heard);
  if (busy || silent < KeepaliveIdle(cx, tcb)) {
    // Data in flight has its own timer; and a segment may have come since this was set.
    const Duration rest = busy ? KeepaliveIdle(cx, tcb) : KeepaliveIdle(cx, tcb) - silent;
    return ArmKeepalive(cx, tcb, rest);
  }
  const bool timed_out = tcb.options->user_timeout_ms != 0
                             ? tcb.keepalive_probes > 0 &&
                                   silent >= std::chrono::milliseconds(tcb.options->user_timeout_ms)
                             : tcb.keepalive_probes >= KeepaliveCount(cx, tcb);
  if (timed_out) {
    tcb.pending.reset = true;
    return ApplyClosed(cx, tcb, RuleId::kKeepaliveGiveUp, GiveUpError(tcb));
  }
  Apply(cx, tcb, RuleId::kKeepaliveProbe);
  ++tcb.keepalive_probes;
  tcb.pending.probe = true;
  ArmKeepalive(cx, tcb, KeepaliveInterval(cx, tcb));
}

void OnRetransmitDeadline(Context& cx, Tcb& tcb) {
  const bool persisting = tcb.persisting;
  tcb.retransmit_at = kNever;
  cx.recorder.Timer(cx.now, tcb.number, tcb.tuple,
                    persisting ? TimerKind::kPersist : TimerKind::kRetransmit,
                    TimerEvent::What::kFired);
  cx.cause.timer = persisting ? TimerKind::kPersist : TimerKind::kRetransmit;
  if (IsIn(tcb.state, In(State::kSynSent) | In(State::kSynRcvd))) return OnSynTimeout(cx, tcb);
  if (persisting) return OnPersistTimeout(cx, tcb);
  OnRetransmitTimeout(cx, tcb);
}

void TellFired(Context& cx, Tcb& tcb, TimerKind kind) {
  cx.recorder.Timer(cx.now, tcb.number, tcb.tuple, kind, TimerEvent::What::kFired);
  cx.cause.timer = kind;
}

void OnFineDeadline(Context& cx, Tcb& tcb) {
  LossState& loss = *LossOf(cx, tcb);
  tcb.fine_at = kNever;
  if (loss.probe_at <= cx.now) {
    loss.probe_at = kNever;
    TellFired(cx, tcb, TimerKind::kTailProbe);
    OnProbeTimeout(cx, tcb);
  }
  if (loss.reorder_at <= cx.now) {
    loss.reorder_at = kNever;
    TellFired(cx, tcb, TimerKind::kReorder);
    Apply(cx, tcb, RuleId::kReorderTimeout);
    OnReorderTimeout(cx, tcb, loss);
  }
  if (loss.pace_at <= cx.now) {  // what waited is on the stack's list of who may send
    loss.pace_at = kNever;
    TellFired(cx, tcb, TimerKind::kPacing);
  }
  tcb.fine_at = loss.deadline();
}

void OnDelayedAckDeadline(Context& cx, Tcb& tcb) {
  tcb.delayed_ack_at = kNever;
  cx.recorder.Timer(cx.now, tcb.number, tcb.tuple, TimerKind::kDelayedAck,
                    TimerEvent::What::kFired);
  cx.cause.timer = TimerKind::kDelayedAck;
  Apply(cx, tcb, RuleId::kDelayedAck);
  NoteAckDelayed(tcb);
  if (tcb.acks_owed == 0) tcb.acks_owed = 1;
}

void OnIdleDeadline(Context& cx, Tcb& tcb) {
  const bool fin_wait2 = tcb.state == State::kFinWait2 && tcb.orphan;
  const TimerKind kind = fin_wait2 ? TimerKind::kFinWait2 : TimerKind::kKeepalive;
  tcb.idle_at = kNever;
  cx.recorder.Timer(cx.now, tcb.number, tcb.tuple, kind, TimerEvent::What::kFired);
  cx.cause.timer = kind;
  if (fin_wait2) {
    if (!FinWait2GoesOn(cx, tcb)) ApplyClosed(cx, tcb, RuleId::kFinWait2Over);
    return;
  }
  OnKeepaliveTimeout(cx, tcb);
}

}  // namespace

void OnDeadline(Context& cx, Tcb& tcb) {
  cx.cause = Cause{};
  cx.cause.trigger = Trigger::kTimer;
  // A probe due together with the time-out goes in its place.
  if (tcb.fine_at <= cx.now) OnFineDeadline(cx, tcb);
  if (tcb.retransmit_at <= cx.now) OnRetransmitDeadline(cx, tcb);
  if (tcb.delayed_ack_at <= cx.now) OnDelayedAckDeadline(cx, tcb);
  if (tcb.idle_at <= cx.now) OnIdleDeadline(cx, tcb);
}

}  // namespace estab::tcp
