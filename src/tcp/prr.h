// Proportional rate reduction (RFC 9937): while a loss is repaired, data leaves in proportion to
// what arrives, until the window has come down to ssthresh.
#pragma once

#include "tcp/ack_news.h"
#include "tcp/context.h"

namespace estab::tcp {

/// What a reduction answers.
enum class Evidence : std::uint8_t { kLoss, kMark };

/// The reduction begins: ssthresh comes from congestion control, and the window will follow. A peer
/// that knows ECN is told with CWR.
void BeginReduction(Context& cx, Tcb& tcb, LossState& loss, Evidence found);
/// Sets the window for what may go now.
void Reduce(const Context& cx, Tcb& tcb, LossState& loss, const AckNews& news);
/// The reduction is over.
void EndReduction(Tcb& tcb, const LossState& loss);

}  // namespace estab::tcp
