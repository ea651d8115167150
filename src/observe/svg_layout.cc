#include "observe/svg_layout.h"

#include <algorithm>

#include "observe/text.h"

namespace estab::observe {
namespace {

constexpr int kUnit = 40;       // pixels of a typical way through the network
constexpr int kLeastStep = 16;  // between two moments
constexpr int kMostStep = 76;   // a longer pause is cut
constexpr int kLineHeight = 14;
constexpr int kArrowStep = 20;    // between two arrows at one lifeline
constexpr int kOptionsStep = 34;  // after an arrow with a second line of text

bool HasSecondLine(const LadderSegment& s, bool options) {
  return (options && !s.options.empty()) || !s.note.empty();
}

}  // namespace

std::vector<std::string> WrapWords(const std::string& text, std::size_t width) {
  std::vector<std::string> lines;
  std::string line;
  std::size_t begin = 0;
  while (begin < text.size()) {
    std::size_t end = begin;
    while (end < text.size() && text[end] != ' ') ++end;
    const std::string word = text.substr(begin, end - begin);
    if (!line.empty() && Columns(line) + 1 + Columns(word) > width) {
      lines.push_back(line);
      line.clear();
    }
    line += (line.empty() ? "" : " ") + Fit(word, width);
    begin = end + 1;
  }
  if (!line.empty()) lines.push_back(line);
  return lines;
}

SvgBlock SvgLayout::Block(const LadderRow& row) {
  SvgBlock block;
  const auto add = [&](const std::string& text) {
    for (std::string& line : WrapWords(text, kLineChars)) block.lines.push_back(std::move(line));
  };
  int extra = 4;
  if (const auto* state = std::get_if<LadderState>(&row.what)) {
    if (state->from != state->to) block.lines.emplace_back(StateLabel(*state));
    if (!state->rule.empty()) add(state->rule);
    extra = 8;
  } else if (const auto* call = std::get_if<LadderCall>(&row.what)) {
    const std::string all = call->result.empty() ? call->text : call->text + " = " + call->result;
    if (Columns(all) <= kLineChars) {
      add(all);
    } else {
      add(call->text);
      add("= " + call->result);
    }
    extra = 12;
  } else if (const auto* timer = std::get_if<LadderTimer>(&row.what)) {
    add(TimerLabel(*timer));
  } else if (const auto* note = std::get_if<LadderNote>(&row.what)) {
    const std::size_t width = note->side ? kLineChars : kMiddleChars;
    for (std::string& line : WrapWords(note->text, width)) block.lines.push_back(std::move(line));
    extra = 8;  // a call's box begins above its text
  }
  block.height = static_cast<int>(block.lines.size()) * kLineHeight + extra;
  return block;
}

SvgLayout::SvgLayout(const Ladder& ladder, std::vector<LadderPoint> points, bool options)
    : ladder_(ladder), options_(options), points_(std::move(points)), y_(points_.size(), kTop) {
  ChooseScale();
  std::size_t begin = 0;
  while (begin < points_.size()) {
    std::size_t end = begin + 1;
    while (end < points_.size() && points_[end].at == points_[begin].at) ++end;
    PlaceMoment(begin, end);
    begin = end;
  }
  bottom_ = std::max({lowest_ + 40, side_free_[0] + 12, side_free_[1] + 12});
}

// A typical way through the network is the unit; without one, the shortest pause is.
void SvgLayout::ChooseScale() {
  std::vector<Duration> ways;
  Duration shortest = Duration::max();
  for (const LadderRow& row : ladder_.rows) {
    const auto* segment = std::get_if<LadderSegment>(&row.what);
    if (segment == nullptr || !segment->arrived) continue;
    const Duration way = *segment->arrived - segment->sent;
    if (way.count() > 0) ways.push_back(way);
  }
  for (std::size_t i = 1; i < points_.size(); ++i) {
    const Duration gap = points_[i].at - points_[i - 1].at;
    if (gap.count() > 0) shortest = std::min(shortest, gap);
  }
  if (!ways.empty()) {
    std::nth_element(ways.begin(), ways.begin() + static_cast<std::ptrdiff_t>(ways.size() / 2),
                     ways.end());
    unit_ = ways[ways.size() / 2];
  } else {
    unit_ = shortest == Duration::max() ? Duration(1) : shortest;
  }
}

int SvgLayout::Distance(Duration gap) const {
  const std::int64_t units = gap / unit_;
  if (units >= kMostStep / kUnit + 1) return kMostStep;
  const auto pixels = static_cast<int>(gap.count() * kUnit / unit_.count());
  return std::clamp(pixels, kLeastStep, kMostStep);
}

void SvgLayout::PlaceMoment(std::size_t begin, std::size_t end) {
  int start = kTop;
  if (begin != 0) {
    const Duration gap = points_[begin].at - points_[begin - 1].at;
    const int distance = Distance(gap);
    start = lowest_ + distance;
    if (distance == kMostStep && gap > 3 * unit_) cuts_.emplace_back(start - kMostStep / 2, gap);
  }
  lowest_ = start;
  int first = 1 << 30;
  for (std::size_t i = begin; i < end; ++i) {
    y_[i] = Place(points_[i], start);
    lowest_ = std::max(lowest_, y_[i]);
    first = std::min(first, y_[i]);
  }
  marks_.push_back({points_[begin].at, first});
}

int SvgLayout::Place(const LadderPoint& point, int earliest) {
  const LadderRow& row = ladder_.rows[point.row];
  if (const auto* segment = std::get_if<LadderSegment>(&row.what)) {
    const Side side = point.arrival ? Other(segment->from) : segment->from;
    int& free = line_free_[Index(side)];
    const int y = std::max(earliest, free);
    free = y + (HasSecondLine(*segment, options_) ? kOptionsStep : kArrowStep);
    return y;
  }
  const SvgBlock block = Block(row);
  const auto* note = std::get_if<LadderNote>(&row.what);
  if (note != nullptr && !note->side) {
    // Across the middle: below everything before it, above everything behind it.
    const int y = std::max({earliest, line_free_[0], line_free_[1]}) + kLineHeight;
    line_free_[0] = line_free_[1] = y + block.height + kLineHeight;
    return y;
  }
  Side side = Side::kA;
  if (note != nullptr) side = *note->side;
  if (const auto* s = std::get_if<LadderState>(&row.what)) side = s->side;
  if (const auto* c = std::get_if<LadderCall>(&row.what)) side = c->side;
  if (const auto* t = std::get_if<LadderTimer>(&row.what)) side = t->side;
  int& free = side_free_[Index(side)];
  const int y = std::max(earliest, free);
  free = y + block.height;
  return y;
}

int SvgLayout::YOf(Time at) const {
  for (const AxisMark& mark : marks_) {
    if (mark.at >= at) return mark.y;
  }
  return bottom_;
}

}  // namespace estab::observe
