// Where a segment's text stands along its arrow, so that it can be read among the others.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace estab::observe {

/// An arrow, from its tail to its head.
struct SvgLine {
  int x1 = 0;
  int y1 = 0;
  int x2 = 0;
  int y2 = 0;
};

/// Something else that is written between the lifelines.
struct SvgBox {
  int x1 = 0;
  int y1 = 0;
  int x2 = 0;
  int y2 = 0;
};

/// What is to be written at an arrow: how wide the text above it is, and the one below it (0:
/// none).
struct SvgLabel {
  std::size_t line = 0;  // which arrow
  int above = 0;
  int below = 0;
  bool at_tail = false;  // stands there rather than in the middle, if it can be read at both
};

/// Where that is: the point on the arrow that `anchor` refers to.
struct SvgPlace {
  int x = 0;
  const char* anchor = "middle";
};

/// Finds a place for one label after the other: where the fewest arrows run through it, and where
/// no other label is. What is placed stays.
class SvgLabels {
 public:
  SvgLabels(std::span<const SvgLine> lines, std::vector<SvgBox> boxes)
      : lines_(lines), boxes_(std::move(boxes)) {}

  SvgPlace Place(const SvgLabel& label);

 private:
  struct Point {
    double x;
    double y;
  };

  std::vector<Point> Covered(const SvgLabel& label, int from) const;
  int Cost(const SvgLabel& label, std::span<const Point> covered) const;

  std::span<const SvgLine> lines_;
  std::vector<SvgBox> boxes_;
  std::vector<Point> taken_;
};

}  // namespace estab::observe
