// Where everything of a ladder goes: heights on the page, found before anything is drawn.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "observe/ladder.h"
#include "observe/ladder_points.h"

namespace estab::observe {

/// A mark of the time axis, or a place where it is cut.
struct AxisMark {
  Time at{};
  int y = 0;
};

/// Lines of text beside a lifeline.
struct SvgBlock {
  std::vector<std::string> lines;
  int height = 0;
};

/// The heights at which a ladder's points lie. Times run downwards; later is never above earlier.
/// Everything at one side is far enough from its neighbours there for its text to fit.
class SvgLayout {
 public:
  static constexpr int kTop = 120;                 // where the first point may lie
  static constexpr std::size_t kLineChars = 27;    // of text beside a lifeline
  static constexpr std::size_t kMiddleChars = 56;  // of text between them

  SvgLayout(const Ladder& ladder, std::vector<LadderPoint> points, bool options);

  const std::vector<LadderPoint>& points() const { return points_; }
  /// The height of points()[i].
  int y(std::size_t i) const { return y_[i]; }
  /// Where the first point of the moment `at`, or the next after it, lies.
  int YOf(Time at) const;
  /// The lower end of the drawing.
  int bottom() const { return bottom_; }
  const std::vector<AxisMark>& marks() const { return marks_; }
  /// Heights at which the axis is cut, and how much time is cut out there.
  const std::vector<std::pair<int, Duration>>& cuts() const { return cuts_; }
  /// How far a segment falls on its way if nothing else says so: for lost ones.
  int typical_fall() const { return typical_fall_; }

  /// The text beside a lifeline for `row`, wrapped; empty for segments.
  static SvgBlock Block(const LadderRow& row);

 private:
  void ChooseScale();
  int Distance(Duration gap) const;
  void PlaceMoment(std::size_t begin, std::size_t end);
  int Place(const LadderPoint& point, int earliest);

  const Ladder& ladder_;
  bool options_;
  std::vector<LadderPoint> points_;
  std::vector<int> y_;
  std::vector<AxisMark> marks_;
  std::vector<std::pair<int, Duration>> cuts_;
  std::array<int, 2> side_free_{kTop, kTop};  // texts beside each lifeline may begin here
  std::array<int, 2> line_free_{kTop, kTop};  // arrows may touch each lifeline here
  int lowest_ = kTop;
  int bottom_ = kTop;
  int typical_fall_ = 34;
  Duration unit_{};  // this much time takes kUnit pixels
};

/// `text` in lines of at most `width` characters.
std::vector<std::string> WrapWords(const std::string& text, std::size_t width);

}  // namespace estab::observe
