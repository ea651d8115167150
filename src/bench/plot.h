// A flow over time, drawn: its congestion window, its rate, its round trip.
#pragma once

#include <string>
#include <vector>

#include "bench/path_run.h"

namespace estab::bench {

/// An SVG of a cell's samples, with what the link and theory allow. The ramp-up, which is not
/// measured, is shaded. Long runs are drawn as the band between the least and the most in each
/// pixel.
std::string PlotSvg(const CellResult& result, const std::vector<FlowSample>& samples);

}  // namespace estab::bench
