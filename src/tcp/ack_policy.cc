#include "tcp/ack_policy.h"

#include <algorithm>

#include "tcp/policy.h"
#include "tcp/receiver.h"
#include "tcp/timers.h"

namespace estab::tcp {
namespace {

constexpr std::uint8_t kLongestDelayMs = 200;
constexpr std::uint32_t kQuickAcks = 16;

// Enough for half the window, so that a peer in slow start gets going (Linux: tcp_incr_quickack).
void AcknowledgeQuickly(Tcb& tcb) {
  const auto window = static_cast<std::uint32_t>(tcb.rcv.adv - tcb.rcv.last_ack);
  const std::uint32_t half = std::max(window / (2u * tcb.typical_in), 2u);
  tcb.quick_acks = std::max(tcb.quick_acks, static_cast<std::uint8_t>(std::min(half, kQuickAcks)));
}

// Linux's adaptive delay: follows the time between arrivals, from 40 to 200 ms.
void AdaptDelay(Context& cx, Tcb& tcb) {
  const Stamp gap = cx.stamp() - tcb.last_data_at;
  if (tcb.ack_delay_ms == 0) {  // the first data of this connection: acknowledge quickly
    tcb.ack_delay_ms = kShortestDelayMs;
    AcknowledgeQuickly(tcb);
  } else if (gap <= kShortestDelayMs / 2) {
    tcb.ack_delay_ms = static_cast<std::uint8_t>(tcb.ack_delay_ms / 2 + kShortestDelayMs / 2);
  } else if (gap < tcb.ack_delay_ms) {
    tcb.ack_delay_ms = static_cast<std::uint8_t>(
        std::min<std::uint32_t>(tcb.ack_delay_ms / 2u + gap, kLongestDelayMs));
  } else if (gap > tcb.rtt.rto / 1000) {
    AcknowledgeQuickly(tcb);  // a long pause: the peer may be in slow start again
  }
  tcb.ack_delay_ms = std::clamp(tcb.ack_delay_ms, kShortestDelayMs, kLongestDelayMs);
}

// How long an ACK may wait. A round trip is long enough where it is known, and a FIN that no data
// came before is acknowledged at the next tick.
std::int64_t DelayOf(const Tcb& tcb) {
  constexpr std::int64_t kTickMs = 1;
  if (tcb.ack_delay_ms == 0) return kTickMs;
  std::int64_t most = kLongestDelayMs;
  if (tcb.rtt.srtt8 != 0) {
    most = std::clamp<std::int64_t>(tcb.rtt.srtt8 / 8 / 1000, kShortestDelayMs, most);
  }
  return std::min<std::int64_t>(tcb.ack_delay_ms, most);
}

}  // namespace

void AckNow(Tcb& tcb) {
  if (tcb.acks_owed < UINT8_MAX) ++tcb.acks_owed;
}

void AckOnce(Tcb& tcb) { tcb.acks_owed = std::max<std::uint8_t>(tcb.acks_owed, 1); }

void AcknowledgeNext(Tcb& tcb, std::uint8_t count) {
  tcb.quick_acks = std::max(tcb.quick_acks, count);
  tcb.interactive = false;
  tcb.ack_delay_ms = kShortestDelayMs;
}

void NoteDataArrived(Context& cx, Tcb& tcb, std::uint32_t bytes) {
  if (bytes == 0) return;
  AdaptDelay(cx, tcb);
  tcb.last_data_at = cx.stamp();
  tcb.typical_in = static_cast<std::uint16_t>(
      std::max<std::uint32_t>(tcb.typical_in, std::min<std::uint32_t>(bytes, 65535)));
}

void ScheduleAck(Context& cx, Tcb& tcb) {
  const std::int32_t unacknowledged = tcb.rcv.nxt - tcb.rcv.last_ack;
  const bool two_segments = unacknowledged > std::int32_t{tcb.typical_in};
  const bool quick = tcb.quick_acks != 0 && !tcb.interactive;
  if (two_segments || quick) {
    AckOnce(tcb);
    return;
  }
  if (tcb.acks_owed != 0 || tcb.delayed_ack_at != kNever) return;
  ArmDelayedAck(cx, tcb, std::chrono::milliseconds(DelayOf(tcb)));
}

void NoteAckDelayed(Tcb& tcb) {
  if (tcb.interactive) {
    tcb.interactive = false;
    tcb.ack_delay_ms = kShortestDelayMs;
  } else if (tcb.ack_delay_ms != 0) {
    tcb.ack_delay_ms =
        static_cast<std::uint8_t>(std::min(2 * tcb.ack_delay_ms, int{kLongestDelayMs}));
  }
}

void NoteDataSent(Context& cx, Tcb& tcb) {
  if (tcb.ack_delay_ms != 0 && cx.stamp() - tcb.last_data_at < tcb.ack_delay_ms) {
    tcb.interactive = true;
  }
}

void NoteAckSent(Context& cx, Tcb& tcb, RcvSeq edge) {
  if (tcb.rcv.nxt != tcb.rcv.last_ack && tcb.quick_acks != 0) --tcb.quick_acks;
  tcb.rcv.last_ack = tcb.rcv.nxt;
  tcb.rcv.adv = Later(tcb.rcv.adv, edge);
  DisarmDelayedAck(cx, tcb);
}

void AckIfWindowOpens(Context& cx, Tcb& tcb) {
  if (!IsIn(tcb.state, kMayReceive)) return;
  const auto announced = static_cast<std::uint32_t>(tcb.rcv.adv - tcb.rcv.nxt);
  const std::uint32_t possible = std::uint32_t{WindowField(cx, tcb)} << tcb.receive_scale;
  const std::uint32_t limit = ReceiveLimit(cx.settings, tcb);
  const std::uint32_t worthwhile = std::min<std::uint32_t>(tcb.announced_mss, limit / 2);
  if (possible >= 2 * announced && possible - announced >= worthwhile) {
    AckOnce(tcb);
  }
}

}  // namespace estab::tcp
