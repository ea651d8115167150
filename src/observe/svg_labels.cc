#include "observe/svg_labels.h"

#include <algorithm>
#include <array>
#include <climits>
#include <cmath>
#include <cstdlib>

namespace estab::observe {
namespace {

constexpr int kStep = 6;           // between two points at which a text is looked at
constexpr int kEnd = 16;           // from an arrow's end to the text
constexpr double kHalfText = 9;    // from an arrow to the middle of its text
constexpr double kStruck = 6.5;    // an arrow that comes so close to that strikes it through
constexpr double kOverlap = 11.5;  // two texts that come so close overlap
constexpr int kStruckCost = 4;
constexpr int kOverlapCost = 16;

double Slope(const SvgLine& line) {
  return static_cast<double>(line.y2 - line.y1) / static_cast<double>(line.x2 - line.x1);
}

// How far the point is from `line`, at right angles; far beyond its ends.
double DistanceTo(const SvgLine& line, double x, double y) {
  if (x < std::min(line.x1, line.x2) || x > std::max(line.x1, line.x2)) return 1e9;
  const double slope = Slope(line);
  return std::abs(y - (line.y1 + slope * (x - line.x1))) / std::sqrt(1 + slope * slope);
}

}  // namespace

// The middles of both texts, point by point, if they reach to the right from `from`.
std::vector<SvgLabels::Point> SvgLabels::Covered(const SvgLabel& label, int from) const {
  const SvgLine& line = lines_[label.line];
  const double slope = Slope(line);
  const double length = std::sqrt(1 + slope * slope);
  const int widest = std::max(label.above, label.below);
  std::vector<Point> covered;
  const auto add = [&](int width, double side) {
    const int begin = from + (widest - width) / 2;
    for (int along = 0; along < width; along += kStep) {
      const double x = begin + along / length;
      const double y = line.y1 + slope * (x - line.x1);
      covered.push_back({x - side * kHalfText * slope / length, y + side * kHalfText / length});
    }
  };
  add(label.above, -1);
  add(label.below, 1);
  return covered;
}

int SvgLabels::Cost(const SvgLabel& label, std::span<const Point> covered) const {
  int cost = 0;
  for (const Point& p : covered) {
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (i != label.line && DistanceTo(lines_[i], p.x, p.y) < kStruck) cost += kStruckCost;
    }
    for (const SvgBox& box : boxes_) {
      if (p.x >= box.x1 && p.x <= box.x2 && p.y >= box.y1 && p.y <= box.y2) cost += kOverlapCost;
    }
    for (const Point& other : taken_) {
      if (std::abs(other.x - p.x) < kStep && std::abs(other.y - p.y) < kOverlap) {
        cost += kOverlapCost;
      }
    }
  }
  return cost;
}

SvgPlace SvgLabels::Place(const SvgLabel& label) {
  const SvgLine& line = lines_[label.line];
  const bool to_right = line.x2 > line.x1;
  const int left = std::min(line.x1, line.x2) + kEnd;
  const double slope = Slope(line);
  const auto width =
      static_cast<int>(std::max(label.above, label.below) / std::sqrt(1 + slope * slope));
  const int room = std::max(0, std::abs(line.x2 - line.x1) - 2 * kEnd - width);
  // In tenths of the room, counted from the tail; the first of the best is taken.
  constexpr std::array<int, 9> kFromMiddle = {5, 0, 10, 3, 7, 2, 8, 4, 6};
  constexpr std::array<int, 9> kFromTail = {0, 10, 5, 2, 8, 3, 7, 4, 6};
  int best = INT_MAX;
  int tenths = 0;
  std::vector<Point> kept;
  for (const int candidate : label.at_tail ? kFromTail : kFromMiddle) {
    const int from = left + room * (to_right ? candidate : 10 - candidate) / 10;
    std::vector<Point> covered = Covered(label, from);
    const int cost = Cost(label, covered);
    if (cost >= best) continue;
    best = cost;
    tenths = candidate;
    kept = std::move(covered);
  }
  taken_.insert(taken_.end(), kept.begin(), kept.end());
  if (tenths == 0) return {to_right ? left : left + room + width, to_right ? "start" : "end"};
  return {left + room * (to_right ? tenths : 10 - tenths) / 10 + width / 2, "middle"};
}

}  // namespace estab::observe
