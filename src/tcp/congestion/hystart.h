// HyStart: leaving slow start when the path is full, before it loses anything.
#pragma once

#include "tcp/ack_news.h"
#include "tcp/congestion/scratch.h"
#include "tcp/context.h"

namespace estab::tcp {

/// estab.tcp_hystart: 0 off, 1 HyStart as Linux has it, 2 HyStart++ (RFC 9406).
constexpr std::int32_t kHyStartLinux = 1;
constexpr std::int32_t kHyStartPlusPlus = 2;

/// Looks at an ACK that came in slow start; once the path is full, ssthresh comes down to cwnd.
void WatchSlowStart(const Context& cx, Tcb& tcb, HyStart& hystart, const AckNews& news);

/// What `delivered` bytes count for in slow start: all, or less where RFC 9406 is more careful.
std::uint32_t SlowStartCredit(const Context& cx, const Tcb& tcb, const HyStart& hystart,
                              std::uint32_t delivered);

}  // namespace estab::tcp
