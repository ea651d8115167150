#include <algorithm>

#include "tcp/congestion/congestion.h"

namespace estab::tcp {
namespace {

constexpr std::size_t kAckedBytes = 0;  // congestion_state: bytes acknowledged since cwnd last grew

void Begin(Tcb& tcb) {
  tcb.cwnd = InitialWindow(tcb);
  if (tcb.ssthresh == 0) tcb.ssthresh = UINT32_MAX;
  tcb.congestion_state[kAckedBytes] = 0;
}

void Acked(const Context&, Tcb& tcb, std::uint32_t bytes, bool limited) {
  constexpr std::uint32_t kLargest = 1u << 30;  // the largest window a peer can announce
  if (!limited || tcb.cwnd >= kLargest) return;
  if (tcb.cwnd < tcb.ssthresh) {
    tcb.cwnd += std::min(bytes, tcb.cwnd);
    return;
  }
  // Congestion avoidance counts bytes (RFC 5681 §3.1): one segment more per window acknowledged.
  std::uint32_t& acked = tcb.congestion_state[kAckedBytes];
  acked += bytes;
  if (acked < tcb.cwnd) return;
  acked -= tcb.cwnd;
  tcb.cwnd += tcb.send_mss;
}

void Lost(const Context&, Tcb& tcb, std::uint32_t flight) {
  tcb.ssthresh = std::max<std::uint32_t>(flight / 2, 2u * tcb.send_mss);
  tcb.congestion_state[kAckedBytes] = 0;
}

}  // namespace

const CongestionControl kReno = {"reno", Begin, Acked, Lost};

std::uint32_t InitialWindow(const Tcb& tcb) {
  const std::uint32_t mss = tcb.send_mss;
  return std::min(10 * mss, std::max(2 * mss, 14600u));
}

}  // namespace estab::tcp
