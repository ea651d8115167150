// Setting and clearing a connection's deadlines, told to observers.
#pragma once

#include "tcp/context.h"
#include "tcp/send_queue.h"

namespace estab::tcp {

/// Sets the retransmission deadline `wait` from now, but not beyond the user's own time-out.
void ArmRetransmit(Context& cx, Tcb& tcb, Duration wait);
/// Starts or goes on probing a closed window, `wait` from now.
void ArmPersist(Context& cx, Tcb& tcb, Duration wait);
/// Clears either.
void DisarmRetransmit(Context& cx, Tcb& tcb);

/// The deadlines of LossState, exact to the nanosecond.
void ArmProbe(Context& cx, Tcb& tcb, LossState& loss, Time at);
void DisarmProbe(Context& cx, Tcb& tcb, LossState& loss);
void ArmReorder(Context& cx, Tcb& tcb, LossState& loss, Duration wait);
void DisarmReorder(Context& cx, Tcb& tcb, LossState& loss);
void ArmPace(Context& cx, Tcb& tcb, LossState& loss, Time at);
void DisarmPace(Context& cx, Tcb& tcb, LossState& loss);

void ArmDelayedAck(Context& cx, Tcb& tcb, Duration wait);
void DisarmDelayedAck(Context& cx, Tcb& tcb);

/// Sets the keepalive deadline if SO_KEEPALIVE is on, and clears it if it is not. The idle time is
/// counted from the last word of the peer; from now on if it has just been switched on (`fresh`).
void UpdateKeepalive(Context& cx, Tcb& tcb, bool fresh = false);
/// Sets the keepalive deadline `wait` from now: between probes, and for what is left of the idle
/// time.
void ArmKeepalive(Context& cx, Tcb& tcb, Duration wait);
/// Sets an orphan's FIN_WAIT_2 deadline: max(tcp_fin_timeout, 3.5 RTO), or TCP_LINGER2.
void ArmFinWait2(Context& cx, Tcb& tcb);
/// That deadline has come. True: it was the first part of a time over a minute, as Linux takes it;
/// from now on `tcb` counts as a record, for the second part.
bool FinWait2GoesOn(Context& cx, Tcb& tcb);
/// Whether Linux would by now have made a record of this orphan in FIN_WAIT_2, and the policy
/// follows it.
inline bool FinWait2IsRecord(const Tcb& tcb) { return tcb.record && tcb.state == State::kFinWait2; }

/// The earliest of the deadlines that a tick is exact enough for.
inline Time EarliestCoarseDeadline(const Tcb& tcb) {
  Time t = tcb.retransmit_at;
  if (tcb.delayed_ack_at < t) t = tcb.delayed_ack_at;
  if (tcb.idle_at < t) t = tcb.idle_at;
  return t;
}

/// The earliest of all deadlines.
inline Time EarliestDeadline(const Tcb& tcb) {
  const Time coarse = EarliestCoarseDeadline(tcb);
  return tcb.fine_at < coarse ? tcb.fine_at : coarse;
}

/// True once TCP_USER_TIMEOUT (if set) has passed since `tcb.series_began`. By Linux's clockwork it
/// counts only once something has been repeated.
bool UserTimeoutPassed(const Context& cx, const Tcb& tcb);

/// Fires every deadline of `tcb` that is due.
void OnDeadline(Context& cx, Tcb& tcb);

/// Starts the persist timer if data waits, nothing is in flight, and the window forbids sending.
/// Called after every event.
void UpdatePersistTimer(Context& cx, Tcb& tcb);
inline void UpdatePersist(Context& cx, Tcb& tcb) {
  if (tcb.persisting || SendEnd(cx, tcb) != tcb.snd.nxt) UpdatePersistTimer(cx, tcb);
}

}  // namespace estab::tcp
