#include "observe/ladder_points.h"

#include <algorithm>
#include <tuple>

namespace estab::observe {
namespace {

// Where a side's own event takes place; nullopt for one without a side.
std::optional<Side> SideOf(const LadderRow& row) {
  if (const auto* s = std::get_if<LadderState>(&row.what)) return s->side;
  if (const auto* c = std::get_if<LadderCall>(&row.what)) return c->side;
  if (const auto* t = std::get_if<LadderTimer>(&row.what)) return t->side;
  if (const auto* n = std::get_if<LadderNote>(&row.what)) return n->side;
  return std::nullopt;
}

auto OrderKey(const Ladder& ladder, const LadderPoint& p) {
  const auto at = p.at.time_since_epoch().count();
  // Without delay a segment arrives right behind its departure.
  const bool later = p.arrival && ladder.rows[p.row].at != p.at;
  return std::tuple(at, later ? 0 : 1, p.row, p.arrival ? 1 : 0);
}

// Whether the point at `i`, between the departure and the arrival of `segment`, gets in its way.
bool InTheWay(const Ladder& ladder, const LadderSegment& segment, std::size_t departure,
              const std::vector<LadderPoint>& points, std::size_t i) {
  const LadderRow& row = ladder.rows[points[i].row];
  const auto* other = std::get_if<LadderSegment>(&row.what);
  if (other == nullptr) return SideOf(row) != segment.from && row.at != segment.sent;
  if (other->from != segment.from) return true;
  // One of the same direction: it overtakes if it both left later and arrives earlier, or was
  // overtaken if it left earlier and is still to arrive; the latter shows from its own point of
  // view.
  return points[i].arrival && other->sent >= segment.sent && points[i].row > points[departure].row;
}

}  // namespace

void SortPoints(const Ladder& ladder, std::vector<LadderPoint>& points) {
  std::sort(points.begin(), points.end(), [&](const LadderPoint& a, const LadderPoint& b) {
    return OrderKey(ladder, a) < OrderKey(ladder, b);
  });
}

std::vector<bool> CrossingSegments(const Ladder& ladder, const std::vector<LadderPoint>& points) {
  std::vector<bool> crossing(ladder.rows.size(), false);
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto* segment = std::get_if<LadderSegment>(&ladder.rows[points[i].row].what);
    if (segment == nullptr || points[i].arrival || !segment->arrived) continue;
    for (std::size_t j = i + 1; j < points.size() && points[j].row != points[i].row; ++j) {
      if (!InTheWay(ladder, *segment, i, points, j)) continue;
      crossing[points[i].row] = true;
      if (std::holds_alternative<LadderSegment>(ladder.rows[points[j].row].what)) {
        crossing[points[j].row] = true;
      }
    }
  }
  return crossing;
}

}  // namespace estab::observe
