// A ladder as a picture.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "observe/ladder.h"

namespace estab::observe {

struct LadderSvgOptions {
  bool options = true;    // TCP options under their segment
  bool verdicts = false;  // rules that changed no state
  // For a page that brings SvgStyle and SvgArrowHead of svg_style.h itself.
  bool embedded = false;
};

/// How wide one ladder is drawn, in pixels.
inline constexpr int kLadderWidth = 1000;

/// One of several ladders in a picture.
struct SvgPanel {
  const Ladder* ladder = nullptr;
  std::string caption;
  bool counterfactual = false;
};

/// Draws `ladder` as a self-contained SVG document: lifelines coloured by state, slanted arrows,
/// lost segments broken off with a cross, fired timers as spans, calls in boxes, and a time axis
/// that runs in proportion where things happen and is cut, visibly, where nothing does.
std::string LadderToSvg(const Ladder& ladder, const LadderSvgOptions& options = {});

/// Draws several under one title, two beside each other, each with its caption.
std::string LaddersToSvg(const std::string& title, std::span<const SvgPanel> panels,
                         const LadderSvgOptions& options = {});

}  // namespace estab::observe
