// Settings by name: how text becomes a value, and when a value may change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "estab/error.h"
#include "tcp/settings.h"

namespace estab::stack {

/// One numeric setting, or a row of them (tcp_rmem).
struct SettingEntry {
  enum class Kind : std::uint8_t { kInt, kMask, kDuration, kTriple, kRange, kFixed, kCongestion };
  const char* name;
  const char* gist;
  Kind kind;
  std::int64_t least;  // kFixed: its only value, which no member keeps; kMask: bits always set
  std::int64_t most;   // kMask: all the bits that there are
  /// kInt, kMask, kCongestion (a Congestion, by its name); kRange: the first of two.
  std::int32_t tcp::Settings::* int_member = nullptr;
  std::int32_t tcp::Settings::* second_member = nullptr;    // kRange
  std::int64_t tcp::Settings::* duration_member = nullptr;  // kDuration, in milliseconds
  std::int64_t (tcp::Settings::*triple_member)[3] = nullptr;
};

/// No more than so many, ever.
constexpr std::size_t kMostSettings = 128;

/// Every numeric setting, in the order of the documentation. All of them are live: a change is felt
/// at the next use.
std::span<const SettingEntry> SettingEntries();
/// The entry of that name; nullptr if there is none.
const SettingEntry* FindSetting(std::string_view name);

/// Reads `text` into the setting; false if it is malformed or out of range.
bool ReadSetting(const SettingEntry& entry, std::string_view text, tcp::Settings& settings);
/// Writes the setting's value into `out`; returns the part written.
std::string_view WriteSetting(const SettingEntry& entry, const tcp::Settings& settings,
                              std::span<char> out);

/// Gives `to` the value that `from` has.
void CopySetting(const SettingEntry& entry, const tcp::Settings& from, tcp::Settings& to);

/// A whole number with an optional minus sign; false for anything else.
bool ReadNumber(std::string_view text, std::int64_t& value);
std::string_view WriteNumber(std::int64_t value, std::span<char> out);
/// Cuts spaces off both ends.
std::string_view Trimmed(std::string_view text);

}  // namespace estab::stack
