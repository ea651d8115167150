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
inline bool Acceptable(const ReceiveWindow& window, RcvSeq seq, std::uint32_t length) {
  const std::int32_t first = seq - window.nxt;
  const auto size = static_cast<std::int64_t>(window.size);
  if (first == 0) return true;
  if (length == 0) return first > 0 && first <= size;
  const std::int64_t last = std::int64_t{first} + length - 1;
  return (first >= 0 && first < size) || (last >= 0 && last < size);
}

/// Cuts off what lies before RCV.NXT and beyond the window. The segment must be acceptable.
void TrimToWindow(const ReceiveWindow& window, Arriving& segment);

/// PAWS (RFC 7323 §5): true if the segment's timestamp is older than `recent`, and `recent` is not
/// itself outdated (24 days).
inline bool PawsRejects(std::uint32_t recent, Stamp age, const wire::Segment& segment) {
  constexpr Stamp kOutdated = 24u * 24 * 3600 * 1000;
  if (!segment.options.has_timestamp || segment.Has(kRst)) return false;
  return Precedes(segment.options.ts_value, recent) && age < kOutdated;
}

}  // namespace estab::tcp
