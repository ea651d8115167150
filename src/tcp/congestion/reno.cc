#include <algorithm>

#include "tcp/congestion/congestion.h"

namespace estab::tcp {
namespace {

constexpr std::size_t kAckedBytes = 0;  // congestion_state: bytes acknowledged since cwnd last grew

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

void Resumed(const Context&, Tcb&, std::uint32_t) {}

}  // namespace

const CongestionControl kReno = {"reno",   BeginFirstWindow, Acked,   Reduced,
                                 TimedOut, Undone,           Resumed, 80};

}  // namespace estab::tcp
