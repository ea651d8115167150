#include "oracle/differences.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace oracle {
namespace {

bool Contains(const std::vector<std::string>& list, const std::string& one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

/// Whether the pattern is the name, or ends in '*' and begins it.
bool NameMatches(const std::string& pattern, const std::string& name) {
  if (!pattern.ends_with('*')) return pattern == name;
  return name.starts_with(pattern.substr(0, pattern.size() - 1));
}

bool SetField(const std::string& key, const std::string& value, Accepted* entry) {
  if (key == "profiles") {
    entry->profiles = SplitWords(value);
  } else if (key == "rows") {
    entry->rows = SplitWords(value);
  } else if (key == "title") {
    entry->title = value;
  } else if (key == "linux") {
    entry->kernel = value;
  } else if (key == "estab") {
    entry->estab = value;
  } else if (key == "why") {
    entry->why = value;
  } else if (key == "status" && value == "open") {
    entry->open = true;
  } else if (key == "scripts") {
    for (const std::string& word : SplitWords(value)) entry->scripts.push_back(word);
  } else if (key == "matches") {
    entry->matches.emplace_back(value);
  } else {
    return false;
  }
  return true;
}

void AppendEntry(const Accepted& entry, std::string* text) {
  *text += "### " + entry.title + "\n\n";
  *text += "- Linux: " + entry.kernel + "\n";
  *text += "- estab: " + entry.estab + "\n";
  *text += "- Why: " + entry.why + "\n";
  if (!entry.rows.empty()) {
    *text += "- Behaviour:";
    for (const std::string& row : entry.rows) *text += " `" + row + "`";
    *text += "\n";
  }
  if (!entry.scripts.empty()) {
    *text += "- Scripts:";
    for (const std::string& script : entry.scripts) *text += " `" + script + "`";
    *text += "\n";
  }
  *text += "\n";
}

}  // namespace

bool Accepted::In(const std::string& profile) const { return Contains(profiles, profile); }

std::vector<Accepted> ReadAccepted(const std::string& path) {
  std::ifstream file(path);
  std::vector<Accepted> all;
  std::string line;
  std::string key;
  std::string value;
  const auto finish = [&](int number) {
    if (key.empty()) return;
    if (all.empty() || !SetField(key, value, &all.back())) {
      std::fprintf(stderr, "%s: before line %d: what is '%s'?\n", path.c_str(), number,
                   key.c_str());
      std::exit(2);
    }
    key.clear();
  };
  int number = 0;
  while (std::getline(file, line)) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    if (line.starts_with("  ") && !key.empty()) {
      value += " " + line.substr(2);
      continue;
    }
    finish(number);
    if (line.starts_with("=== ")) {
      all.emplace_back().name = line.substr(4);
      continue;
    }
    const auto colon = line.find(':');
    key = line.substr(0, colon);
    value = colon == std::string::npos ? "" : line.substr(std::min(colon + 2, line.size()));
  }
  finish(number);
  return all;
}

const Accepted* Find(const std::vector<Accepted>& all, const std::string& profile,
                     const std::string& script, const Difference& first) {
  const std::string base = script.substr(0, script.find('~'));
  for (const Accepted& entry : all) {
    if (!entry.In(profile)) continue;
    for (const std::string& pattern : entry.scripts) {
      if (NameMatches(pattern, base)) return &entry;
    }
    if (base == script) continue;  // only mutants are told by what they look like
    for (const std::regex& regex : entry.matches) {
      if (std::regex_search(first.Text(), regex)) return &entry;
    }
  }
  return nullptr;
}

std::string DifferencesDocument(const std::vector<Accepted>& all) {
  std::string text =
      "# Where estab and Linux differ\n\n"
      "Every difference that the oracle (tests/oracle) knows between Linux 6.18 and estab, with "
      "its\n"
      "reason. Whatever else the two do differently in its scripts makes the test fail, and so "
      "does\n"
      "an entry that is no longer true. This file is generated from "
      "tests/oracle/differences.txt.\n\n";
  text +=
      "## In the profile `default` only\n\nWhat `estab.profile=linux` does as Linux does it.\n\n";
  for (const Accepted& entry : all) {
    if (!entry.In("linux")) AppendEntry(entry, &text);
  }
  text += "## In the profile `linux` too\n\n";
  for (const Accepted& entry : all) {
    if (entry.In("linux")) AppendEntry(entry, &text);
  }
  while (text.ends_with("\n\n")) text.pop_back();
  return text;
}

}  // namespace oracle
