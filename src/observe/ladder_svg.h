// A ladder as a picture.
#pragma once

#include <string>

#include "observe/ladder.h"

namespace estab::observe {

struct LadderSvgOptions {
  bool options = true;    // TCP options under their segment
  bool verdicts = false;  // rules that changed no state
};

/// Draws `ladder` as a self-contained SVG document: lifelines coloured by state, slanted arrows,
/// lost segments broken off with a cross, fired timers as spans, calls in boxes, and a time axis
/// that runs in proportion where things happen and is cut, visibly, where nothing does.
std::string LadderToSvg(const Ladder& ladder, const LadderSvgOptions& options = {});

}  // namespace estab::observe
