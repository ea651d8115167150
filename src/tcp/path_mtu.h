// The largest packet that the path takes, and the payload that this leaves: told by ICMP (RFC 1191,
// RFC 8201), or found by probing (RFC 4821). The parts are named after Linux's tcp_sync_mss,
// tcp_simple_retransmit and tcp_mtu_probe.
#pragma once

#include "tcp/context.h"

namespace estab::tcp {

/// The path takes packets of `mtu` bytes from now on: sets the MSS, and with it the windows, which
/// stay as many segments as they were if these become smaller.
void SyncMss(const Settings& settings, Tcb& tcb, std::uint32_t mtu);

/// Whether packets of `mtu` bytes would make segments smaller than they are.
bool LowersMss(const Settings& settings, const Tcb& tcb, std::uint32_t mtu);

/// Whether full segments are larger than the path takes: it takes less than tcp_min_snd_mss needs.
bool ExceedsPath(const Tcb& tcb, std::uint32_t mtu);

/// Takes the peer's MSS, which the SYNs have told, into send_mss and into the bounds of the search.
/// `tcb.mtu_most` must be set: the path's.
void BeginMss(const Context& cx, Tcb& tcb);

/// An ICMP message said so about something in flight: what is too large is lost, and goes again in
/// smaller segments, at once and without a reduction.
void ReducePathMtu(Context& cx, Tcb& tcb, std::uint32_t mtu);

/// The time-outs are as many as tcp_retries1: perhaps because no ICMP message comes through. True:
/// segments are smaller from now on.
bool OnBlackHole(const Context& cx, Tcb& tcb);

/// A round of the search ends when its bounds are close; another begins after tcp_probe_interval,
/// to the minute. The path takes packets of `mtu` bytes, as far as is known.
void RenewMtuSearch(const Context& cx, Tcb& tcb, std::uint32_t mtu);

/// Whether one of the next segments may be larger than the others, to find out what the path takes.
bool MtuSearchGoesOn(const Context& cx, const Tcb& tcb);

/// Whether the next new segment is to be larger than the path is known to take.
struct MtuProbe {
  enum class What : std::uint8_t { kNone, kWait, kSend };
  What what = What::kNone;
  std::uint32_t length = 0;  // payload
};
MtuProbe ChooseMtuProbe(const Context& cx, const Tcb& tcb);
inline MtuProbe NextMtuProbe(const Context& cx, const Tcb& tcb) {
  return tcb.mtu_shown == 0 ? MtuProbe{} : ChooseMtuProbe(cx, tcb);
}

/// It has gone out, [`begin`, `end`).
void NoteMtuProbeSent(Context& cx, Tcb& tcb, LossState& loss, SndSeq begin, SndSeq end);
/// Everything before `una` is acknowledged: the probe too?
void NoteMtuProbeAnswer(Context& cx, Tcb& tcb, LossState& loss, SndSeq una);
/// Something is lost. True: only the probe, which says nothing of congestion.
bool MtuProbeFailed(Context& cx, Tcb& tcb, LossState& loss);

}  // namespace estab::tcp
