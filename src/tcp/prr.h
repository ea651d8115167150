// Proportional rate reduction (RFC 9937): while a loss is repaired, data leaves in proportion to
// what arrives, until the window has come down to ssthresh.
#pragma once

#include "tcp/ack_news.h"
#include "tcp/context.h"

namespace estab::tcp {

/// The reduction begins: ssthresh comes from congestion control, and the window will follow.
void BeginReduction(Context& cx, Tcb& tcb, LossState& loss);
/// Sets the window for what may go now.
void Reduce(const Context& cx, Tcb& tcb, LossState& loss, const AckNews& news);
/// The reduction is over.
void EndReduction(Tcb& tcb, const LossState& loss);

}  // namespace estab::tcp
