// Plays that stand beside others of the closing.
#pragma once

#include "sim/scenario.h"

namespace estab::sim {

/// A close in three segments that is forced on a B which still has data.
void CloseInThree(ScenarioContext& ctx);

}  // namespace estab::sim
