// Settings named by people, who mistype.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "estab/stack.h"

namespace estab::cli {

/// Sets `name` (or its last part) of `stack`. Throws Failure of status 2: an unknown name (the
/// nearest ones are said), a value that is not one, or one that comes too late.
void ApplySetting(Stack& stack, const std::string& name, const std::string& value);

struct SettingName {
  std::string name;
  std::string gist;
};
/// All of them, in the table's order.
std::vector<SettingName> AllSettings();

/// The value of `name` now; empty if there is no such setting.
std::string CurrentValue(const Stack& stack, const std::string& name);

/// Throws the Failure (status 2) for a name that is none, with those that it may have meant.
[[noreturn]] void NoSuchSetting(const std::string& name);

/// Names of settings that look like `name`, nearest first, joined by ", "; empty if none does.
std::string NearestSettings(std::string_view name);

}  // namespace estab::cli
