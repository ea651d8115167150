// Settings named by people, who mistype.
#pragma once

#include <string>
#include <string_view>

#include "estab/stack.h"

namespace estab::cli {

/// Sets `name` of `stack`. Throws Failure of status 2: an unknown name (the nearest ones are said),
/// a value that is not one, or one that comes too late.
void ApplySetting(Stack& stack, const std::string& name, const std::string& value);

/// Names of settings that look like `name`, nearest first, joined by ", "; empty if none does.
std::string NearestSettings(std::string_view name);

}  // namespace estab::cli
