// The drawing of the state machine: places chosen by hand, arrows and words from the rules.
#include <algorithm>
#include <string_view>

#include "observe/format.h"
#include "observe/state_machine.h"
#include "observe/text.h"

namespace estab::observe {
namespace {

constexpr int kPageWidth = 1930;
constexpr int kPageHeight = 1225;
constexpr int kBoxWidth = 156;
constexpr int kBoxHeight = 46;
constexpr int kBarY = 1160;  // CLOSED again, where connections end
constexpr int kBarLeft = 170;
constexpr int kBarRight = 1760;

struct Place {
  State state;
  int x;
  int y;
};
constexpr Place kPlaces[] = {
    {State::kClosed, 800, 120},     {State::kListen, 800, 280},      {State::kSynRcvd, 390, 440},
    {State::kSynSent, 1210, 440},   {State::kEstablished, 800, 580}, {State::kFinWait1, 390, 750},
    {State::kClosing, 770, 750},    {State::kFinWait2, 390, 930},    {State::kTimeWait, 770, 930},
    {State::kCloseWait, 1470, 750}, {State::kLastAck, 1470, 930},
};

// One arrow: which, its line, and where its words stand.
struct Stroke {
  State from;
  State to;
  Path path;
  const char* line;
  int x;
  int y;
  const char* anchor;  // of the words: start, middle, end
};
constexpr Path kC = Path::kClient;
constexpr Path kS = Path::kServer;
constexpr Path kU = Path::kUnusual;
constexpr Stroke kStrokes[] = {
    {State::kClosed, State::kListen, kS, "M770,143 L770,254", 760, 204, "end"},
    {State::kListen, State::kClosed, kU, "M825,257 L825,146", 835, 196, "start"},
    {State::kClosed, State::kSynSent, kC, "M878,112 C1050,112 1195,230 1216,414", 1175, 240,
     "start"},
    {State::kSynSent, State::kClosed, kU, "M1170,417 C1140,280 1010,138 881,134", 905, 226,
     "start"},
    {State::kListen, State::kSynRcvd, kS, "M722,288 C590,300 460,340 412,414", 542, 352, "start"},
    {State::kListen, State::kSynRcvd, kU, "M722,272 C560,280 420,330 378,414", 570, 254, "end"},
    {State::kSynRcvd, State::kListen, kU, "M468,428 C580,410 700,370 752,306", 770, 336, "start"},
    {State::kSynSent, State::kSynRcvd, kU, "M1132,446 L471,446", 800, 439, "middle"},
    {State::kSynRcvd, State::kEstablished, kS, "M412,463 C450,540 580,580 719,582", 490, 556,
     "end"},
    {State::kSynRcvd, State::kEstablished, kU, "M460,463 C540,520 640,548 730,556", 610, 514,
     "start"},
    {State::kSynSent, State::kEstablished, kC, "M1190,463 C1150,540 990,580 881,582", 1125, 556,
     "start"},
    {State::kSynRcvd, State::kFinWait1, kU, "M340,463 L340,724", 330, 610, "end"},
    {State::kSynRcvd, State::kClosed, kU, "M338,417 C330,220 540,120 719,120", 335, 220, "end"},
    {State::kEstablished, State::kFinWait1, kC, "M730,603 C680,670 560,720 446,727", 610, 662,
     "end"},
    {State::kEstablished, State::kCloseWait, kS, "M878,588 C1080,603 1350,650 1438,724", 1210, 622,
     "start"},
    {State::kEstablished, State::kClosed, kU, "M860,603 C980,660 1150,690 1150,810 L1150,1134",
     1160, 870, "start"},
    {State::kFinWait1, State::kFinWait2, kC, "M390,773 L390,904", 380, 848, "end"},
    {State::kFinWait1, State::kClosing, kU, "M468,750 L689,750", 578, 742, "middle"},
    {State::kFinWait1, State::kTimeWait, kU, "M450,773 L710,904", 600, 832, "start"},
    {State::kFinWait1, State::kClosed, kU, "M312,756 C255,770 235,800 235,860 L235,1134", 225, 890,
     "end"},
    {State::kFinWait2, State::kTimeWait, kC, "M468,930 L689,930", 578, 921, "middle"},
    {State::kFinWait2, State::kClosed, kU, "M365,953 L365,1134", 375, 980, "start"},
    {State::kCloseWait, State::kLastAck, kU, "M1415,773 L1415,904", 1407, 844, "end"},
    {State::kCloseWait, State::kLastAck, kS, "M1470,773 L1470,904", 1480, 844, "start"},
    {State::kCloseWait, State::kClosed, kU, "M1548,756 C1640,770 1700,790 1700,860 L1700,1134",
     1710, 890, "start"},
    {State::kClosing, State::kTimeWait, kU, "M770,773 L770,904", 780, 844, "start"},
    {State::kClosing, State::kClosed, kU, "M848,756 C920,770 948,800 948,860 L948,1134", 958, 890,
     "start"},
    {State::kLastAck, State::kClosed, kS, "M1425,953 L1425,1134", 1415, 1050, "end"},
    {State::kLastAck, State::kClosed, kU, "M1470,953 L1470,1134", 1480, 996, "start"},
    {State::kTimeWait, State::kClosed, kC, "M720,953 L720,1134", 710, 1050, "end"},
    {State::kTimeWait, State::kClosed, kU, "M765,953 L765,1134", 775, 1010, "start"},
};

const char* ClassOf(Path path) {
  return path == Path::kClient ? "client" : path == Path::kServer ? "server" : "unusual";
}

constexpr const char* kStyle = R"(<style>
.page{fill:#fff}
text{font-family:"Helvetica Neue",Helvetica,Arial,"Liberation Sans",sans-serif;fill:#1c2430}
.title{font-size:26px;font-weight:600}
.sub{font-size:15px;fill:#5b6470}
.box{fill:#f6f7f9;stroke:#1c2430;stroke-width:1.6}
.name{font-size:17px;font-weight:600;text-anchor:middle}
.area{fill:#f3f6fb;stroke:none}
.area2{fill:#fbf5f0;stroke:none}
.areaname{font-size:14px;letter-spacing:.06em;fill:#7b8494}
.line{fill:none}
.client.line{stroke:#1559b7;stroke-width:3}
.server.line{stroke:#c2410c;stroke-width:3;stroke-dasharray:10 5}
.unusual.line{stroke:#7b8494;stroke-width:1.2}
.client.word{fill:#1559b7;font-size:15px;font-weight:600}
.server.word{fill:#b23a08;font-size:15px;font-weight:600}
.unusual.word{fill:#4b5563;font-size:12px}
.halo{stroke:#fff;stroke-width:4px;stroke-linejoin:round;paint-order:stroke}
</style>
)";

std::string Markers() {
  std::string out = "<defs>\n";
  constexpr struct {
    const char* name;
    const char* colour;
    int size;
  } kMarkers[] = {{"client", "#1559b7", 15}, {"server", "#c2410c", 15}, {"unusual", "#7b8494", 11}};
  for (const auto& m : kMarkers) {
    out += fmt::format(
        "<marker id=\"{}\" viewBox=\"0 0 10 10\" refX=\"8\" refY=\"5\" "
        "markerUnits=\"userSpaceOnUse\" "
        "markerWidth=\"{}\" markerHeight=\"{}\" orient=\"auto\"><path d=\"M0,0.8 L10,5 L0,9.2 z\" "
        "fill=\"{}\"/></marker>\n",
        m.name, m.size, m.size, m.colour);
  }
  return out + "</defs>\n";
}

std::string Box(int x, int y, int width, const char* name) {
  return fmt::format(
      "<rect class=\"box\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"10\"/>\n"
      "<text class=\"name\" x=\"{}\" y=\"{}\">{}</text>\n",
      x - width / 2, y - kBoxHeight / 2, width, kBoxHeight, x, y + 6, name);
}

std::string Legend() {
  std::string out;
  constexpr struct {
    Path path;
    const char* text;
  } kLines[] = {{kC, "the usual way of a client: it opens, and closes first"},
                {kS, "the usual way of a server: it is opened, and closes second"},
                {kU, "unusual ways, and early ends"}};
  int y = 112;
  for (const auto& line : kLines) {
    out += fmt::format(
        "<path class=\"{0} line\" d=\"M1360,{1} L1428,{1}\" marker-end=\"url(#{0})\"/>\n"
        "<text class=\"sub\" x=\"1442\" y=\"{2}\">{3}</text>\n",
        ClassOf(line.path), y, y + 5, line.text);
    y += 28;
  }
  return out +
         fmt::format(
             "<text class=\"sub\" x=\"1360\" y=\"{}\">On an arrow: what happens / the segment "
             "that is sent (– none)</text>\n",
             y + 5);
}

std::string Words(const Stroke& stroke, const Edge& edge) {
  const int step = stroke.path == Path::kUnusual ? 15 : 18;
  std::string out;
  int y = stroke.y;
  std::vector<std::string> said;
  for (const RuleId id : edge.rules) {
    const RuleEffect& effect = EffectOf(id);
    const std::string word =
        fmt::format("{} / {}", effect.event, *effect.sends == '\0' ? "–" : effect.sends);
    if (std::find(said.begin(), said.end(), word) != said.end()) continue;
    said.push_back(word);
    out += fmt::format(
        "<text class=\"{} word halo\" x=\"{}\" y=\"{}\" text-anchor=\"{}\">{}<title>{}</title>"
        "</text>\n",
        ClassOf(stroke.path), stroke.x, y, stroke.anchor, Escaped(word),
        Escaped(std::string(GetRule(id).name) + ": " + GetRule(id).gist));
    y += step;
  }
  return out;
}

// A transition that has no place yet is said, not left out: the test then fails.
std::string Unplaced(const Edge& edge) {
  return fmt::format("<!-- no place for {} to {} ({}) -->\n", StateName(edge.from),
                     StateName(edge.to), ClassOf(edge.path));
}

}  // namespace

std::string MachineToSvg() {
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
      "height=\"{1}\" role=\"img\" aria-label=\"TCP state machine\">\n",
      kPageWidth, kPageHeight);
  out += kStyle + Markers();
  out +=
      fmt::format("<rect class=\"page\" width=\"{}\" height=\"{}\"/>\n", kPageWidth, kPageHeight);
  out +=
      "<rect class=\"area\" x=\"286\" y=\"698\" width=\"594\" height=\"278\" rx=\"16\"/>\n"
      "<text class=\"areaname\" x=\"862\" y=\"721\" text-anchor=\"end\">ACTIVE CLOSE</text>\n"
      "<rect class=\"area2\" x=\"1372\" y=\"698\" width=\"310\" height=\"278\" rx=\"16\"/>\n"
      "<text class=\"areaname\" x=\"1666\" y=\"721\" text-anchor=\"end\">PASSIVE CLOSE</text>\n";
  out += fmt::format(
      "<text class=\"title\" x=\"60\" y=\"56\">The states of a TCP connection</text>\n"
      "<text class=\"sub\" x=\"60\" y=\"82\">every transition that estab's {} rules have, and no "
      "other</text>\n",
      RuleCount());
  out += Legend();
  std::string words;
  for (const Edge& edge : AllEdges()) {
    const auto* stroke = std::find_if(std::begin(kStrokes), std::end(kStrokes), [&](const auto& s) {
      return s.from == edge.from && s.to == edge.to && s.path == edge.path;
    });
    if (stroke == std::end(kStrokes)) {
      out += Unplaced(edge);
      continue;
    }
    out += fmt::format("<path class=\"{0} line\" d=\"{1}\" marker-end=\"url(#{0})\"/>\n",
                       ClassOf(stroke->path), stroke->line);
    words += Words(*stroke, edge);
  }
  for (const Place& p : kPlaces) out += Box(p.x, p.y, kBoxWidth, StateName(p.state));
  out += Box((kBarLeft + kBarRight) / 2, kBarY, kBarRight - kBarLeft, "CLOSED (the same state)");
  return out + words + "</svg>\n";
}

}  // namespace estab::observe
