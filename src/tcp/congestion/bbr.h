// BBR, version 1 (draft-cardwell-iccrg-bbr-congestion-control-00), as Linux has it (tcp_bbr.c): it
// sends at the rate at which the path delivers, and keeps no more in flight than that takes. Losses
// do not reduce it.
//
// Unlike Linux everything counts in bytes, and what a tail loss probe finds lost may go out at
// once, as with the others (profile `linux`: not so). Nothing else is known to differ.
#pragma once

#include "tcp/congestion/congestion.h"

namespace estab::tcp {

extern const CongestionControl kBbr;

}  // namespace estab::tcp
