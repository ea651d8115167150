// Pacing: data leaves at a rate, in small bursts, instead of as fast as the window lets it. For
// congestion controls that say a rate, and for SO_MAX_PACING_RATE (Linux: the internal pacing of
// tcp_output.c). ACKs, SYN, FIN without data and resets do not wait, nor do probes and the first
// repeat after a time-out.
#pragma once

#include "tcp/context.h"

namespace estab::tcp {

constexpr std::uint64_t kNoRate = UINT64_MAX;

/// Bytes a second at which `tcb` sends, or would if it were paced; kNoRate: as fast as it can.
std::uint64_t PacingRate(const Context& cx, const Tcb& tcb);

/// How much goes at once at `rate`: what a millisecond takes (1/1024 s), in whole segments, at
/// least two (or as few as the congestion control says) and at most 64 KiB.
std::uint32_t PacingQuantum(const Tcb& tcb, std::uint64_t rate);

/// What one super-segment may hold at most: a millisecond of the rate, and more of it the shorter
/// the round trip is, since what leaves at once matters less there (Linux: tcp_tso_autosize).
std::uint32_t BurstGoal(const Context& cx, const Tcb& tcb);

/// Bytes, in whole segments, that pacing lets go now one after the other, if it lets any.
std::uint32_t PaceRoom(const Context& cx, const Tcb& tcb, const LossState& loss);
/// Whether data has to wait for its time.
bool PaceHolds(const Context& cx, const Tcb& tcb, const LossState& loss);
/// So many bytes of data have gone.
void NotePaced(const Context& cx, const Tcb& tcb, LossState& loss, std::uint32_t bytes);
/// Sets the deadline for what waits. After every event, and after sending.
void SchedulePacing(Context& cx, Tcb& tcb);

}  // namespace estab::tcp
