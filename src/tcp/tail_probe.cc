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

// RFC 8985 §7.2: two round trips, and for a single segment what the peer may delay its ACK by. That
// is 200 ms at worst; where round trips have varied by less, as much as they have.
Duration ProbeTimeout(const Context& cx, const Tcb& tcb, const LossState& loss) {
  constexpr std::chrono::milliseconds kLongestAckDelay(200);
  const Duration two_trips = std::chrono::microseconds(tcb.rtt.srtt8 / 4);
  if (loss.flight.count() > 1) return two_trips;
  if (cx.settings.policy.probes_as_linux) return two_trips + kLongestAckDelay;
  return two_trips + std::min<Duration>(kLongestAckDelay, std::chrono::microseconds(tcb.rtt.mdev4));
}

}  // namespace

void ScheduleProbe(Context& cx, Tcb& tcb) {
  LossState* loss = LossOf(cx, tcb);
  if (loss == nullptr) return;
  if (!ProbeHelps(cx, tcb, *loss)) return DisarmProbe(cx, tcb, *loss);
  const Time at = cx.now + ProbeTimeout(cx, tcb, *loss);
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
  ArmRetransmit(cx, tcb, BackedOffRto(cx, tcb));
}

}  // namespace estab::tcp
