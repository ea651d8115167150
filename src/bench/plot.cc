#include "bench/plot.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "observe/format.h"

namespace estab::bench {
namespace {

constexpr int kWidth = 960;
constexpr int kLeft = 76;
constexpr int kRight = 940;
constexpr int kTop = 72;
constexpr int kPanel = 170;  // high
constexpr int kGap = 44;
constexpr int kColumns = kRight - kLeft;

constexpr const char* kStyle = R"(<style>
text { font-family: "DejaVu Sans", system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif;
  font-size: 11px; fill: #444b55; }
.title { font-size: 16px; font-weight: 600; fill: #1d2229; }
.name { font-size: 12.5px; font-weight: 600; fill: #1d2229; }
.grid { stroke: #e3e6ea; } .frame { fill: none; stroke: #9aa2ad; }
.ramp { fill: #f1efe6; }
.line { fill: none; stroke-width: 1.3; stroke-linejoin: round; }
.band { stroke: none; }
.mark { stroke-width: 1.2; stroke-dasharray: 6 4; fill: none; }
</style>
)";

struct Point {
  double t;  // s
  double y;
};

struct Curve {
  std::string name;
  std::string color;
  std::vector<Point> points;
};

// A level that is not to be crossed, or met.
struct Mark {
  std::string name;
  std::string color;
  double y;
};

struct Panel {
  std::string name;
  std::vector<Curve> curves;
  std::vector<Mark> marks;
};

double SecondsOf(Time at) { return std::chrono::duration<double>(at.time_since_epoch()).count(); }

// 1, 2 or 5 times a power of ten, so that about five of them make `span`.
double TickStep(double span) {
  const double rough = std::max(span, 1e-9) / 5;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough) return factor * power;
  }
  return 10 * power;
}

class Drawing {
 public:
  Drawing(double until, double measured_from) : until_(until), measured_from_(measured_from) {}

  void Add(const Panel& panel) {
    top_ = kTop + static_cast<int>(panels_++) * (kPanel + kGap);
    most_ = 0;
    for (const Curve& curve : panel.curves) {
      for (const Point& point : curve.points) most_ = std::max(most_, point.y);
    }
    for (const Mark& mark : panel.marks) most_ = std::max(most_, mark.y);
    most_ = most_ == 0 ? 1 : most_ * 1.06;
    DrawGround();
    int legend = kRight;
    for (const Mark& mark : panel.marks) DrawMark(mark, legend);
    for (const Curve& curve : panel.curves) DrawCurve(curve, legend);
    out_ += fmt::format("<text class=\"name\" x=\"{}\" y=\"{}\">{}</text>\n", kLeft, top_ - 8,
                        panel.name);
  }

  std::string Finish(const std::string& title, const std::string& caption) const {
    const int height = kTop + static_cast<int>(panels_) * (kPanel + kGap);
    return fmt::format(
               "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
               "viewBox=\"0 0 {0} {1}\">\n{2}<rect width=\"{0}\" height=\"{1}\" fill=\"#fff\"/>\n"
               "<text class=\"title\" x=\"{3}\" y=\"22\">{4}</text>\n"
               "<text x=\"{3}\" y=\"39\">{5}</text>\n",
               kWidth, height, kStyle, kLeft, title, caption) +
           out_ + "</svg>\n";
  }

 private:
  double X(double t) const { return kLeft + t / until_ * kColumns; }
  double Y(double y) const { return top_ + kPanel - y / most_ * kPanel; }

  void DrawGround() {
    out_ += fmt::format("<rect class=\"ramp\" x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\"/>\n",
                        kLeft, top_, X(std::min(measured_from_, until_)) - kLeft, kPanel);
    const double step = TickStep(most_);
    for (int i = 0; i * step <= most_; ++i) {
      const double y = i * step;
      out_ += fmt::format(
          "<path class=\"grid\" d=\"M{0} {2:.1f}H{1}\"/><text x=\"{3}\" y=\"{4:.1f}\" "
          "text-anchor=\"end\">{5:g}</text>\n",
          kLeft, kRight, Y(y), kLeft - 6, Y(y) + 4, y);
    }
    const double wide = TickStep(until_ / 2);
    for (int i = 0; i * wide <= until_; ++i) {
      const double t = i * wide;
      out_ += fmt::format(
          "<path class=\"grid\" d=\"M{0:.1f} {1}v{2}\"/><text x=\"{0:.1f}\" y=\"{3}\" "
          "text-anchor=\"middle\">{4:g} s</text>\n",
          X(t), top_, kPanel, top_ + kPanel + 15, t);
    }
    out_ += fmt::format("<rect class=\"frame\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n",
                        kLeft, top_, kColumns, kPanel);
  }

  // Names stand at the right, above the frame, the last one first.
  void DrawName(const std::string& name, const std::string& color, int& legend) {
    out_ += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\" style=\"fill:{}\">{}</text>\n",
                        legend, top_ - 8, color, name);
    legend -= static_cast<int>(name.size()) * 7 + 18;
  }

  void DrawMark(const Mark& mark, int& legend) {
    out_ += fmt::format("<path class=\"mark\" stroke=\"{}\" d=\"M{} {:.1f}H{}\"/>\n", mark.color,
                        kLeft, Y(mark.y), kRight);
    DrawName("- - " + mark.name, mark.color, legend);
  }

  void DrawCurve(const Curve& curve, int& legend) {
    std::array<std::array<double, 2>, kColumns + 1> range;
    range.fill({HUGE_VAL, -HUGE_VAL});
    for (const Point& point : curve.points) {
      const auto column = static_cast<std::size_t>(
          std::clamp(point.t / until_ * kColumns, 0.0, static_cast<double>(kColumns)));
      range[column][0] = std::min(range[column][0], point.y);
      range[column][1] = std::max(range[column][1], point.y);
    }
    std::string there;  // along the most ...
    std::string back;   // ... and back along the least
    for (std::size_t i = 0; i < range.size(); ++i) {
      if (range[i][0] > range[i][1]) continue;
      const auto x = static_cast<int>(i) + kLeft;
      there += fmt::format("{}{} {:.1f}", there.empty() ? "M" : "L", x, Y(range[i][1]));
    }
    for (std::size_t i = range.size(); i-- > 0;) {
      if (range[i][0] > range[i][1]) continue;
      back += fmt::format("L{} {:.1f}", static_cast<int>(i) + kLeft, Y(range[i][0]));
    }
    out_ += fmt::format("<path class=\"band\" fill=\"{0}\" fill-opacity=\".35\" d=\"{1}{2}Z\"/>\n",
                        curve.color, there, back);
    out_ += fmt::format("<path class=\"line\" stroke=\"{}\" d=\"{}\"/>\n", curve.color, there);
    DrawName(curve.name, curve.color, legend);
  }

  double until_;
  double measured_from_;
  double most_ = 1;
  int top_ = 0;
  std::size_t panels_ = 0;
  std::string out_;
};

// In packets. A threshold that was never set is no number.
Panel WindowPanel(const std::vector<FlowSample>& samples, const Cell& cell) {
  Curve window{"window", "#226b2b", {}};
  Curve threshold{"slow start threshold", "#b07a1e", {}};
  std::uint32_t widest = 0;
  for (const FlowSample& s : samples) widest = std::max(widest, s.cwnd);
  for (const FlowSample& s : samples) {
    const double t = SecondsOf(s.at);
    window.points.push_back({t, static_cast<double>(s.cwnd) / kPayloadBytes});
    if (s.ssthresh > 2 * std::uint64_t{widest}) continue;
    threshold.points.push_back({t, static_cast<double>(s.ssthresh) / kPayloadBytes});
  }
  const double bdp = static_cast<double>(cell.bdp()) / kPacketBytes;
  Panel panel{"Congestion window, packets", {threshold, window}, {}};
  // Far beyond the window it would only flatten the curve.
  if (bdp * kPayloadBytes < 4.0 * widest) panel.marks.push_back({"BDP", "#5b6470", bdp});
  return panel;
}

// Over a few round trips each, so that the steps of single packets do not show.
Panel RatePanel(const std::vector<FlowSample>& samples, const CellResult& result) {
  Curve rate{"goodput", "#125d70", {}};
  const std::size_t width = std::max<std::size_t>(8, samples.size() / (kColumns / 2));
  for (std::size_t i = width; i < samples.size(); i += width) {
    const FlowSample& from = samples[i - width];
    const FlowSample& to = samples[i];
    const double seconds = std::chrono::duration<double>(to.at - from.at).count();
    rate.points.push_back(
        {SecondsOf(to.at), static_cast<double>(to.delivered - from.delivered) * 8e-6 / seconds});
  }
  return {
      "Goodput, Mbit/s",
      {rate},
      {{"theory", "#8a2f58", result.theory / 1e6}, {"measured", "#125d70", result.goodput / 1e6}}};
}

Panel RttPanel(const std::vector<FlowSample>& samples, const Cell& cell) {
  Curve rtt{"smoothed", "#4b3594", {}};
  for (const FlowSample& s : samples) {
    if (s.srtt == Duration::zero()) continue;  // no answer yet
    rtt.points.push_back({SecondsOf(s.at), std::chrono::duration<double>(s.srtt).count() * 1e3});
  }
  const double least = std::chrono::duration<double>(cell.least_rtt()).count() * 1e3;
  return {"Round trip, ms", {rtt}, {{"without queues", "#5b6470", least}}};
}

}  // namespace

std::string PlotSvg(const CellResult& result, const std::vector<FlowSample>& samples) {
  const Cell& cell = result.cell;
  const double until = samples.empty() ? 1 : SecondsOf(samples.back().at);
  const double from = std::chrono::duration<double>(result.warm_up_time).count();
  Drawing drawing(until, from);
  drawing.Add(WindowPanel(samples, cell));
  drawing.Add(RatePanel(samples, result));
  drawing.Add(RttPanel(samples, cell));
  return drawing.Finish(
      fmt::format("{}: loss {} %, RTT {} ms, {} Mbit/s, buffer {} BDP", cell.cc, LossText(cell),
                  RttText(cell), RateText(cell), BufferText(cell)),
      fmt::format("goodput {:.4g} Mbit/s, {:.3f} of theory; shaded: ramp-up, not measured ({})",
                  result.goodput / 1e6, result.of_theory(), result.warm_up));
}

}  // namespace estab::bench
