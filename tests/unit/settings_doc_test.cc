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
  const Stack* stack;
  std::string text;
};

void AddRow(void* context, const char* name, const char* gist) {
  Page& page = *static_cast<Page*>(context);
  std::array<char, kSettingTextSize> value;
  std::string text(page.stack->GetSetting(name, value).value());
  for (char& c : text) {
    if (c == '\t') c = ' ';
  }
  std::string what;
  for (const char* c = gist; *c != '\0'; ++c) {
    if (*c == '|') what += '\\';  // or it would end the cell
    what += *c;
  }
  page.text += "| `" + std::string(name) + "` | " + (text.empty() ? "" : "`" + text + "`") + " | " +
               what + " |\n";
}

std::string GeneratedPage() {
  auto stack = Stack::Create({}).value();
  Page page{&stack, R"(# Settings

Every setting of a stack, with the value it begins with. Names are Linux's where Linux has the
setting; `estab.*` is what Linux fixes when it is compiled. Set one with `--set NAME=VALUE` of the
command, `estab_sysctl_set` of the C ABI, `Host::Set` or `Stack::SetSetting` of C++. Each is live: a
change is felt at its next use. The exception is `estab.seed`, which holds from the first packet on.

The times of `estab.*` and of `tcp_rto_max_ms` are milliseconds where no unit is given; `500ms`,
`3s` and `1min` are understood too. All others have Linux's units.

| setting | begins with | what it does |
|---|---|---|
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
