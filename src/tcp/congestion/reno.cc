#include <algorithm>

#include "tcp/congestion/congestion.h"

namespace estab::tcp {
namespace {

constexpr std::uint32_t kLargestWindow = 1u << 30;  // the most that a peer can announce
constexpr std::size_t kAckedBytes = 0;  // congestion_state: bytes acknowledged since cwnd last grew

void Begin(Tcb& tcb) {
  tcb.cwnd = InitialWindow(tcb);
  if (tcb.ssthresh == 0) tcb.ssthresh = UINT32_MAX;
  tcb.congestion_state[kAckedBytes] = 0;
}

void Acked(const Context&, Tcb& tcb, const AckNews& news, bool limited) {
  if (!limited || tcb.cwnd >= kLargestWindow) return;
  const std::uint32_t bytes = SlowStart(tcb, news.delivered);
  if (bytes == 0) return;
  // Congestion avoidance counts bytes (RFC 5681 §3.1): one segment more per window acknowledged.
  std::uint32_t& acked = tcb.congestion_state[kAckedBytes];
  acked += bytes;
  if (acked < tcb.cwnd) return;
  acked -= tcb.cwnd;
  tcb.cwnd += tcb.send_mss;
}

std::uint32_t Reduced(const Context&, Tcb& tcb) {
  tcb.congestion_state[kAckedBytes] = 0;
  const std::uint32_t half = tcb.cwnd / 2 / tcb.send_mss * tcb.send_mss;
  return std::max<std::uint32_t>(half, 2u * tcb.send_mss);
}

void TimedOut(const Context&, Tcb& tcb) { tcb.congestion_state[kAckedBytes] = 0; }

std::uint32_t Undone(const Context&, Tcb&, std::uint32_t prior_cwnd) { return prior_cwnd; }

}  // namespace

const CongestionControl kReno = {"reno", Begin, Acked, Reduced, TimedOut, Undone, 80};

std::uint32_t SlowStart(Tcb& tcb, std::uint32_t delivered) {
  if (tcb.cwnd >= tcb.ssthresh) return delivered;
  const std::uint32_t grown = std::min(delivered, tcb.ssthresh - tcb.cwnd);
  tcb.cwnd += grown;
  return delivered - grown;
}

std::uint32_t InitialWindow(const Tcb& tcb) {
  const std::uint32_t mss = tcb.send_mss;
  return std::min(10 * mss, std::max(2 * mss, 14600u));
}

}  // namespace estab::tcp
