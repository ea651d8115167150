// CUBIC (RFC 9438): the window follows a cubic function of the time since the last reduction, flat
// around the window at which that came, and is never below what Reno would have.
//
// As Linux (tcp_cubic.c) where the RFC leaves a choice: t runs in milliseconds and the least round
// trip is added to it; the window grows by at least a twentieth in each round trip until the first
// loss is known; after a time-out W_max is forgotten. Unlike Linux, undoing a reduction brings
// W_max and the epoch back too (RFC 9438 §4.9.1), and everything counts in bytes.
#pragma once

#include "tcp/congestion/congestion.h"

namespace estab::tcp {

extern const CongestionControl kCubic;

/// floor(n^(1/3)), for n below 2^63.
std::uint32_t CubeRoot(std::uint64_t n);

/// The curve of an epoch that begins with a window of `cwnd` bytes, below `w_max` or not.
CubicCurve MakeCubicCurve(std::uint32_t w_max, std::uint32_t cwnd, std::uint32_t mss);

/// W_cubic(t), in bytes.
std::uint32_t CubicWindow(const CubicCurve& curve, std::uint32_t t_ms, std::uint32_t mss);

}  // namespace estab::tcp
