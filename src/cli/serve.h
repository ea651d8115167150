// `estab serve`.
#pragma once

#include <CLI/App.hpp>
#include <functional>

namespace estab::cli {

/// Adds the verb to `app`; if it is the one that was asked for, parsing sets `run`, which returns
/// the exit status or throws Failure.
void AddServe(CLI::App& app, std::function<int()>& run);

}  // namespace estab::cli
