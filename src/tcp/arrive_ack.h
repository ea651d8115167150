// The fifth step of RFC 9293 §3.10.7.4: the ACK field.
#pragma once

#include "tcp/arriving.h"
#include "tcp/context.h"

namespace estab::tcp {

/// `done`: the segment ends here, by `verdict`, which has been applied. Otherwise text and FIN
/// follow, and `verdict` holds if they add nothing; it has been applied only if it moves the state.
struct AckOutcome {
  bool done = false;
  Verdict verdict;
};

AckOutcome TakeAck(Context& cx, Tcb& tcb, Arriving& segment);

}  // namespace estab::tcp
