// Plays that stand beside others of the opening.
#pragma once

#include "sim/scenario.h"

namespace estab::sim {

/// A handshake in which B's ACK and B's SYN travel apart: four segments instead of three.
void FourSegments(ScenarioContext& ctx);

}  // namespace estab::sim
