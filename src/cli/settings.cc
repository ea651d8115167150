#include "cli/settings.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include "cli/failure.h"
#include "observe/text.h"

namespace estab::cli {
namespace {

std::string_view LastPart(std::string_view name) { return name.substr(name.rfind('.') + 1); }

// Insertions, deletions and changes that lead from one to the other.
std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row[b.size()];
}

}  // namespace

std::vector<SettingName> AllSettings() {
  std::vector<SettingName> all;
  Stack::ForEachSetting(
      [](void* context, const char* name, const char* gist) {
        static_cast<std::vector<SettingName>*>(context)->push_back({name, gist});
      },
      &all);
  return all;
}

std::string CurrentValue(const Stack& stack, const std::string& name) {
  std::array<char, kSettingTextSize> text;
  const auto value = stack.GetSetting(name, text);
  return value ? std::string(*value) : std::string();
}

void NoSuchSetting(const std::string& name) {
  const std::string near = NearestSettings(name);
  if (near.empty()) {
    Misused(
        "--set {}: there is no such setting; names are Linux's (net.ipv4.tcp_...) or begin with "
        "estab.",
        name);
  }
  Misused("--set {}: there is no such setting; did you mean {}?", name, near);
}

std::string NearestSettings(std::string_view name) {
  const std::string_view wanted = LastPart(name);
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const SettingName& setting : AllSettings()) {
    const std::string_view last = LastPart(setting.name);
    const bool contains = wanted.size() >= 4 && last.find(wanted) != last.npos;
    const std::size_t distance = contains ? 1 : EditDistance(wanted, last);
    if (distance <= std::max<std::size_t>(2, wanted.size() / 4))
      near.push_back({distance, setting.name});
  }
  std::stable_sort(near.begin(), near.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string names;
  for (std::size_t i = 0; i < near.size() && i < 3; ++i) {
    names += (i == 0 ? "" : ", ") + near[i].second;
  }
  return names;
}

void ApplySetting(Stack& stack, const std::string& given, const std::string& value) {
  const std::string name = observe::FullSettingName(given);
  const Result<void> set = stack.SetSetting(name, value);
  if (set) return;
  if (set.error() == Error::kNotFound) NoSuchSetting(name);
  if (set.error() == Error::kBusy) Misused("--set {}: too late to change it now", name);
  std::string gist;
  for (const SettingName& setting : AllSettings()) {
    if (setting.name == name) gist = setting.gist;
  }
  Misused("--set {}: '{}' is not a value of it ({}; it is {} now)", name, value, gist,
          CurrentValue(stack, name));
}

}  // namespace estab::cli
