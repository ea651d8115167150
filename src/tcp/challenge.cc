#include "tcp/challenge.h"

#include <algorithm>
#include <span>

#include "tcp/ack_policy.h"

namespace estab::tcp {
namespace {

// From half the limit to one and a half of it (Linux: tcp_send_challenge_ack).
std::int32_t Draw(const SipKey& key, Stamp second, std::int32_t limit) {
  if (limit == 0 || limit == INT32_MAX) return limit;
  const auto range = static_cast<std::uint64_t>(limit);
  const std::uint64_t drawn = SipHash24(key, std::as_bytes(std::span(&second, 1))) % range;
  const std::uint64_t all = (range + 1) / 2 + drawn;
  return static_cast<std::int32_t>(std::min<std::uint64_t>(all, INT32_MAX - 1));
}

}  // namespace

bool MayAnswer(const Settings& settings, Stamp now, Stamp& last) {
  const Stamp stamp = now == 0 ? 1 : now;  // 0 means "never"
  if (last != 0 && stamp - last < static_cast<Stamp>(settings.invalid_ratelimit_ms)) return false;
  last = stamp;
  return true;
}

bool TakeChallenge(ChallengeBudget& budget, const Settings& settings, Stamp now) {
  const std::int32_t limit = settings.challenge_ack_limit;
  const Stamp second = now / 1000;
  if (budget.second != second || budget.limit != limit) {
    budget.second = second;
    budget.limit = limit;
    budget.left = Draw(budget.key, second, limit);
  }
  if (limit != INT32_MAX && budget.left == 0) {
    ++budget.limited;
    return false;
  }
  if (limit != INT32_MAX) --budget.left;
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
