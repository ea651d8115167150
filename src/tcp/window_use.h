// Whether the congestion window is in use, and what becomes of one that is not: what an application
// does not use says nothing of the path (RFC 7661, RFC 2861; Linux: tcp_cwnd_validate).
#pragma once

#include "tcp/context.h"

namespace estab::tcp {

/// Something new has gone out.
void NoteWindowUse(const Context& cx, Tcb& tcb, LossState& loss);

/// Whether the window was the limit in the last round trip; in slow start, whether half of it was
/// used. Only then may it grow.
bool WindowInUse(const Tcb& tcb, const LossState& loss);

/// The window is what it should be as of now: a time-out has to pass before it counts as unused.
void NoteWindowAdapted(const Context& cx, Tcb& tcb);

/// An ACK has come and nothing is amiss: a window that was not in use for a time-out comes down
/// half the way to what is used.
void DecayUnusedWindow(const Context& cx, Tcb& tcb, LossState& loss);

/// Data is to go out after a `pause` longer than a time-out: the window halves for each time-out of
/// it, down to the initial window (Linux: tcp_cwnd_restart).
void RestartWindow(const Context& cx, Tcb& tcb, Duration pause);

}  // namespace estab::tcp
