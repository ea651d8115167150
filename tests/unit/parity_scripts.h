// The scripts of the parity test, by subject.
#pragma once

#include <vector>

#include "parity.h"

namespace estab_test {

struct Script {
  const char* name;
  void (*play)(Play& r);
};
inline void PrintTo(const Script& script, std::ostream* out) { *out << script.name; }

std::vector<Script> StateScripts();   // calls and poll's bits in every state
std::vector<Script> DataScripts();    // sending and receiving
std::vector<Script> OptionScripts();  // getsockopt, setsockopt, fcntl, ioctl
std::vector<Script> EpollScripts();

inline std::vector<Script> AllScripts() {
  std::vector<Script> all;
  for (const auto& some : {StateScripts(), DataScripts(), OptionScripts(), EpollScripts()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace estab_test
