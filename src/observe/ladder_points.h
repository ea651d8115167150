// The order in which a ladder is drawn: every departure, arrival and event as a point in time.
#pragma once

#include <cstddef>
#include <vector>

#include "observe/ladder.h"

namespace estab::observe {

/// One moment of one row. A segment has two: its departure and, unless it was lost, its arrival.
struct LadderPoint {
  Time at{};
  std::size_t row = 0;
  bool arrival = false;
};

/// All points in drawing order: by time; among equals arrivals first (they cause the rest), then as
/// it happened. `drawn(row)` says which rows take part.
template <class Drawn>
std::vector<LadderPoint> LadderPoints(const Ladder& ladder, Drawn&& drawn);

/// For each row, whether it is a segment that meets another on its way (they cross, or one
/// overtakes the other) or something at its receiver's side before it arrives. Such a one cannot be
/// drawn on a single line.
std::vector<bool> CrossingSegments(const Ladder& ladder, const std::vector<LadderPoint>& points);

/// Sorts points into drawing order.
void SortPoints(const Ladder& ladder, std::vector<LadderPoint>& points);

template <class Drawn>
std::vector<LadderPoint> LadderPoints(const Ladder& ladder, Drawn&& drawn) {
  std::vector<LadderPoint> points;
  for (std::size_t i = 0; i < ladder.rows.size(); ++i) {
    const LadderRow& row = ladder.rows[i];
    if (!drawn(row)) continue;
    points.push_back({row.at, i, false});
    const auto* segment = std::get_if<LadderSegment>(&row.what);
    if (segment != nullptr && segment->arrived) points.push_back({*segment->arrived, i, true});
  }
  SortPoints(ladder, points);
  return points;
}

}  // namespace estab::observe
