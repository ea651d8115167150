#include "tcp/invariants.h"

#include "base/check.h"
#include "tcp/recovery.h"
#include "tcp/send_queue.h"

namespace estab::tcp {
namespace {

// The scoreboard holds just what is outstanding; checked segment by segment while it is small.
void CheckFlight(const Context& cx, const Tcb& tcb) {
  constexpr std::uint32_t kSmall = 64;
  const LossState* loss = LossOf(cx, tcb);
  if (loss == nullptr) return;
  const Flight& flight = loss->flight;
  ESTAB_CHECK(flight.empty() || flight.begin() == FirstByte(tcb));
  ESTAB_CHECK(flight.empty() || flight.end() == tcb.snd.nxt);
  ESTAB_CHECK(flight.pipe() + flight.sacked_bytes() + flight.lost_bytes() == flight.bytes());
  ESTAB_CHECK(tcb.fine_at == loss->deadline());
  if (flight.count() <= kSmall) flight.Check();
}

void CheckSending(const Context& cx, const Tcb& tcb) {
  ESTAB_CHECK(tcb.snd.una <= tcb.snd.nxt);
  ESTAB_CHECK(tcb.snd.nxt <= SendEnd(cx, tcb));
  ESTAB_CHECK(!tcb.fin_acked || tcb.fin_queued);
  ESTAB_CHECK(!tcb.fin_acked || tcb.snd.una == tcb.snd.nxt);
  ESTAB_CHECK(tcb.send_mss > 0);
  // What is outstanding has a timer, or it would never be repeated.
  ESTAB_CHECK(Outstanding(tcb) == 0 || tcb.retransmit_at != kNever);
  ESTAB_CHECK(!tcb.persisting || Outstanding(tcb) == 0);
  CheckFlight(cx, tcb);
}

void CheckReassembly(const Context& cx, const Tcb& tcb) {
  if (tcb.reassembly == kNoSlot) return;
  const Reassembly& waiting = cx.buffers.reassembly[tcb.reassembly];
  waiting.runs.Check(cx.buffers.runs);
  ESTAB_CHECK(waiting.duplicate_count <= Reassembly::kMaxDuplicates);
  std::uint32_t total = 0;
  RcvSeq edge = tcb.rcv.nxt;
  for (Runs::Index i = waiting.runs.first(); i != kNoSlot; i = cx.buffers.runs[i].after) {
    const Run& run = cx.buffers.runs[i];
    ESTAB_CHECK(run.begin > edge);
    edge = run.end();
    total += run.bytes.size();
  }
  ESTAB_CHECK(total == waiting.total);
  ESTAB_CHECK(edge <= tcb.rcv.adv);
}

void CheckStateAndFacts(const Tcb& tcb) {
  constexpr StateSet kPeerClosed =
      In(State::kCloseWait) | In(State::kClosing) | In(State::kLastAck) | In(State::kTimeWait);
  constexpr StateSet kWeClosed = In(State::kFinWait1) | In(State::kFinWait2) | In(State::kClosing) |
                                 In(State::kLastAck) | In(State::kTimeWait);
  ESTAB_CHECK(tcb.fin_received == IsIn(tcb.state, kPeerClosed));
  const bool fin_waits = tcb.state == State::kCloseWait;  // behind data (last_ack_when_sent)
  ESTAB_CHECK(fin_waits || tcb.fin_queued == IsIn(tcb.state, kWeClosed));
  ESTAB_CHECK(tcb.state != State::kFinWait1 || !tcb.fin_acked);
  if (tcb.state == State::kFinWait2 || tcb.state == State::kTimeWait) ESTAB_CHECK(tcb.fin_acked);
  if (tcb.state == State::kSynSent || tcb.state == State::kSynRcvd) {
    ESTAB_CHECK(tcb.retransmit_at != kNever || tcb.state == State::kSynRcvd ||
                tcb.fast_open == FastOpen::kDeferred);
    ESTAB_CHECK(!tcb.syn_acked);
  }
}

}  // namespace

void CheckInvariants(const Context& cx, const Tcb& tcb) {
  ESTAB_CHECK(tcb.options != nullptr);
  if (IsIn(tcb.state, In(State::kClosed) | In(State::kListen))) {
    ESTAB_CHECK(tcb.retransmit_at == kNever && tcb.delayed_ack_at == kNever &&
                tcb.idle_at == kNever);
    ESTAB_CHECK(tcb.send_buffer == kNoSlot && tcb.reassembly == kNoSlot && !tcb.modelled);
    return;
  }
  CheckStateAndFacts(tcb);
  ESTAB_CHECK(!tcb.modelled || tcb.congestion == Congestion::kBbr);
  if (tcb.state == State::kTimeWait) return;
  CheckSending(cx, tcb);
  if (IsIn(tcb.state, kSynchronized)) {
    ESTAB_CHECK(tcb.rcv.nxt <= tcb.rcv.adv + 1);  // a FIN may lie just beyond a full window
    ESTAB_CHECK(tcb.rcv.last_ack <= tcb.rcv.nxt);
    CheckReassembly(cx, tcb);
  }
}

}  // namespace estab::tcp
