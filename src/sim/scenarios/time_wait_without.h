// What would happen without TIME_WAIT.
#pragma once

#include "sim/scenario.h"

namespace estab::sim {

/// An old segment in a new connection on the same four-tuple: beside time-wait/old-data.
void OldDataTaken(ScenarioContext& ctx);

inline constexpr Parameter kWithoutTimeWait = {
    "time-wait", "0", "0: beside it, what happens without TIME_WAIT; 1: only as it is"};

}  // namespace estab::sim
