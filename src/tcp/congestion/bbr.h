// BBR, version 1 (draft-cardwell-iccrg-bbr-congestion-control-00), as Linux has it (tcp_bbr.c): it
// sends at the rate at which the path delivers, and keeps no more in flight than that takes. Losses
// do not reduce it.
//
// Unlike Linux everything counts in bytes, and, but for the profile `linux`:
// - what a tail loss probe finds lost may go out at once, as with the others;
// - where the path's round trip is longer than 200 ms, four fifths of what the path holds stay
//   in flight while the round trip without a queue is looked for (as an option of Google's QUIC has
//   it), instead of four segments; and four after all, if that shows a queue that others keep.
// Nothing else is known to differ.
#pragma once

#include "tcp/congestion/congestion.h"

namespace estab::tcp {

extern const CongestionControl kBbr;

}  // namespace estab::tcp
