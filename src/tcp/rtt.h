// Round-trip time and the retransmission time-out (RFC 6298).
#pragma once

#include "tcp/context.h"

namespace estab::tcp {

/// Takes one measured round trip into SRTT, RTTVAR and RTO, and ends the back-off.
void TakeRttSample(Context& cx, Tcb& tcb, Duration sample);

/// Our SYN went out at `sent_at`, for the first time: its round trip is measured.
void BeginSynTiming(Tcb& tcb, Time sent_at);
/// It was repeated: whose answer comes nobody knows (Karn).
void EndSynTiming(Tcb& tcb);
/// Its round trip; negative if it was not measured, or has been asked for before.
Duration TakeSynTiming(const Context& cx, Tcb& tcb);

/// Sets the RTO of a connection that has no sample yet; `repeated_syn` is RFC 6298 §5.7's case.
void ResetRto(Context& cx, Tcb& tcb, bool repeated_syn);

/// RTO with back-off, at most TCP_RTO_MAX_MS.
Duration BackedOffRto(const Context& cx, const Tcb& tcb);

/// The time-out of the n-th transmission (from 0) of a SYN or SYN|ACK; `linear` of them do not
/// double (tcp_syn_linear_timeouts).
Duration SynTimeout(const Settings& settings, const SocketOptions& options, int transmission,
                    int linear);

/// From the first SYN to giving up, with `retries` repeats that double.
Duration SynSeries(const Settings& settings, const SocketOptions& options, int retries);

/// The same for data at the shortest RTO there can be: what Linux makes of tcp_retries2 and
/// tcp_orphan_retries (tcp_model_timeout).
Duration RepeatSeries(const Settings& settings, const SocketOptions& options, int retries);

/// Our timestamp clock: milliseconds plus the connection's offset.
inline std::uint32_t TimestampNow(const Context& cx, std::uint32_t offset) {
  return cx.stamp() + offset;
}

}  // namespace estab::tcp
