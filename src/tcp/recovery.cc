#include "tcp/recovery.h"

#include <algorithm>

#include "tcp/congestion/congestion.h"
#include "tcp/rtt.h"
#include "tcp/send_queue.h"
#include "tcp/timers.h"

namespace estab::tcp {
namespace {

constexpr int kDuplicateThreshold = 3;

void EnterFastRecovery(Context& cx, Tcb& tcb) {
  tcb.congestion->lost(cx, tcb, Outstanding(tcb));
  tcb.recovery = Recovery::kFast;
  tcb.recover = tcb.snd.max;
  tcb.cwnd = tcb.ssthresh + kDuplicateThreshold * tcb.send_mss;
  tcb.pending.head = true;
}

void LeaveFastRecovery(Tcb& tcb) {
  tcb.recovery = Recovery::kOpen;
  tcb.duplicate_acks = 0;
  const std::uint32_t flight = std::max<std::uint32_t>(Outstanding(tcb), tcb.send_mss);
  tcb.cwnd = std::min(tcb.ssthresh, flight + tcb.send_mss);
}

// RFC 6582 §3.2 step 3, partial acknowledgment: the next hole is lost too.
void RepairNextHole(Tcb& tcb, std::uint32_t bytes) {
  tcb.pending.head = true;
  tcb.cwnd -= std::min(tcb.cwnd, bytes);
  if (bytes >= tcb.send_mss) tcb.cwnd += tcb.send_mss;
  tcb.cwnd = std::max<std::uint32_t>(tcb.cwnd, tcb.send_mss);
}

}  // namespace

void OnDuplicateAck(Context& cx, Tcb& tcb) {
  if (tcb.duplicate_acks < UINT8_MAX) ++tcb.duplicate_acks;
  if (tcb.recovery == Recovery::kFast) {
    tcb.cwnd += tcb.send_mss;  // one more segment has left the network
    return;
  }
  // RFC 6582 §3.2 step 1: duplicates that a time-out's own repeats provoke prove nothing.
  if (tcb.duplicate_acks == kDuplicateThreshold && tcb.snd.una > tcb.recover) {
    EnterFastRecovery(cx, tcb);
  }
}

void OnNewAck(Context& cx, Tcb& tcb, std::uint32_t bytes, std::uint32_t flight) {
  if (tcb.recovery == Recovery::kFast) {
    if (tcb.snd.una >= tcb.recover) {
      LeaveFastRecovery(tcb);
    } else {
      RepairNextHole(tcb, bytes);
    }
    return;
  }
  tcb.duplicate_acks = 0;
  if (tcb.recovery == Recovery::kLoss && tcb.snd.una >= tcb.recover) {
    tcb.recovery = Recovery::kOpen;
  } else if (tcb.recovery == Recovery::kOpen && tcb.snd.una > tcb.recover) {
    tcb.recover = tcb.snd.una - 1;  // keeps the comparison meaningful after 2^31 bytes
  }
  const bool slow_start = tcb.cwnd < tcb.ssthresh;
  const bool limited = slow_start ? flight >= tcb.cwnd / 2 : flight + tcb.send_mss > tcb.cwnd;
  tcb.congestion->acked(cx, tcb, bytes, limited || tcb.recovery == Recovery::kLoss);
}

void EnterLossRecovery(Context& cx, Tcb& tcb) {
  // RFC 5681 §3.1: ssthresh is set once for a lost flight, not again for each repeat of it.
  // A closed window is no loss.
  if (tcb.rtt.repeats == 0 && tcb.snd.wnd != 0) tcb.congestion->lost(cx, tcb, Outstanding(tcb));
  tcb.cwnd = tcb.send_mss;
  tcb.recovery = Recovery::kLoss;
  tcb.recover = tcb.snd.max;
  tcb.duplicate_acks = 0;
  tcb.snd.nxt = tcb.snd.una;
  tcb.snd.small = tcb.snd.una;
  tcb.timing = false;
  tcb.pending.head = false;
}

}  // namespace estab::tcp
