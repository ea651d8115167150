#include "observe/svg_style.h"

#include "observe/format.h"

namespace estab::observe {
namespace {

// One quiet colour per state: its bar, and its name on light and on dark paper.
struct Colors {
  State state;
  const char* bar;
  const char* light;
  const char* dark;
};
constexpr Colors kColors[] = {
    {State::kClosed, "#d9dce1", "#5b6470", "#a3abb6"},
    {State::kListen, "#b9c7da", "#3f5878", "#a9c1e2"},
    {State::kSynSent, "#f3d79b", "#8a5d00", "#eec263"},
    {State::kSynRcvd, "#f0bd8a", "#934700", "#efa866"},
    {State::kEstablished, "#a5d3a8", "#226b2b", "#8ed093"},
    {State::kFinWait1, "#a9d3de", "#125d70", "#86cbdd"},
    {State::kFinWait2, "#86bccb", "#0f5163", "#6fb9cc"},
    {State::kCloseWait, "#d6bfe3", "#673a80", "#cba6df"},
    {State::kClosing, "#c3b4ea", "#4b3594", "#b9a6f0"},
    {State::kLastAck, "#e3b5c9", "#8a2f58", "#e79bbd"},
    {State::kTimeWait, "#cfc6a8", "#655a28", "#cfc184"},
};

constexpr const char* kShapes = R"(
.ladder text { font-family: "DejaVu Sans", system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; }
.ladder .title { font-size: 17px; font-weight: 600; }
.ladder .caption { font-size: 14px; font-weight: 600; }
.ladder .host { font-size: 15px; font-weight: 600; }
.ladder .endpoint, .ladder .call, .ladder .label { font-size: 11.5px; }
.ladder .state { font-size: 12.5px; font-weight: 600; }
.ladder .rule, .ladder .timer, .ladder .time { font-size: 10.5px; }
.ladder .note { font-size: 11px; font-style: italic; }
.ladder .small { font-size: 10px; }
.ladder .halo { paint-order: stroke; stroke-width: 4px; stroke-linejoin: round; }
.ladder .axis, .ladder .grid, .ladder .cut, .ladder .span, .ladder .sent, .ladder .gone { fill: none; }
.ladder .sent { stroke-width: 1.4px; }
.ladder .gone { stroke-width: 1.4px; }
.ladder .cross { stroke-width: 2.2px; }
)";

struct Ink {
  const char* paper;
  const char* ink;
  const char* quiet;
  const char* faint;
  const char* line;
  const char* grid;
  const char* call;
  const char* box;
  const char* frame;
  const char* timer;
  const char* span;
  const char* lost;
  const char* apart;
};
constexpr Ink kLight = {"#ffffff", "#1d2530", "#5b6470", "#6b7480", "#9aa3ae", "#eceef1", "#1f4d7a",
                        "#eef4fa", "#b7cbe0", "#94650b", "#c99a3a", "#b3261e", "#8a2f58"};
constexpr Ink kDark = {"#14181d", "#e6e9ee", "#a8b0bb", "#98a1ad", "#6c7580", "#262c34", "#a9cdf0",
                       "#1c2a38", "#3b5670", "#e0b45c", "#a8802f", "#ff8a80", "#e79bbd"};

std::string InkStyle(const Ink& i) {
  return fmt::format(
      ".ladder .paper {{ fill: {0}; }} .ladder .halo {{ stroke: {0}; }}\n"
      ".ladder .title, .ladder .host, .ladder .label, .ladder .caption {{ fill: {1}; }}\n"
      ".ladder .head {{ fill: {1}; }} .ladder .sent {{ stroke: {1}; }}\n"
      ".ladder .endpoint, .ladder .note, .ladder .time {{ fill: {2}; }}\n"
      ".ladder .rule, .ladder .small {{ fill: {3}; }}\n"
      ".ladder .axis, .ladder .cut {{ stroke: {4}; }} .ladder .grid {{ stroke: {5}; }}\n"
      ".ladder .call {{ fill: {6}; }} .ladder .box {{ fill: {7}; stroke: {8}; }}\n"
      ".ladder .timer {{ fill: {9}; }} .ladder .span {{ stroke: {10}; }}\n"
      ".ladder .lost {{ fill: {11}; }} .ladder .gone {{ stroke: {11}; }}\n"
      ".ladder .apart {{ fill: {12}; }}\n",
      i.paper, i.ink, i.quiet, i.faint, i.line, i.grid, i.call, i.box, i.frame, i.timer, i.span,
      i.lost, i.apart);
}

std::string Spelled(State state) {
  std::string out = StateName(state);
  for (char& c : out) {
    if (c == '_') c = '-';
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace

std::string BarClass(State state) { return "bar-" + Spelled(state); }
std::string NameClass(State state) { return "name-" + Spelled(state); }

std::string SvgStyle(bool dark) {
  std::string out = kShapes + InkStyle(kLight);
  for (const Colors& c : kColors) {
    out += fmt::format(".ladder .{} {{ fill: {}; }} .ladder .{} {{ fill: {}; }}\n",
                       BarClass(c.state), c.bar, NameClass(c.state), c.light);
  }
  if (!dark) return out;
  out += "@media (prefers-color-scheme: dark) {\n" + InkStyle(kDark);
  for (const Colors& c : kColors) {
    out += fmt::format(".ladder .{} {{ fill: {}; }}\n", NameClass(c.state), c.dark);
  }
  return out + "}\n";
}

const char* SvgArrowHead() {
  return R"(<marker id="head" viewBox="0 0 10 10" refX="9.5" refY="5" markerWidth="8" )"
         R"(markerHeight="8" orient="auto"><path d="M0 1L10 5L0 9z" class="head"/></marker>)";
}

}  // namespace estab::observe
