// The interface between loss recovery and whoever decides how fast to send.
#pragma once

#include <cstdint>

#include "tcp/ack_news.h"
#include "tcp/context.h"

namespace estab::tcp {

/// A congestion control: it decides how tcb.cwnd grows and where it comes down to, and keeps what
/// it needs in tcb.congestion_state. Bytes throughout. Loss recovery (recovery.h) calls it; while a
/// loss is repaired, cwnd belongs to proportional rate reduction (prr.h).
struct CongestionControl {
  const char* name;
  /// The connection has become ESTABLISHED: the first window.
  void (*begin)(const Context& cx, Tcb& tcb);
  /// An ACK has brought `news.delivered` bytes of progress, outside of reductions. `limited`: the
  /// window was in use; an application that does not use it does not make it grow (RFC 7661).
  void (*acked)(const Context& cx, Tcb& tcb, const AckNews& news, bool limited);
  /// Congestion was found, by a loss or a mark: the new ssthresh.
  std::uint32_t (*reduced)(const Context& cx, Tcb& tcb);
  /// The retransmission timer ran out (`reduced` has been asked, if this is a new loss).
  void (*timed_out)(const Context& cx, Tcb& tcb);
  /// The last reduction was for nothing: the window to go back to.
  std::uint32_t (*undone)(const Context& cx, Tcb& tcb, std::uint32_t prior_cwnd);
  /// Data goes out after a pause of so many milliseconds in which nothing was in flight.
  void (*resumed)(const Context& cx, Tcb& tcb, std::uint32_t pause_ms);
  /// What a mark leaves of the window, if tcp_abe is on and it is more than `reduced` says (RFC
  /// 8511 §3.1); 0: a mark counts like a loss.
  std::uint8_t marked_percent = 0;
  /// An ACK has come, whatever it brings: the window is this control's own affair, always. Then
  /// `acked` is not asked, and neither the reduction while a loss is repaired nor what happens to a
  /// window that is not in use touches it. nullptr: for most.
  void (*control)(const Context& cx, Tcb& tcb, const AckNews& news) = nullptr;
  /// Begins on a connection that is under way, with the windows that it has. nullptr: as it is.
  void (*take_over)(const Context& cx, Tcb& tcb) = nullptr;
  /// The connection is paced, whether the user asks for it or not.
  bool paces = false;
  /// Every segment is marked when it is sent, so that every ACK brings a sample of the rate.
  bool wants_samples = false;
  /// The pacing rate, bytes a second; nullptr: what Linux makes of the window (pacing.h).
  std::uint64_t (*pacing_rate)(const Context& cx, const Tcb& tcb) = nullptr;
  /// Segments that go at once at that rate, at least; nullptr: two.
  std::uint32_t (*least_burst)(std::uint64_t rate) = nullptr;
};

/// Reno: RFC 5681 with the initial window of RFC 6928.
extern const CongestionControl kReno;

/// All of them, in the order of Congestion, which begins with "as the setting says".
extern const CongestionControl* const kControls[kCongestionControls];

/// No window grows beyond this: it is the most that a peer can announce.
constexpr std::uint32_t kLargestWindow = 1u << 30;

/// What a connection that begins now is to use: the socket's own choice, or the stack's.
Congestion ChosenControl(const Settings& settings, const SocketOptions& options);
/// What it does use; it must be decided.
inline const CongestionControl& Control(const Tcb& tcb) {
  return *kControls[static_cast<std::size_t>(tcb.congestion) - 1];
}

/// Whether it leaves the window to nobody else.
inline bool OwnsWindow(const Tcb& tcb) { return Control(tcb).control != nullptr; }

/// The connection has become ESTABLISHED.
void BeginControl(const Context& cx, Tcb& tcb);
/// Gives a connection that is under way another congestion control: its windows stay, and what the
/// old one remembered goes.
void SwitchControl(const Context& cx, Tcb& tcb, Congestion control);

/// How most begin: with the initial window, and no threshold but what is there already.
void BeginFirstWindow(const Context& cx, Tcb& tcb);

/// The initial window (RFC 6928): ten segments, at most max(2 segments, 14600 bytes).
std::uint32_t InitialWindow(const Tcb& tcb);

/// Slow start: the window grows by what was delivered, up to ssthresh. Returns the bytes that are
/// left for congestion avoidance.
std::uint32_t SlowStart(Tcb& tcb, std::uint32_t delivered);

}  // namespace estab::tcp
