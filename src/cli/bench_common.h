// The flags that every measurement of `estab bench` has.
#pragma once

#include <CLI/App.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/path_run.h"

namespace estab::cli {

/// As they were given.
struct BenchFlags {
  std::vector<std::string> cc, settings;
  std::string seed = "1";
  std::string jobs = "1";
  std::string json;
  bool check = false;
};

/// --cc, --set, --seed, --jobs, --json, --check.
void AddCommonFlags(CLI::App& verb, BenchFlags& flags);

/// Where the text for people goes: standard output, unless the JSON does.
std::FILE* TextOutput(const BenchFlags& flags);

/// The congestion controls chosen, all that there are if none is. Those that this stack refuses are
/// left out, and a line of text says so.
std::vector<std::string> ChosenCc(const BenchFlags& flags);
/// Seed and settings. Failure of status 2 if they are none.
bench::PathOptions PathOptionsOf(const BenchFlags& flags);
unsigned JobsOf(const BenchFlags& flags);

}  // namespace estab::cli
