// The interface between loss recovery and whoever decides how fast to send.
#pragma once

#include <cstdint>

#include "tcp/context.h"

namespace estab::tcp {

/// A congestion control: it owns tcb.cwnd, tcb.ssthresh and tcb.congestion_state. Bytes throughout.
/// Loss recovery (recovery.h) calls it and inflates or deflates cwnd while it repairs.
struct CongestionControl {
  const char* name;
  /// The connection has become ESTABLISHED, or begins anew after a long pause.
  void (*begin)(Tcb& tcb);
  /// `bytes` new bytes were acknowledged outside fast recovery; `limited`: the window was in use.
  void (*acked)(const Context& cx, Tcb& tcb, std::uint32_t bytes, bool limited);
  /// A loss was found with `flight` bytes outstanding: sets ssthresh.
  void (*lost)(const Context& cx, Tcb& tcb, std::uint32_t flight);
};

/// Reno: RFC 5681 with the initial window of RFC 6928.
extern const CongestionControl kReno;

/// The initial window (RFC 6928): ten segments, at most max(2 segments, 14600 bytes).
std::uint32_t InitialWindow(const Tcb& tcb);

}  // namespace estab::tcp
