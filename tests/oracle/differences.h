// The differences that are meant: tests/oracle/differences.txt, and docs/differences.md made of it.
#pragma once

#include <regex>
#include <string>
#include <vector>

#include "oracle/compare.h"

namespace oracle {

/// One accepted difference between the kernel and estab.
struct Accepted {
  std::string name;
  std::vector<std::string> profiles;
  std::vector<std::string> rows;  // of behaviours.md
  std::string title, kernel, estab, why;
  std::vector<std::string> scripts;  // each of them must differ
  bool open = false;                 // nobody has decided yet: they need not
  std::vector<std::regex> matches;   // accepts a first difference anywhere, for mutants

  bool In(const std::string& profile) const;
};

/// Reads the list. Exits with 2 if a line makes no sense.
std::vector<Accepted> ReadAccepted(const std::string& path);

/// Which one covers a script's (or a mutant's) difference; nullptr if none does.
const Accepted* Find(const std::vector<Accepted>& all, const std::string& profile,
                     const std::string& script, const Difference& first);

/// docs/differences.md.
std::string DifferencesDocument(const std::vector<Accepted>& all);

}  // namespace oracle
