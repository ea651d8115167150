#include "tcp/context.h"

#include "base/check.h"

namespace estab::tcp {

void Apply(Context& cx, Tcb& tcb, RuleId id) {
  const Rule& rule = GetRule(id);
  const State from = tcb.state;
  if (rule.moves) tcb.state = rule.to;
  cx.recorder.Fired(cx.now, tcb.number, tcb.tuple, from, tcb.state, id, rule, cx.cause);
}

void ApplyClosed(Context& cx, Tcb& tcb, RuleId rule) {
  Apply(cx, tcb, rule);
  ESTAB_CHECK(tcb.state == State::kClosed || tcb.state == State::kListen);
  const std::uint32_t kept = tcb.orphan ? kNoSlot : tcb.receive_buffer;
  if (!tcb.orphan) tcb.receive_buffer = kNoSlot;
  cx.buffers.Detach(tcb);
  tcb.receive_buffer = kept;
  const bool reset = tcb.pending.reset;
  tcb.pending = Pending{};
  tcb.pending.reset = reset;
  tcb.acks_owed = 0;
  tcb.fin_queued = false;
  tcb.retransmit_at = tcb.delayed_ack_at = tcb.idle_at = kNever;
}

void ApplyClosed(Context& cx, Tcb& tcb, RuleId rule, Error error) {
  SetError(tcb, error);
  ApplyClosed(cx, tcb, rule);
}

}  // namespace estab::tcp
