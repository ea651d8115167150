// Answers to what does not fit, and how many of them (RFC 5961).
#pragma once

#include "tcp/context.h"

namespace estab::tcp {

/// True, taking note of the time, if `tcp_invalid_ratelimit` has passed since `last`.
bool MayAnswer(const Settings& settings, Stamp now, Stamp& last);

/// Whether the stack's `tcp_challenge_ack_limit` allows one more this second; counts it.
bool TakeChallenge(ChallengeBudget& budget, const Settings& settings, Stamp now);

/// Owes the peer a challenge ACK, within the limits of the connection and of the stack.
void Challenge(Context& cx, Tcb& tcb);

/// Owes an ACK for a segment outside the window. Only empty ones are rate-limited: a repeat of data
/// or FIN means that our ACK was lost, and is no part of an ACK loop.
void AnswerOutOfWindow(Context& cx, Tcb& tcb, bool has_length);

}  // namespace estab::tcp
