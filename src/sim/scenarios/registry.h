// Every scenario that estab knows.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario.h"

namespace estab::sim {

/// All of them, group by group, in the order in which one would teach them. Static storage.
const std::vector<const Scenario*>& AllScenarios();

/// The scenario with this id; nullptr if there is none.
const Scenario* FindScenario(std::string_view id);

/// Up to `most` ids that resemble `id`, the nearest first: what somebody may have meant.
std::vector<std::string> NearestScenarios(std::string_view id, std::size_t most = 3);

}  // namespace estab::sim
