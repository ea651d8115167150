#include "tcp/tail_probe.h"

#include <algorithm>

#include "tcp/recovery.h"
#include "tcp/rtt.h"
#include "tcp/send_queue.h"
#include "tcp/timers.h"

namespace estab::tcp {
namespace {

// The last segment was sent with nothing else on its way: what follows a request, mostly.
bool Alone(const LossState& loss) {
  const Flight& flight = loss.flight;
  return flight.count() == 1 && flight[flight.last()].in_flight == flight.SizeOf(flight.last());
}

// Nothing is known to be missing, no probe is under way, and the round trip is known: without it
// the time-out is a guess that leaves room enough.
bool ProbeHelps(const Context& cx, const Tcb& tcb, const LossState& loss) {
  const bool calm = tcb.recovery == Recovery::kOpen || tcb.recovery == Recovery::kReduced;
  return cx.settings.early_retrans >= 3 && tcb.sack && tcb.syn_acked && calm && !tcb.persisting &&
         tcb.retransmit_at != kNever && !loss.flight.empty() && !loss.probe.out &&
         loss.flight.sacked_count() == 0 && tcb.rtt.repeats == 0 && tcb.rtt.srtt8 != 0 &&
         (cx.settings.policy.probes_as_linux || !Alone(loss));
}

// RFC 8985 §7.2 waits two round trips after every segment and every ACK, and for a single segment
// as long as a peer may delay its ACK, 200 ms at worst. That is what Linux does. But two round
// trips after the last transmission its ACK is overdue, if none came for a whole one; and most
// peers acknowledge the end of a burst at once: only one that is known not to gets the time. The
// others get two ticks (as on Linux), for over a path of microseconds an ACK takes as long as its
// sender takes to be scheduled.
Time ProbeDue(const Context& cx, const Tcb& tcb, const LossState& loss) {
  constexpr std::chrono::milliseconds kLongestAckDelay(200);
  constexpr std::chrono::milliseconds kTwoTicks(2);
  const Duration trip = std::chrono::microseconds(tcb.rtt.srtt8 / 8);
  const bool as_linux = cx.settings.policy.probes_as_linux;
  const bool patient = loss.flight.count() == 1 && (as_linux || tcb.probes_wait);
  const Duration extra = patient ? kLongestAckDelay : kTwoTicks;
  if (as_linux) return cx.now + 2 * trip + extra;
  const Time last_sent = loss.flight[loss.flight.last()].sent_at;
  return std::max(last_sent + 2 * trip, cx.now + trip) + extra;
}

}  // namespace

void ScheduleProbe(Context& cx, Tcb& tcb) {
  LossState* loss = LossOf(cx, tcb);
  if (loss == nullptr) return;
  if (!ProbeHelps(cx, tcb, *loss)) return DisarmProbe(cx, tcb, *loss);
  const Time at = ProbeDue(cx, tcb, *loss);
  if (at < tcb.retransmit_at) return ArmProbe(cx, tcb, *loss, at);
  if (!cx.settings.policy.probes_as_linux) return DisarmProbe(cx, tcb, *loss);
  ArmProbe(cx, tcb, *loss, tcb.retransmit_at);
}

void OnProbeTimeout(Context& cx, Tcb& tcb) {
  Apply(cx, tcb, RuleId::kTailProbe);
  tcb.pending.tail = true;
  ArmRetransmit(cx, tcb, BackedOffRto(cx, tcb));
}

void NoteProbeSent(Context& cx, Tcb& tcb, LossState& loss, bool repeat, SndSeq end) {
  tcb.pending.tail = false;
  loss.probe.out = true;
  loss.probe.repeats = repeat;
  loss.probe.end = end;
  loss.probe.sent_at = cx.now;
  ArmRetransmit(cx, tcb, BackedOffRto(cx, tcb));
}

}  // namespace estab::tcp
