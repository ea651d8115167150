// The groups of scenarios, one file each. The registry puts them together.
#pragma once

#include <span>

#include "sim/scenario.h"

namespace estab::sim {

std::span<const Scenario> OpenScenarios();
std::span<const Scenario> OpenBesideScenarios();
std::span<const Scenario> OpenRecordScenarios();
std::span<const Scenario> OpenEndScenarios();
std::span<const Scenario> OpenAgreeScenarios();
std::span<const Scenario> OpenFastScenarios();
std::span<const Scenario> OpenFloodScenarios();
std::span<const Scenario> OpenLossScenarios();
std::span<const Scenario> IcmpScenarios();
std::span<const Scenario> CloseScenarios();
std::span<const Scenario> CloseOddScenarios();
std::span<const Scenario> CloseLossScenarios();
std::span<const Scenario> TimeWaitScenarios();
std::span<const Scenario> TimeWaitMoreScenarios();
std::span<const Scenario> TimeWaitWithoutScenarios();
std::span<const Scenario> ResetScenarios();
std::span<const Scenario> ResetMoreScenarios();
std::span<const Scenario> HalfOpenScenarios();
std::span<const Scenario> TimeoutScenarios();
std::span<const Scenario> TimerMoreScenarios();
std::span<const Scenario> MachineScenarios();
std::span<const Scenario> DataScenarios();
std::span<const Scenario> DataRateScenarios();
std::span<const Scenario> DataWindowScenarios();
std::span<const Scenario> DataPathScenarios();
std::span<const Scenario> HostileScenarios();
std::span<const Scenario> TimerScenarios();
std::span<const Scenario> DemoScenarios();

}  // namespace estab::sim
