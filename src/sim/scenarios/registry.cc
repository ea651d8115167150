#include "sim/scenarios/registry.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "sim/scenarios/groups.h"

namespace estab::sim {
namespace {

// Levenshtein's distance: how many letters must be added, taken away or changed.
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0u : 1u);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row[b.size()];
}

// An id is resembled by itself with typing errors, or by its part behind the slash.
std::size_t Unlikeness(std::string_view id, std::string_view wanted) {
  const std::string_view name = id.substr(id.find('/') + 1);
  const bool within = !wanted.empty() && id.find(wanted) != std::string_view::npos;
  return within ? 0 : std::min(EditDistance(id, wanted), EditDistance(name, wanted) + 1);
}

}  // namespace

const std::vector<const Scenario*>& AllScenarios() {
  static const std::vector<const Scenario*> all = [] {
    std::vector<const Scenario*> list;
    for (const std::span<const Scenario> group :
         {OpenScenarios(),      OpenBesideScenarios(),   OpenRecordScenarios(),
          OpenAgreeScenarios(), OpenFastScenarios(),     OpenEndScenarios(),
          OpenFloodScenarios(), OpenLossScenarios(),     IcmpScenarios(),
          CloseScenarios(),     CloseOddScenarios(),     CloseLossScenarios(),
          TimeWaitScenarios(),  TimeWaitMoreScenarios(), TimeWaitWithoutScenarios(),
          ResetScenarios(),     ResetMoreScenarios(),    HalfOpenScenarios(),
          TimeoutScenarios(),   TimerScenarios(),        TimerMoreScenarios(),
          DataScenarios(),      DataWindowScenarios(),   DataRateScenarios(),
          DataPathScenarios(),  MachineScenarios(),      HostileScenarios(),
          DemoScenarios()}) {
      for (const Scenario& scenario : group) list.push_back(&scenario);
    }
    return list;
  }();
  return all;
}

const Scenario* FindScenario(std::string_view id) {
  for (const Scenario* scenario : AllScenarios()) {
    if (id == scenario->id) return scenario;
  }
  return nullptr;
}

std::vector<std::string> NearestScenarios(std::string_view id, std::size_t most) {
  std::vector<std::string> ids;
  for (const Scenario* scenario : AllScenarios()) ids.emplace_back(scenario->id);
  std::sort(ids.begin(), ids.end(), [&](const std::string& a, const std::string& b) {
    return std::pair(Unlikeness(a, id), a) < std::pair(Unlikeness(b, id), b);
  });
  if (ids.size() > most) ids.resize(most);
  return ids;
}

}  // namespace estab::sim
