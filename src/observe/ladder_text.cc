#include "observe/ladder_text.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

#include "observe/format.h"
#include "observe/ladder_points.h"
#include "observe/text.h"

namespace estab::observe {
namespace {

enum class Style { kPlain, kState, kRule, kCall, kTimer, kLost, kDim };

struct Cell {
  std::string text;
  Style style = Style::kPlain;
};

constexpr std::size_t kTimeWidth = 11;
constexpr Duration kPause = std::chrono::milliseconds(200);

const char* Escape(Style style) {
  switch (style) {
    case Style::kPlain:
      return "";
    case Style::kState:
      return "\033[1m";
    case Style::kRule:
      return "\033[2m";
    case Style::kCall:
      return "\033[36m";
    case Style::kTimer:
      return "\033[33m";
    case Style::kLost:
      return "\033[31m";
    case Style::kDim:
      return "\033[2m";
  }
  return "";
}

// Breaks `text` at blanks and behind hyphens into pieces of at most `width` columns.
std::vector<std::string> Wrap(std::string_view text, std::size_t width, bool ascii) {
  std::vector<std::string> lines;
  while (Columns(text) > width) {
    std::size_t cut = 0;
    for (std::size_t i = 0, column = 0; i < text.size() && column <= width; ++i) {
      if ((static_cast<unsigned char>(text[i]) & 0xc0u) != 0x80u) ++column;
      if (text[i] == ' ' && column <= width + 1) cut = i + 1;
      if (text[i] == '-' && column <= width) cut = i + 1;
    }
    if (cut == 0) break;
    std::string_view head = text.substr(0, cut);
    if (head.ends_with(' ')) head.remove_suffix(1);
    lines.emplace_back(head);
    text.remove_prefix(cut);
  }
  if (!text.empty() || lines.empty()) lines.push_back(Fit(text, width, ascii));
  return lines;
}

class TextDrawing {
 public:
  TextDrawing(const Ladder& ladder, const LadderTextOptions& options);
  std::string Draw();

 private:
  std::string_view Bar() const { return options_.ascii ? "|" : "│"; }
  std::string_view Dash() const { return options_.ascii ? "-" : "─"; }
  std::string_view Dot() const { return options_.ascii ? "." : "·"; }
  std::string Repeat(std::string_view piece, std::size_t n) const;
  std::string Paint(const std::string& text, Style style) const;

  bool Drawn(const LadderRow& row) const;
  void Head();
  void Point(const LadderPoint& point, bool crossing);
  void Segment(const LadderSegment& segment, Time at, bool arrival, bool crossing);
  void Put(std::optional<Side> side, std::string_view text, Style style);
  void Event(const LadderState& state);
  void Event(const LadderCall& call);
  void Event(const LadderTimer& timer);
  void Event(const LadderNote& note);
  void Moment(Time at);
  void Flush();
  void Line(const Cell& left, const std::string& middle, const Cell& right,
            std::string_view bar = {});
  std::string Centred(std::string_view text, Style style) const;
  std::string Arrow(const std::string& label, bool to_right, Style style) const;
  std::string Broken(const std::string& label, bool to_right) const;
  std::string Half(const std::string& label, bool to_right, bool arrival) const;

  const Ladder& ladder_;
  LadderTextOptions options_;
  int decimals_;
  std::size_t cell_;
  std::size_t middle_;
  std::string out_;
  std::optional<Time> now_;
  bool show_time_ = false;
  std::array<std::vector<Cell>, 2> pending_;
};

TextDrawing::TextDrawing(const Ladder& ladder, const LadderTextOptions& options)
    : ladder_(ladder), options_(options), decimals_(TimeDecimals(ladder)) {
  const std::size_t width = std::max<std::size_t>(options.width, 72);
  const std::size_t rest = width - kTimeWidth - 6;  // two bars, and blanks beside them
  middle_ = rest * 45 / 100;
  cell_ = (rest - middle_) / 2;
  middle_ = rest - 2 * cell_;
}

std::string TextDrawing::Repeat(std::string_view piece, std::size_t n) const {
  std::string out;
  for (std::size_t i = 0; i < n; ++i) out += piece;
  return out;
}

std::string TextDrawing::Paint(const std::string& text, Style style) const {
  if (!options_.color || style == Style::kPlain || text.empty()) return text;
  return Escape(style) + text + "\033[0m";
}

bool TextDrawing::Drawn(const LadderRow& row) const {
  if (const auto* state = std::get_if<LadderState>(&row.what)) {
    return state->from != state->to || options_.verdicts;
  }
  if (const auto* timer = std::get_if<LadderTimer>(&row.what)) return timer->fired;
  return true;
}

// One line of the figure. The left cell is flush with its bar, the right one begins at its own.
void TextDrawing::Line(const Cell& left, const std::string& middle, const Cell& right,
                       std::string_view bar) {
  if (bar.empty()) bar = Bar();
  std::string line;
  if (show_time_ && now_) {
    const std::string time = SecondsText(*now_ - ladder_.origin, decimals_);
    line = fmt::format("{:>{}} ", time, kTimeWidth - 2) + " ";
    show_time_ = false;
  } else {
    line.assign(kTimeWidth, ' ');
  }
  const std::size_t left_width = Columns(left.text);
  line += std::string(cell_ - std::min(cell_, left_width), ' ') + Paint(left.text, left.style);
  line += " ";
  line += bar;
  line += middle.empty() ? std::string(middle_ + 2, ' ') : middle;
  line += bar;
  if (!right.text.empty()) line += " " + Paint(right.text, right.style);
  line.erase(line.find_last_not_of(' ') + 1);
  out_ += line + "\n";
}

std::string TextDrawing::Centred(std::string_view text, Style style) const {
  const std::string fitted = Fit(text, middle_, options_.ascii);
  const std::size_t blanks = middle_ + 2 - Columns(fitted);
  return std::string(blanks / 2, ' ') + Paint(fitted, style) +
         std::string(blanks - blanks / 2, ' ');
}

std::string TextDrawing::Arrow(const std::string& label, bool to_right, Style style) const {
  const std::string text = Fit(label, middle_ - 6, options_.ascii);
  const std::size_t dashes = middle_ + 1 - Columns(text) - 2;
  const std::string before = Repeat(Dash(), dashes / 2);
  const std::string after = Repeat(Dash(), dashes - dashes / 2);
  const std::string body = before + " " + text + " " + after;
  return Paint(to_right ? body + ">" : "<" + body, style);
}

std::string TextDrawing::Broken(const std::string& label, bool to_right) const {
  const std::string text = Fit(label, middle_ - 6, options_.ascii);
  const std::size_t room = middle_ + 2;
  const std::size_t used = std::max(room * 3 / 4, Columns(text) + 6);
  const std::size_t dashes = used - Columns(text) - 3;
  const std::string near = Repeat(Dash(), dashes / 2);
  const std::string far = Repeat(Dash(), dashes - dashes / 2);
  const std::string gap(room - used, ' ');
  if (to_right) return Paint(near + " " + text + " " + far + "X", Style::kLost) + gap;
  return gap + Paint("X" + far + " " + text + " " + near, Style::kLost);
}

// The departure or the arrival of a segment that is on its way for several lines.
std::string TextDrawing::Half(const std::string& label, bool to_right, bool arrival) const {
  const std::string text = Fit(label, middle_ - 6, options_.ascii);
  const std::size_t rest = middle_ + 2 - Columns(text) - 2;
  const std::string dashes = Repeat(Dash(), arrival ? 2 : 3);
  const std::string dots = Repeat(Dot(), rest - 3);
  if (to_right)
    return arrival ? dots + " " + text + " " + dashes + ">" : dashes + " " + text + " " + dots;
  return arrival ? "<" + dashes + " " + text + " " + dots : dots + " " + text + " " + dashes;
}

void TextDrawing::Flush() {
  const std::size_t lines = std::max(pending_[0].size(), pending_[1].size());
  for (std::size_t i = 0; i < lines; ++i) {
    const Cell left = i < pending_[0].size() ? pending_[0][i] : Cell{};
    const Cell right = i < pending_[1].size() ? pending_[1][i] : Cell{};
    Line(left, {}, right);
  }
  pending_[0].clear();
  pending_[1].clear();
}

// Time goes on: what is pending is drawn, and a long pause shows.
void TextDrawing::Moment(Time at) {
  if (now_ == at) return;
  Flush();
  show_time_ = false;
  if (now_ && at - *now_ >= kPause) Line({}, {}, {}, options_.ascii ? ":" : "┊");
  now_ = at;
  show_time_ = true;
}

void TextDrawing::Put(std::optional<Side> side, std::string_view text, Style style) {
  if (!side) {
    Flush();
    for (const std::string& line : Wrap(text, middle_, options_.ascii)) {
      Line({}, Centred(line, style), {});
    }
    return;
  }
  for (std::string& line : Wrap(text, cell_, options_.ascii)) {
    pending_[Index(*side)].push_back({std::move(line), style});
  }
}

void TextDrawing::Event(const LadderState& state) {
  if (state.from != state.to) Put(state.side, StateLabel(state), Style::kState);
  if (!state.rule.empty()) Put(state.side, "by " + state.rule, Style::kRule);
}

void TextDrawing::Event(const LadderCall& call) {
  const bool one_line = Columns(call.text) + Columns(call.result) + 3 <= cell_;
  if (call.result.empty() || one_line) {
    Put(call.side, call.result.empty() ? call.text : call.text + " = " + call.result, Style::kCall);
    return;
  }
  Put(call.side, call.text, Style::kCall);
  Put(call.side, "= " + call.result, Style::kCall);
}

void TextDrawing::Event(const LadderTimer& timer) {
  Put(timer.side, TimerLabel(timer), Style::kTimer);
}

void TextDrawing::Event(const LadderNote& note) { Put(note.side, note.text, Style::kDim); }

void TextDrawing::Segment(const LadderSegment& segment, Time at, bool arrival, bool crossing) {
  if (arrival && !crossing) return Moment(at);
  Flush();
  Moment(at);
  const bool to_right = segment.from == Side::kA;
  std::string label = SegmentLabel(ladder_, segment, options_.brief_flags, options_.window);
  if (Columns(label) > middle_ - 6) label = SegmentLabel(ladder_, segment, true, options_.window);
  if (crossing) {
    Line({}, Half(label, to_right, arrival), {});
  } else if (segment.arrived) {
    Line({}, Arrow(label, to_right, Style::kPlain), {});
  } else {
    Line({}, Broken(label, to_right), {});
  }
  if (arrival) return;
  if (options_.options && !segment.options.empty()) Put(std::nullopt, segment.options, Style::kDim);
  if (!segment.note.empty()) Put(std::nullopt, "(" + segment.note + ")", Style::kDim);
}

void TextDrawing::Point(const LadderPoint& point, bool crossing) {
  const LadderRow& row = ladder_.rows[point.row];
  if (const auto* segment = std::get_if<LadderSegment>(&row.what)) {
    Segment(*segment, point.at, point.arrival, crossing);
    return;
  }
  Moment(point.at);
  std::visit(
      [&](const auto& what) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(what)>, LadderSegment>) Event(what);
      },
      row.what);
}

void TextDrawing::Head() {
  if (!ladder_.title.empty()) out_ += ladder_.title + "\n\n";
  for (const Side side : {Side::kA, Side::kB}) {
    const LadderHost& host = ladder_.host(side);
    Put(side, host.name + (host.inferred ? " (inferred)" : ""), Style::kState);
    if (!host.endpoint.empty()) Put(side, host.endpoint, Style::kDim);
  }
  const std::size_t lines = std::max(pending_[0].size(), pending_[1].size());
  for (std::size_t i = 0; i < lines; ++i) {
    const Cell left = i < pending_[0].size() ? pending_[0][i] : Cell{};
    const Cell right = i < pending_[1].size() ? pending_[1][i] : Cell{};
    Line(left, {}, right, " ");
  }
  pending_[0].clear();
  pending_[1].clear();
  for (const Side side : {Side::kA, Side::kB}) {
    Put(side, StateName(InitialState(ladder_, side)), Style::kState);
  }
  Flush();
}

std::string TextDrawing::Draw() {
  Head();
  const auto points = LadderPoints(ladder_, [this](const LadderRow& row) { return Drawn(row); });
  const std::vector<bool> crossing = CrossingSegments(ladder_, points);
  for (const LadderPoint& point : points) Point(point, crossing[point.row]);
  Flush();
  if (ladder_.left_out != 0) {
    out_ += fmt::format("{} more rows were not recorded\n", ladder_.left_out);
  }
  return std::move(out_);
}

}  // namespace

std::string LadderToText(const Ladder& ladder, const LadderTextOptions& options) {
  return TextDrawing(ladder, options).Draw();
}

}  // namespace estab::observe
