// Settings of a stack by name: the numeric ones, and those that are more than a number.
#include <algorithm>
#include <cstring>

#include "base/siphash.h"
#include "stack/engine.h"
#include "stack/settings_table.h"

namespace estab {
namespace {

struct SpecialSetting {
  const char* name;
  const char* gist;
};
constexpr SpecialSetting kProfile = {
    "estab.profile",
    "whose rules hold: default, linux, rfc; brings its values of all settings not set by name"};
constexpr SpecialSetting kSeed = {"estab.seed",
                                  "text that all randomness comes from; before the first packet"};
constexpr SpecialSetting kFastOpenKey = {"net.ipv4.tcp_fastopen_key",
                                         "secret of a server's Fast Open cookies, drawn at first; "
                                         "a second, behind a comma, is still taken"};
constexpr SpecialSetting kMemory = {
    "estab.mem_limit",
    "bytes of memory, 4 GiB at first; 0: no limit. Short of it, data ahead of gaps "
    "goes first, then windows stay small, then arrivals are dropped"};
constexpr SpecialSetting kControls = {"net.ipv4.tcp_available_congestion_control",
                                      "what tcp_congestion_control can be; cannot be set"};
constexpr SpecialSetting kAllowed = {"net.ipv4.tcp_allowed_congestion_control",
                                     "what TCP_CONGESTION can be: the same; cannot be set"};
constexpr SpecialSetting kDestroy = {"estab.destroy",
                                     "what the end of a stack does to connections: reset, silent"};

struct ProfileName {
  tcp::Profile profile;
  std::string_view name;
};
constexpr ProfileName kProfileNames[] = {{tcp::Profile::kDefault, "default"},
                                         {tcp::Profile::kLinux, "linux"},
                                         {tcp::Profile::kRfc, "rfc"}};

std::string_view NameOf(tcp::Profile profile) {
  for (const ProfileName& p : kProfileNames) {
    if (p.profile == profile) return p.name;
  }
  return {};
}

std::string_view Copy(std::string_view text, std::span<char> out) {
  const std::size_t n = std::min(text.size(), out.size());
  std::memcpy(out.data(), text.data(), n);
  return {out.data(), n};
}

std::string_view CopyControlNames(std::span<char> out) {
  std::size_t n = 0;
  for (std::size_t i = 1; i <= kCongestionControls; ++i) {
    if (i != 1) out[n++] = ' ';
    n += Copy(NameOf(static_cast<Congestion>(i)), out.subspan(n)).size();
  }
  return {out.data(), n};
}

}  // namespace

Result<void> Stack::Impl::SetSeed(std::string_view text) {
  if (started || last_number != 0) return std::unexpected(Error::kBusy);
  if (text.empty() || text.size() >= seed_text.size()) return std::unexpected(Error::kInvalid);
  seed_text.fill('\0');
  std::memcpy(seed_text.data(), text.data(), text.size());
  std::array<std::uint8_t, 32> secret;
  for (std::uint8_t part = 0; part < 4; ++part) {
    const std::uint64_t h =
        SipHash24(SipKey{part}, std::as_bytes(std::span(text.data(), text.size())));
    std::memcpy(secret.data() + part * 8, &h, 8);
  }
  Seed(secret);
  return {};
}

// What was set by name stays, whichever comes first: the profile or the setting.
Result<void> Stack::Impl::SetProfile(std::string_view name) {
  for (const ProfileName& p : kProfileNames) {
    if (p.name != name) continue;
    tcp::Settings fresh = tcp::SettingsOf(p.profile);
    const auto entries = stack::SettingEntries();
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (set_by_name[i]) stack::CopySetting(entries[i], settings, fresh);
    }
    settings = fresh;
    return {};
  }
  return std::unexpected(Error::kInvalid);
}

Result<void> Stack::SetSetting(std::string_view name, std::string_view value) {
  value = stack::Trimmed(value);
  if (const stack::SettingEntry* entry = stack::FindSetting(name)) {
    if (!stack::ReadSetting(*entry, value, impl_->settings))
      return std::unexpected(Error::kInvalid);
    impl_->set_by_name[static_cast<std::size_t>(entry - stack::SettingEntries().data())] = true;
    return {};
  }
  if (name == kSeed.name) return impl_->SetSeed(value);
  if (name == kControls.name || name == kAllowed.name) {
    return std::unexpected(Error::kAccessDenied);
  }
  if (name == kProfile.name) return impl_->SetProfile(value);
  if (name == kFastOpenKey.name) {
    if (!stack::ReadFastOpenKeys(value, impl_->fast_open_keys)) {
      return std::unexpected(Error::kInvalid);
    }
    impl_->fast_open_key_given = true;
    return {};
  }
  if (name == kMemory.name) {
    std::int64_t bytes = 0;
    if (!stack::ReadNumber(value, bytes) || bytes < 0) return std::unexpected(Error::kInvalid);
    impl_->SetMemoryLimit(bytes == 0 ? UINT64_MAX : static_cast<std::uint64_t>(bytes));
    return {};
  }
  if (name == kDestroy.name) {
    if (value != "reset" && value != "silent") return std::unexpected(Error::kInvalid);
    impl_->destroy_silently = value == "silent";
    return {};
  }
  return std::unexpected(Error::kNotFound);
}

Result<std::string_view> Stack::GetSetting(std::string_view name,
                                           std::span<char, kSettingTextSize> out) const {
  if (const stack::SettingEntry* entry = stack::FindSetting(name)) {
    return stack::WriteSetting(*entry, impl_->settings, out);
  }
  if (name == kSeed.name) return Copy(impl_->seed_text.data(), out);
  if (name == kFastOpenKey.name) {  // zeros for one that was drawn, as Linux
    return stack::WriteFastOpenKeys(
        impl_->fast_open_key_given ? impl_->fast_open_keys : stack::FastOpenKeys{}, out);
  }
  if (name == kProfile.name) return Copy(NameOf(impl_->settings.profile), out);
  if (name == kControls.name || name == kAllowed.name) return CopyControlNames(out);
  if (name == kDestroy.name) return Copy(impl_->destroy_silently ? "silent" : "reset", out);
  if (name == kMemory.name) {
    const std::uint64_t limit = impl_->memory_limit;
    return stack::WriteNumber(limit == UINT64_MAX ? 0 : static_cast<std::int64_t>(limit), out);
  }
  return std::unexpected(Error::kNotFound);
}

void Stack::ForEachSetting(void (*visit)(void* context, const char* name, const char* gist),
                           void* context) {
  for (const stack::SettingEntry& entry : stack::SettingEntries()) {
    visit(context, entry.name, entry.gist);
  }
  for (const SpecialSetting& s :
       {kFastOpenKey, kProfile, kControls, kAllowed, kSeed, kMemory, kDestroy}) {
    visit(context, s.name, s.gist);
  }
}

}  // namespace estab
