// Results as text for people and as JSON for programs.
#pragma once

#include <string>
#include <vector>

#include "bench/golden.h"
#include "bench/path_run.h"
#include "bench/trials/finding.h"

namespace estab::bench {

/// The heading of a table of cells, two lines.
std::string CellTableHead();
/// One line of it. A mark at its end says whether `golden` is content.
std::string CellTableRow(const CellResult& result, const Golden& golden);

/// A finding as a line: what, figure, bounds, whether they hold.
std::string FindingLine(const Finding& finding);

/// {"seed":..., "cells":[...]}: everything that the table shows and more, in plain units.
std::string CellsJson(const std::vector<CellResult>& results, const Golden& golden,
                      std::uint64_t seed);
/// {"seed":..., "experiment":..., "findings":[...]}.
std::string FindingsJson(const std::string& experiment, const std::vector<Finding>& findings,
                         std::uint64_t seed);

}  // namespace estab::bench
