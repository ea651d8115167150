// The rules by name, for the code that fires them.
#pragma once

#include <cstddef>

#include "estab/rule.h"

namespace estab {

enum class RuleId : std::uint16_t {
#define RULE(enumerator, name, from, trigger, to, basis, section, gist) enumerator,
#include "tcp/rules.def"
#undef RULE
};

namespace tcp {

inline constexpr std::size_t kRuleCount = 0
#define RULE(enumerator, name, from, trigger, to, basis, section, gist) +1
#include "tcp/rules.def"
#undef RULE
    ;

}  // namespace tcp
}  // namespace estab
