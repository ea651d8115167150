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

/// All that we have sent was acknowledged before, as in most segments of a stream from the peer:
/// only the window can be news.
inline bool NothingToLearn(const Tcb& tcb, const Arriving& segment) {
  return tcb.state == State::kEstablished && segment.ack == tcb.snd.una &&
         tcb.snd.nxt == tcb.snd.una && tcb.send_buffer == kNoSlot && tcb.snd.wnd != 0 &&
         !tcb.persisting && !segment.Has(kSyn);
}
/// TakeAck of such a segment.
void TakeWindow(const Context& cx, Tcb& tcb, const Arriving& segment);

}  // namespace estab::tcp
