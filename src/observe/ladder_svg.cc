#include "observe/ladder_svg.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string_view>
#include <vector>

#include "observe/format.h"
#include "observe/ladder_points.h"
#include "observe/svg_labels.h"
#include "observe/svg_layout.h"
#include "observe/svg_style.h"
#include "observe/text.h"

namespace estab::observe {

namespace {

constexpr int kWidth = kLadderWidth;
constexpr int kAxisX = 84;
constexpr std::array<int, 2> kLineX = {320, 760};
constexpr int kTextGap = 34;  // from a lifeline to the text beside it; timers lie between
constexpr int kBarWidth = 10;
constexpr int kMiddle = (kLineX[0] + kLineX[1]) / 2;
constexpr int kLabelChar = 65;  // tenths of a pixel that a letter takes
constexpr int kSmallChar = 56;
constexpr std::size_t kSecondLineChars = 68;
constexpr int kLostWay = 62;  // per cent of the way that a lost segment is drawn for

class SvgDrawing {
 public:
  SvgDrawing(const Ladder& ladder, const LadderSvgOptions& options, const SvgLayout& layout,
             std::vector<bool> crossing)
      : ladder_(ladder), options_(options), layout_(layout), crossing_(std::move(crossing)) {}
  std::string Draw();
  int height() const { return layout_.bottom() + 28; }

 private:
  // A connection, of those that share a column.
  struct Living {
    ConnectionNumber number;
    State state;
  };
  // A segment as it is drawn.
  struct Arrow {
    const LadderSegment* segment;
    bool crossing;
  };
  void Text(int x, int y, const char* anchor, std::string_view style, std::string_view text);
  void Head();
  void Axis();
  void Lifeline(Side side);
  static State Shown(const LadderState& change, std::vector<Living>& living);
  void Bar(Side side, State state, int from, int to);
  void Cuts();
  void Segments();
  void FindArrows();
  void ArrowLine(const LadderSegment& segment, const SvgLine& line);
  void ArrowText(const Arrow& arrow, std::size_t index, SvgLabels& labels);
  std::string SecondLine(const Arrow& arrow) const;
  std::vector<SvgBox> MiddleNotes() const;
  void Beside(Side side, const SvgBlock& block, int y, const char* style);
  void Events();
  void Event(const LadderRow& row, int y);
  void TimerSpan(const LadderTimer& timer, int y);
  void CallBox(const LadderCall& call, const SvgBlock& block, int y);
  int TextX(Side side) const {
    return side == Side::kA ? kLineX[0] - kTextGap : kLineX[1] + kTextGap;
  }
  static const char* Anchor(Side side) { return side == Side::kA ? "end" : "start"; }

  const Ladder& ladder_;
  LadderSvgOptions options_;
  const SvgLayout& layout_;
  std::vector<bool> crossing_;
  std::vector<Arrow> arrows_;
  std::vector<SvgLine> lines_;  // of the arrows
  std::string out_;
};

void SvgDrawing::Text(int x, int y, const char* anchor, std::string_view style,
                      std::string_view text) {
  out_ += fmt::format(R"(<text x="{}" y="{}" text-anchor="{}" class="{}">{}</text>)", x, y, anchor,
                      style, Escaped(text));
  out_ += "\n";
}

void SvgDrawing::Head() {
  if (!ladder_.title.empty()) Text(24, 30, "start", "title", ladder_.title);
  for (const Side side : {Side::kA, Side::kB}) {
    const LadderHost& host = ladder_.host(side);
    const int x = kLineX[Index(side)];
    Text(x, 60, "middle", "host", host.name + (host.inferred ? " (inferred)" : ""));
    if (!host.endpoint.empty()) Text(x, 77, "middle", "endpoint", host.endpoint);
  }
}

void SvgDrawing::Axis() {
  out_ += fmt::format(R"(<line x1="{0}" y1="{1}" x2="{0}" y2="{2}" class="axis"/>)", kAxisX,
                      SvgLayout::kTop - 26, layout_.bottom());
  out_ += "\n";
  const int decimals = TimeDecimals(ladder_);
  for (const AxisMark& mark : layout_.marks()) {
    out_ +=
        fmt::format(R"(<line x1="{}" y1="{}" x2="{}" y2="{}" class="axis"/>)"
                    R"(<line x1="{}" y1="{}" x2="{}" y2="{}" class="grid"/>)",
                    kAxisX - 4, mark.y, kAxisX, mark.y, kAxisX + 4, mark.y, kLineX[1] + 14, mark.y);
    out_ += "\n";
    Text(kAxisX - 8, mark.y + 4, "end", "time",
         SecondsText(mark.at - ladder_.origin, decimals) + " s");
  }
}

void SvgDrawing::Bar(Side side, State state, int from, int to) {
  if (to <= from) return;
  out_ +=
      fmt::format(R"(<rect x="{}" y="{}" width="{}" height="{}" class="{}"{}/>)",
                  kLineX[Index(side)] - kBarWidth / 2, from, kBarWidth, to - from, BarClass(state),
                  ladder_.host(side).inferred ? R"( stroke="#9aa3ae" stroke-dasharray="3 3")" : "");
  out_ += "\n";
}

// What a column shows after `change`: where several connections live, the one that changed last.
// One that is over leaves the column to those that are not.
State SvgDrawing::Shown(const LadderState& change, std::vector<Living>& living) {
  const bool over = change.to == State::kClosed || change.to == State::kListen;
  // Without a number: all of a host at once.
  if (over && change.number == 0) living.clear();
  std::erase_if(living, [&](const Living& l) { return l.number == change.number; });
  if (!over) living.push_back({change.number, change.to});
  return living.empty() ? change.to : living.back().state;
}

// The lifeline in the colours of its states.
void SvgDrawing::Lifeline(Side side) {
  std::vector<Living> living;
  State state = InitialState(ladder_, side);
  int from = SvgLayout::kTop - 26;
  const std::string name = StateName(state);
  Text(TextX(side), SvgLayout::kTop - 18, Anchor(side), "state " + NameClass(state), name);
  for (std::size_t i = 0; i < layout_.points().size(); ++i) {
    const auto* change = std::get_if<LadderState>(&ladder_.rows[layout_.points()[i].row].what);
    if (change == nullptr || change->side != side || change->from == change->to) continue;
    // Its name may have had to move down; the colour changes at the moment itself.
    const int y = layout_.YOf(layout_.points()[i].at);
    Bar(side, state, from, y);
    from = y;
    state = Shown(*change, living);
  }
  Bar(side, state, from, layout_.bottom());
}

// Where time is cut out: two strokes across the axis and both lifelines.
void SvgDrawing::Cuts() {
  for (const auto& [y, gap] : layout_.cuts()) {
    for (const int x : {kAxisX, kLineX[0], kLineX[1]}) {
      const int half = x == kAxisX ? 6 : kBarWidth / 2 + 4;
      out_ += fmt::format(R"(<polygon points="{},{} {},{} {},{} {},{}" class="paper"/>)"
                          R"(<path d="M{} {}L{} {}M{} {}L{} {}" class="cut"/>)",
                          x - half, y + 1, x + half, y - 5, x + half, y - 1, x - half, y + 5,
                          x - half, y + 1, x + half, y - 5, x - half, y + 5, x + half, y - 1);
      out_ += "\n";
    }
  }
}

// What stands below an arrow: the options of a SYN, and what became of the segment.
std::string SvgDrawing::SecondLine(const Arrow& arrow) const {
  const LadderSegment& segment = *arrow.segment;
  // Where arrows cross there is no room for the options of an answer, which repeat what the SYN
  // said, nor for more than what befell the segment.
  const bool answer = (segment.segment.flags & kAck) != 0;
  const bool room = !arrow.crossing || (!answer && segment.note.empty());
  std::string second = options_.options && room ? segment.options : std::string();
  if (!segment.note.empty() && segment.arrived) {
    second += (second.empty() ? "(" : " (") + segment.note + ")";
  }
  return Fit(second, kSecondLineChars);
}

void SvgDrawing::ArrowText(const Arrow& arrow, std::size_t index, SvgLabels& labels) {
  const LadderSegment& segment = *arrow.segment;
  const SvgLine& line = lines_[index];
  const bool lost = !segment.arrived;
  const std::string first = SegmentLabel(ladder_, segment);
  const std::string second = SecondLine(arrow);
  const SvgPlace place =
      labels.Place({index, static_cast<int>(Columns(first)) * kLabelChar / 10,
                    static_cast<int>(Columns(second)) * kSmallChar / 10, arrow.crossing || lost});
  const double slope =
      static_cast<double>(line.y2 - line.y1) / static_cast<double>(line.x2 - line.x1);
  const double y = line.y1 + slope * (place.x - line.x1);
  const double degrees = std::atan(slope) * 180 / std::numbers::pi;
  out_ += fmt::format(R"svg(<g transform="translate({} {:.1f}) rotate({:.2f})">)svg", place.x, y,
                      degrees);
  Text(0, -5, place.anchor, lost ? "label lost halo" : "label halo", first);
  if (!second.empty()) Text(0, 13, place.anchor, "small halo", second);
  out_ += "</g>\n";
}

void SvgDrawing::ArrowLine(const LadderSegment& segment, const SvgLine& line) {
  const bool lost = !segment.arrived;
  out_ += fmt::format(R"(<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"{}/>)", line.x1, line.y1,
                      line.x2, line.y2, lost ? "gone" : "sent",
                      lost ? "" : R"svg( marker-end="url(#head)")svg");
  if (lost) {
    const bool to_right = segment.from == Side::kA;
    out_ += fmt::format(R"(<path d="M{} {}l12 12m0 -12l-12 12" class="gone cross"/>)", line.x2 - 6,
                        line.y2 - 6);
    Text(line.x2 + (to_right ? 13 : -13), line.y2 + 4, to_right ? "start" : "end",
         "small lost halo", segment.note);
  }
  out_ += "\n";
}

// A segment that was lost is drawn for a part of its way.
void SvgDrawing::FindArrows() {
  std::vector<int> departures(ladder_.rows.size(), -1);
  for (std::size_t i = 0; i < layout_.points().size(); ++i) {
    const LadderPoint& point = layout_.points()[i];
    const auto* segment = std::get_if<LadderSegment>(&ladder_.rows[point.row].what);
    if (segment == nullptr) continue;
    if (!point.arrival) departures[point.row] = layout_.y(i);
    if (segment->arrived && !point.arrival) continue;
    const int sign = segment->from == Side::kA ? 1 : -1;
    SvgLine line{kLineX[Index(segment->from)] + sign * (kBarWidth / 2 + 1), departures[point.row],
                 kLineX[Index(Other(segment->from))] - sign * (kBarWidth / 2 + 1), layout_.y(i)};
    if (!segment->arrived) {
      line.x2 = line.x1 + (line.x2 - line.x1) * kLostWay / 100;
      line.y2 = line.y1 + layout_.typical_fall() * kLostWay / 100;
    }
    arrows_.push_back({segment, crossing_[point.row]});
    lines_.push_back(line);
  }
}

// What is written across the middle.
std::vector<SvgBox> SvgDrawing::MiddleNotes() const {
  std::vector<SvgBox> boxes;
  for (std::size_t i = 0; i < layout_.points().size(); ++i) {
    const LadderRow& row = ladder_.rows[layout_.points()[i].row];
    const auto* note = std::get_if<LadderNote>(&row.what);
    if (note == nullptr || note->side) continue;
    const SvgBlock block = SvgLayout::Block(row);
    std::size_t longest = 0;
    for (const std::string& line : block.lines) longest = std::max(longest, Columns(line));
    const int half = static_cast<int>(longest) * kLabelChar / 20;
    boxes.push_back({kMiddle - half, layout_.y(i) - 16, kMiddle + half,
                     layout_.y(i) + 14 * static_cast<int>(block.lines.size()) - 4});
  }
  return boxes;
}

// All arrows first: no text is struck through by one that comes later.
void SvgDrawing::Segments() {
  FindArrows();
  for (std::size_t i = 0; i < arrows_.size(); ++i) ArrowLine(*arrows_[i].segment, lines_[i]);
  SvgLabels labels(lines_, MiddleNotes());
  for (std::size_t i = 0; i < arrows_.size(); ++i) ArrowText(arrows_[i], i, labels);
}

void SvgDrawing::Beside(Side side, const SvgBlock& block, int y, const char* style) {
  for (std::size_t i = 0; i < block.lines.size(); ++i) {
    Text(TextX(side), y + 4 + 14 * static_cast<int>(i), Anchor(side), style, block.lines[i]);
  }
}

void SvgDrawing::CallBox(const LadderCall& call, const SvgBlock& block, int y) {
  std::size_t longest = 0;
  for (const std::string& line : block.lines) longest = std::max(longest, Columns(line));
  const int width = static_cast<int>(longest) * 69 / 10 + 14;
  const int height = static_cast<int>(block.lines.size()) * 14 + 5;
  const int x = call.side == Side::kA ? TextX(call.side) + 7 - width : TextX(call.side) - 7;
  out_ += fmt::format(R"(<rect x="{}" y="{}" width="{}" height="{}" rx="4" class="box"/>)", x,
                      y - 9, width, height);
  out_ += "\n";
  Beside(call.side, block, y, "call");
}

void SvgDrawing::TimerSpan(const LadderTimer& timer, int y) {
  const int sign = timer.side == Side::kA ? -1 : 1;
  const int x = kLineX[Index(timer.side)] + sign * 17;
  const int from = layout_.YOf(timer.armed);
  out_ += fmt::format(R"(<path d="M{0} {1}h{2}M{3} {1}V{4}M{0} {4}h{2}" class="span"/>)", x - 4,
                      from, 8, x, y);
  out_ += "\n";
}

void SvgDrawing::Event(const LadderRow& row, int y) {
  const SvgBlock block = SvgLayout::Block(row);
  if (const auto* state = std::get_if<LadderState>(&row.what)) {
    const bool moved = state->from != state->to;
    for (std::size_t i = 0; i < block.lines.size(); ++i) {
      const bool name = moved && i == 0;
      Text(TextX(state->side), y + 4 + 14 * static_cast<int>(i), Anchor(state->side),
           name ? "state " + NameClass(state->to) : "rule", block.lines[i]);
    }
    return;
  }
  if (const auto* call = std::get_if<LadderCall>(&row.what)) {
    CallBox(*call, block, y);
  } else if (const auto* timer = std::get_if<LadderTimer>(&row.what)) {
    TimerSpan(*timer, y);
    Beside(timer->side, block, y, "timer");
  } else if (const auto* note = std::get_if<LadderNote>(&row.what)) {
    if (note->side) {
      Beside(*note->side, block, y, "note");
    } else {
      for (std::size_t i = 0; i < block.lines.size(); ++i) {
        Text(kMiddle, y + 14 * static_cast<int>(i), "middle", "note halo", block.lines[i]);
      }
    }
  }
}

void SvgDrawing::Events() {
  for (std::size_t i = 0; i < layout_.points().size(); ++i) {
    const LadderRow& row = ladder_.rows[layout_.points()[i].row];
    if (!std::holds_alternative<LadderSegment>(row.what)) Event(row, layout_.y(i));
  }
}

std::string SvgDrawing::Draw() {
  out_.clear();
  out_ += fmt::format(R"(<rect width="{}" height="{}" class="paper"/>)", kWidth, height());
  out_ += "\n";
  Head();
  Axis();
  Lifeline(Side::kA);
  Lifeline(Side::kB);
  Cuts();
  Segments();
  Events();
  if (ladder_.left_out != 0) {
    Text(kWidth / 2, height() - 8, "middle", "note",
         fmt::format("{} more rows were not recorded", ladder_.left_out));
  }
  return std::move(out_);
}

// What is drawn of one ladder, without the document around it.
struct Body {
  std::string svg;
  int height;
};

Body BodyOf(const Ladder& ladder, const LadderSvgOptions& options) {
  const auto drawn = [&](const LadderRow& row) {
    if (const auto* state = std::get_if<LadderState>(&row.what)) {
      return state->from != state->to || options.verdicts;
    }
    if (const auto* timer = std::get_if<LadderTimer>(&row.what)) return timer->fired;
    return true;
  };
  const auto points = LadderPoints(ladder, drawn);
  const SvgLayout layout(ladder, points, options.options);
  SvgDrawing drawing(ladder, options, layout, CrossingSegments(ladder, points));
  return {drawing.Draw(), drawing.height()};
}

std::string Opening(int width, int height, const LadderSvgOptions& options) {
  std::string out = fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" class="ladder" width="{0}" height="{1}" )"
      R"(viewBox="0 0 {0} {1}">)",
      width, height);
  if (!options.embedded) {
    out += fmt::format("\n<style>{}</style>\n<defs>{}</defs>", SvgStyle(false), SvgArrowHead());
  }
  return out + "\n";
}

}  // namespace

std::string LadderToSvg(const Ladder& ladder, const LadderSvgOptions& options) {
  const Body body = BodyOf(ladder, options);
  return Opening(kWidth, body.height, options) + body.svg + "</svg>\n";
}

std::string LaddersToSvg(const std::string& title, std::span<const SvgPanel> panels,
                         const LadderSvgOptions& options) {
  constexpr int kTitle = 44;  // above the panels
  constexpr int kCaption = 26;
  constexpr int kColumns = 2;  // more than two beside each other are too small to read
  std::string inner;
  int top = kTitle;
  int bottom = kTitle;  // of the row
  int column = 0;
  for (const SvgPanel& panel : panels) {
    if (column == kColumns) {
      column = 0;
      top = bottom;
    }
    const Body body = BodyOf(*panel.ladder, options);
    const int x = column++ * kWidth;
    inner += fmt::format(R"(<text x="{}" y="{}" class="caption{}">{}</text>)", x + 24, top + 16,
                         panel.counterfactual ? " apart" : "", Escaped(panel.caption));
    inner += fmt::format(R"(<svg x="{}" y="{}" width="{}" height="{}">)", x, top + kCaption, kWidth,
                         body.height);
    inner += "\n" + body.svg + "</svg>\n";
    bottom = std::max(bottom, top + kCaption + body.height);
  }
  const int width = kWidth * std::min<int>(kColumns, static_cast<int>(panels.size()));
  std::string out = Opening(width, bottom, options);
  out += fmt::format(R"(<rect width="{}" height="{}" class="paper"/>)", width, bottom);
  out += fmt::format(R"(<text x="24" y="30" class="title">{}</text>)", Escaped(title));
  return out + "\n" + inner + "</svg>\n";
}

}  // namespace estab::observe
