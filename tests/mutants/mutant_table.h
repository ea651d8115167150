// The table of rules with one rule changed at run time: GetRule, as this program links it.
#pragma once

#include <array>

#include "estab/rule.h"
#include "tcp/rules.h"

namespace estab::test {

/// Puts `changed` in the place of the rule that it names.
void Mutate(const Rule& changed);

/// Which rules were asked for since the last call.
std::array<bool, tcp::kRuleCount> TakeAsked();

}  // namespace estab::test
