// docs/conformance.md is generated from requirements.def, and that is held against the tree: what
// it names must exist, and nothing that RFC 9293's appendix B requires may be missing. To write it
// anew after a change: ESTAB_WRITE_DOCS=1 doc_conformance
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "sim/scenarios/registry.h"

namespace estab::test {
namespace {

namespace fs = std::filesystem;

enum Status { kDone, kPart, kLater, kOtherwise, kUser };

struct Requirement {
  std::string rfc;
  std::string rfc_title;
  std::string group;
  std::string id;
  std::string level;
  std::string what;
  Status status;
  std::string where;
  std::string test;
  std::string note;
};

std::vector<Requirement> All() {
  std::vector<Requirement> all;
  Requirement now;
#define SECTION(name, title) \
  now.rfc = name;            \
  now.rfc_title = title;     \
  now.group.clear();
#define GROUP(name) now.group = name;
#define REQ(id, level, what, status, where, test, note) \
  all.push_back({now.rfc, now.rfc_title, now.group, id, level, what, status, where, test, note});
#include "rfc/requirements.def"
#undef REQ
#undef GROUP
#undef SECTION
  return all;
}

std::vector<std::string> Parts(const std::string& list) {
  std::vector<std::string> parts;
  std::stringstream in(list);
  for (std::string part; std::getline(in, part, ';');) {
    part.erase(0, part.find_first_not_of(' '));
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

std::string Content(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// "Suite.Name" of every test in the tree, without the prefixes of parameterized ones.
std::set<std::string> TestsOfTheTree() {
  const std::regex test(R"(TEST(_F|_P)?\(\s*(\w+),\s*(\w+)\))");
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(ESTAB_SOURCE_DIR) / "tests")) {
    if (entry.path().extension() != ".cc") continue;
    const std::string text = Content(entry.path());
    for (std::sregex_iterator it(text.begin(), text.end(), test), end; it != end; ++it) {
      names.insert((*it)[2].str() + "." + (*it)[3].str());
    }
  }
  return names;
}

TEST(ConformanceTable, NamesCodeThatExists) {
  std::map<std::string, std::string> files;
  for (const Requirement& r : All()) {
    for (const std::string& place : Parts(r.where)) {
      const std::size_t blank = place.find(' ');
      ASSERT_NE(blank, std::string::npos) << r.id << ": " << place;
      const std::string file = place.substr(0, blank);
      if (!files.contains(file)) files[file] = Content(fs::path(ESTAB_SOURCE_DIR) / file);
      EXPECT_FALSE(files[file].empty()) << r.id << " names " << file << ", which is not there";
      const std::regex word("\\b" + place.substr(blank + 1) + "\\b");
      EXPECT_TRUE(std::regex_search(files[file], word)) << r.rfc << " " << r.id << ": " << place;
    }
  }
}

TEST(ConformanceTable, NamesTestsThatExist) {
  const std::set<std::string> tests = TestsOfTheTree();
  for (const Requirement& r : All()) {
    for (const std::string& test : Parts(r.test)) {
      if (test.starts_with("lab ")) {
        EXPECT_NE(sim::FindScenario(test.substr(4)), nullptr)
            << r.rfc << " " << r.id << ": " << test;
      } else if (test.starts_with("interop ")) {
        EXPECT_TRUE(
            fs::exists(fs::path(ESTAB_SOURCE_DIR) / "tests/interop" / (test.substr(8) + ".sh")))
            << r.id << ": " << test;
      } else {
        EXPECT_TRUE(tests.contains(test.substr(test.find('/') + 1)))
            << r.rfc << " " << r.id << " names " << test << ", which is no test";
      }
    }
  }
}

TEST(ConformanceTable, IsHonest) {
  for (const Requirement& r : All()) {
    const std::string name = r.rfc + " " + r.id;
    if (r.status == kDone || r.status == kPart) {
      EXPECT_FALSE(r.where.empty()) << name << " is done where?";
      EXPECT_FALSE(r.test.empty()) << name << " is shown by which test?";
    }
    if (r.status != kDone && r.status != kUser) {
      EXPECT_FALSE(r.note.empty()) << name << " is not done, and says not why";
    }
  }
}

TEST(ConformanceTable, NothingOfAppendixBIsMissing) {
  std::map<std::string, int> seen;
  for (const Requirement& r : All()) {
    if (r.rfc == "RFC 9293") ++seen[r.id];
  }
  const auto once = [&](const std::string& id) { EXPECT_EQ(seen[id], 1) << id; };
  for (int i = 1; i <= 69; ++i) once("MUST-" + std::to_string(i));
  for (int i = 1; i <= 31; ++i) once("SHLD-" + std::to_string(i));
  for (int i = 1; i <= 18; ++i) once("MAY-" + std::to_string(i));
  once("REC-1");
  EXPECT_EQ(seen.size(), 69u + 31u + 18u + 1u);
}

const char* Mark(Status status) {
  switch (status) {
    case kDone:
      return "yes";
    case kPart:
      return "in part";
    case kLater:
      return "**not yet**";
    case kOtherwise:
      return "otherwise";
    case kUser:
      return "the application's";
  }
  return "?";
}

std::string Cell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string Places(const std::string& where) {
  std::string out;
  for (const std::string& place : Parts(where)) {
    const std::size_t blank = place.find(' ');
    const std::string file = place.substr(0, blank);
    out += (out.empty() ? "" : "<br>") + ("[" + file + "](../" + file + ") `") +
           place.substr(blank + 1) + "`";
  }
  return out;
}

std::string Tests(const std::string& tests) {
  std::string out;
  for (const std::string& test : Parts(tests)) out += (out.empty() ? "`" : "<br>`") + test + "`";
  return out;
}

std::string Totals(const std::vector<Requirement>& all) {
  std::map<std::string, std::map<Status, int>> counts;
  std::vector<std::string> order;
  for (const Requirement& r : all) {
    if (!counts.contains(r.rfc)) order.push_back(r.rfc);
    ++counts[r.rfc][r.status];
  }
  std::string out =
      "| | yes | in part | otherwise | not yet | the application's |\n"
      "|---|---|---|---|---|---|\n";
  for (const std::string& rfc : order) {
    out += "| " + rfc + " |";
    for (const Status s : {kDone, kPart, kOtherwise, kLater, kUser}) {
      out += " " + (counts[rfc][s] == 0 ? "" : std::to_string(counts[rfc][s])) + " |";
    }
    out += "\n";
  }
  return out;
}

std::string GeneratedPage() {
  const std::vector<Requirement> all = All();
  std::string out =
      "# What the RFCs require\n\n"
      "Every requirement of RFC 9293's appendix B, and those of the RFCs around it that concern "
      "the "
      "management of\nconnections: where the code does it, and which test shows it. Generated from "
      "[requirements.def](../tests/rfc/requirements.def);\na test fails when a file, a function or "
      "a test that is named here does not exist, or when one of appendix B is missing.\nTo write "
      "this page anew: `ESTAB_WRITE_DOCS=1 build/dev/tests/rfc/doc_conformance`.\n\n"
      "*otherwise*: decided otherwise, for the reason given, which also says if a profile "
      "(`estab.profile`) has the letter of\nthe RFC. *not yet*: missing, in every profile.\n\n" +
      Totals(all);
  std::string rfc;
  std::string group;
  for (const Requirement& r : all) {
    const bool new_rfc = r.rfc != rfc;
    if (new_rfc) out += "\n## " + r.rfc + ": " + r.rfc_title + "\n";
    if (!r.group.empty() && r.group != group) out += "\n### " + r.group + "\n";
    if (new_rfc || r.group != group) {
      out +=
          "\n| | level | requirement | done | code | shown by | remark |\n"
          "|---|---|---|---|---|---|---|\n";
    }
    rfc = r.rfc;
    group = r.group;
    out += "| " + r.id + " | " + r.level + " | " + Cell(r.what) + " | " + Mark(r.status) + " | " +
           Places(r.where) + " | " + Tests(r.test) + " | " + Cell(r.note) + " |\n";
  }
  return out;
}

TEST(ConformanceTable, ThePageSaysWhatTheTableSays) {
  const fs::path path = fs::path(ESTAB_SOURCE_DIR) / "docs/conformance.md";
  const std::string page = GeneratedPage();
  if (std::getenv("ESTAB_WRITE_DOCS") != nullptr) std::ofstream(path) << page;
  EXPECT_TRUE(Content(path) == page) << "write it anew: ESTAB_WRITE_DOCS=1 doc_conformance";
}

}  // namespace
}  // namespace estab::test
