// Taking a reduction back when what was repeated had not been lost at all: told by timestamps
// (Eifel, RFC 3522, RFC 4015) or by D-SACK (RFC 3708).
#pragma once

#include "tcp/ack_news.h"
#include "tcp/context.h"

namespace estab::tcp {

/// A reduction begins that may turn out to be for nothing.
void BeginUndo(Tcb& tcb, LossState& loss);

/// Whether everything since then was for nothing: the ACK echoes a time before the first repeat, or
/// every repeat has come back as a D-SACK.
bool MayUndo(const Tcb& tcb, const LossState& loss, const AckNews& news);
/// The ACK echoes a time before the first repeat.
bool AnswersOriginal(const Tcb& tcb, const LossState& loss, const AckNews& news);
/// Every repeat has come back as a D-SACK.
bool AllRepeatsNeedless(const LossState& loss);

/// Back to the window from before; `revive`: nothing counts as lost any more.
void Undo(Context& cx, Tcb& tcb, LossState& loss, bool revive);

}  // namespace estab::tcp
