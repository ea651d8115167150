#include "tcp/challenge.h"

#include "tcp/ack_policy.h"

namespace estab::tcp {

bool MayAnswer(const Settings& settings, Stamp now, Stamp& last) {
  const Stamp stamp = now == 0 ? 1 : now;  // 0 means "never"
  if (last != 0 && stamp - last < static_cast<Stamp>(settings.invalid_ratelimit_ms)) return false;
  last = stamp;
  return true;
}

bool TakeChallenge(ChallengeBudget& budget, const Settings& settings, Stamp now) {
  const Stamp second = now / 1000;
  if (budget.second != second) {
    budget.second = second;
    budget.used = 0;
  }
  if (budget.used >= settings.challenge_ack_limit) {
    ++budget.limited;
    return false;
  }
  ++budget.used;
  ++budget.sent;
  return true;
}

void Challenge(Context& cx, Tcb& tcb) {
  if (!MayAnswer(cx.settings, cx.stamp(), tcb.last_challenge)) return;
  if (TakeChallenge(cx.challenges, cx.settings, cx.stamp())) AckNow(tcb);
}

void AnswerOutOfWindow(Context& cx, Tcb& tcb, bool has_length) {
  if (has_length || MayAnswer(cx.settings, cx.stamp(), tcb.last_challenge)) AckNow(tcb);
}

}  // namespace estab::tcp
