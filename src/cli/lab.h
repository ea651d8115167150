// estab lab: behaviours, watched in virtual time.
#pragma once

#include <CLI/App.hpp>
#include <functional>

namespace estab::cli {

/// Adds the verb to `app`. When it is chosen, `run` becomes the function that does the work and
/// returns the exit status: 0 as expected, 1 not, 2 asked wrongly.
void AddLab(CLI::App& app, std::function<int()>& run);

}  // namespace estab::cli
