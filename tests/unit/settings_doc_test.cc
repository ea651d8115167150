// docs/settings.md is generated from the table of settings, so that neither can lag behind.
// To write it anew after a change: ESTAB_WRITE_DOCS=1 unit_settings_doc
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "estab/stack.h"

namespace estab {
namespace {

struct Page {
  std::array<const Stack*, 3> stacks;  // in the three profiles
  std::string text;
};

std::string ValueIn(const Stack& stack, const char* name) {
  std::array<char, kSettingTextSize> room;
  std::string text(stack.GetSetting(name, room).value());
  for (char& c : text) {
    if (c == '\t') c = ' ';
  }
  return text.empty() ? "" : "`" + text + "`";
}

void AddRow(void* context, const char* name, const char* gist) {
  Page& page = *static_cast<Page*>(context);
  const std::string value = ValueIn(*page.stacks[0], name);
  page.text += "| `" + std::string(name) + "` | " + value + " |";
  for (std::size_t i = 1; i < page.stacks.size(); ++i) {
    const std::string other = ValueIn(*page.stacks[i], name);
    page.text += other == value ? " |" : " " + other + " |";
  }
  page.text += ' ';
  for (const char* c = gist; *c != '\0'; ++c) {
    if (*c == '|') page.text += '\\';  // or it would end the cell
    page.text += *c;
  }
  page.text += " |\n";
}

Stack InProfile(std::string_view profile) {
  Stack stack = Stack::Create({}).value();
  EXPECT_TRUE(stack.SetSetting("estab.profile", profile));
  return stack;
}

std::string GeneratedPage() {
  const Stack stack = InProfile("default");
  const Stack linux_like = InProfile("linux");
  const Stack rfc = InProfile("rfc");
  Page page{{&stack, &linux_like, &rfc}, R"(# Settings

Every setting of a stack, with the value it begins with; in the profiles `linux` and `rfc` where
theirs is another. Names are Linux's where Linux has the setting; `estab.*` is what Linux fixes when
it is compiled. Set one with `--set NAME=VALUE` of the command, `estab_sysctl_set` of the C ABI,
`Host::Set` or `Stack::SetSetting` of C++. Each is live: a change is felt at its next use. The
exception is `estab.seed`, which holds from the first packet on. `estab.profile` leaves alone what
was set by name, before it or after. What says "not yet" takes only the value shown: no other would be
true.

The times of `estab.*` and of `tcp_rto_max_ms` are milliseconds where no unit is given; `500ms`,
`3s` and `1min` are understood too. All others have Linux's units.

| setting | begins with | `linux` | `rfc` | what it does |
|---|---|---|---|---|
)"};
  Stack::ForEachSetting(AddRow, &page);
  return page.text;
}

TEST(SettingsDoc, SaysWhatTheTableSays) {
  const std::string page = GeneratedPage();
  if (std::getenv("ESTAB_WRITE_DOCS") != nullptr) std::ofstream(ESTAB_SETTINGS_DOC) << page;
  std::ostringstream file;
  file << std::ifstream(ESTAB_SETTINGS_DOC).rdbuf();
  EXPECT_EQ(file.str(), page) << "write it anew: ESTAB_WRITE_DOCS=1 unit_settings_doc";
}

}  // namespace
}  // namespace estab
