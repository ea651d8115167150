#include "tcp/undo.h"

#include <algorithm>

#include "tcp/congestion/congestion.h"

namespace estab::tcp {

void BeginUndo(Tcb& tcb, LossState& loss) {
  loss.may_undo = true;
  loss.undo_from = tcb.snd.una;
  loss.undo_repeats = loss.flight.repeated_count();
  if (loss.probe.out && loss.probe.repeats) ++loss.undo_repeats;
  // What has not been repeated yet cannot have been repeated for nothing.
  loss.repeats_unexplained = loss.undo_repeats == 0;
}

bool AnswersOriginal(const Tcb& tcb, const LossState& loss, const AckNews& news) {
  if (!loss.repeated || !tcb.timestamps || !news.has_echo) return false;
  return Precedes(news.echo, loss.repeated_stamp);
}

bool AllRepeatsNeedless(const LossState& loss) {
  return loss.may_undo && loss.undo_repeats == 0 && !loss.repeats_unexplained;
}

bool MayUndo(const Tcb& tcb, const LossState& loss, const AckNews& news) {
  return loss.may_undo && (AllRepeatsNeedless(loss) || AnswersOriginal(tcb, loss, news));
}

void Undo(Context& cx, Tcb& tcb, LossState& loss, bool revive) {
  if (revive) {
    loss.flight.ReviveLost();
    loss.forgiven = loss.flight.repeated_count();
  }
  if (loss.prior_ssthresh != 0) {
    tcb.cwnd = std::max(tcb.cwnd, Control(tcb).undone(cx, tcb, loss.prior_cwnd));
    tcb.ssthresh = std::max(tcb.ssthresh, loss.prior_ssthresh);
    tcb.cwr_owed = false;
  }
  loss.may_undo = false;
}

}  // namespace estab::tcp
