// Is a segment acceptable, and what of it lies in the window (RFC 9293 §3.10.7.4, first check)?
#pragma once

#include "tcp/arriving.h"
#include "tcp/tcb.h"

namespace estab::tcp {

/// The window as a pair of edges: [nxt, nxt + size).
struct ReceiveWindow {
  RcvSeq nxt;
  std::uint32_t size = 0;
};

inline ReceiveWindow WindowOf(const Tcb& tcb) {
  return {tcb.rcv.nxt,
          tcb.rcv.adv > tcb.rcv.nxt ? static_cast<std::uint32_t>(tcb.rcv.adv - tcb.rcv.nxt) : 0};
}

/// Strictly inside: nxt <= seq < nxt + size.
inline bool InWindow(const ReceiveWindow& window, RcvSeq seq) {
  const std::int32_t distance = seq - window.nxt;
  return distance >= 0 && static_cast<std::uint32_t>(distance) < window.size;
}

/// The acceptability test of RFC 9293 Table 6, with two allowances that Linux makes and RFC 9293
/// §3.10.7.4 wants for valid ACKs, URGs and RSTs: an empty segment may sit on the right edge, and a
/// segment that begins exactly at RCV.NXT is taken (without its data) when the window is closed.
bool Acceptable(const ReceiveWindow& window, RcvSeq seq, std::uint32_t length);

/// Cuts off what lies before RCV.NXT and beyond the window. The segment must be acceptable.
void TrimToWindow(const ReceiveWindow& window, Arriving& segment);

/// PAWS (RFC 7323 §5): true if the segment's timestamp is older than `recent`, and `recent` is not
/// itself outdated (24 days).
bool PawsRejects(std::uint32_t recent, Stamp age, const wire::Segment& segment);

}  // namespace estab::tcp
