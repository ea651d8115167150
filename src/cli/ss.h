// `estab ss`, `estab why` and `estab set`: what a running server is asked.
#pragma once

#include <CLI/App.hpp>
#include <functional>

namespace estab::cli {

/// Add the verbs; `run` becomes what is to be done if one is used.
void AddSs(CLI::App& app, std::function<int()>& run);
void AddWhy(CLI::App& app, std::function<int()>& run);
void AddSet(CLI::App& app, std::function<int()>& run);

}  // namespace estab::cli
