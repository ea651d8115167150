#include "bench/report.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "observe/format.h"

namespace estab::bench {
namespace {

using Json = nlohmann::ordered_json;

double SecondsIn(Duration span) { return std::chrono::duration<double>(span).count(); }

// Infinities are not numbers to JSON.
Json NumberOrNull(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json CellJson(const CellResult& r, const Golden& golden) {
  Json out;
  out["cc"] = r.cell.cc;
  out["loss_percent"] = r.cell.loss_ppm / 1e4;
  out["rtt_ms"] = SecondsIn(r.cell.rtt) * 1e3;
  out["rate_mbit"] = static_cast<double>(r.cell.rate_bps) / 1e6;
  out["buffer_bdp"] = r.cell.buffer_percent / 100.0;
  out["buffer_bytes"] = r.cell.buffer();
  out["window_bytes"] = r.window;
  out["goodput_mbit"] = r.goodput / 1e6;
  out["theory_mbit"] = r.theory / 1e6;
  out["ceiling_mbit"] = r.ceiling / 1e6;
  out["link_mbit"] = r.cell.link_goodput() / 1e6;
  out["of_theory"] = r.of_theory();
  out["of_ceiling"] = r.of_ceiling();
  if (const auto bounds = golden.ShareBounds(r.cell)) {
    out["least_of_theory"] = bounds->least;
    out["most_of_ceiling"] = bounds->most;
  }
  if (const auto figure = golden.Figure(r.cell)) out["on_record_mbit"] = *figure;
  out["warm_up"] = r.warm_up;
  out["warm_up_s"] = SecondsIn(r.warm_up_time);
  out["measured_s"] = SecondsIn(r.measured_time);
  out["packets"] = r.packets;
  out["lost"] = r.lost;
  out["queue_full"] = r.queue_full;
  out["loss_epochs"] = r.epochs;
  out["complaints"] = golden.Judge(r);
  return out;
}

}  // namespace

std::string BoundsText(const Finding& finding) {
  const bool least = std::isfinite(finding.least);
  const bool most = std::isfinite(finding.most);
  if (least && most) return fmt::format("{:g} to {:g}", finding.least, finding.most);
  if (least) return fmt::format("at least {:g}", finding.least);
  if (most) return fmt::format("at most {:g}", finding.most);
  return "anything";
}

std::string CellTableHead() {
  return "cc     loss   RTT    rate  buffer |   goodput    theory   ceiling |    of theory   "
         "of ceiling |  lost  full  epochs   seconds\n"
         "          %    ms  Mbit/s     BDP |    Mbit/s    Mbit/s    Mbit/s |     is least     "
         "is  most |     %     %          measured\n";
}

std::string CellTableRow(const CellResult& r, const Golden& golden) {
  const std::string cell = fmt::format("{:<5} {:>5} {:>5} {:>7} {:>7}", r.cell.cc, LossText(r.cell),
                                       RttText(r.cell), RateText(r.cell), BufferText(r.cell));
  if (!r.failure.empty()) return fmt::format("{} | FAIL {}\n", cell, r.failure);
  const auto percent = [&](std::uint64_t n) {
    return r.packets == 0 ? 0 : 100.0 * static_cast<double>(n) / static_cast<double>(r.packets);
  };
  const auto bounds = golden.ShareBounds(r.cell);
  const auto asked = [&](double Bounds::* side) {
    return bounds ? fmt::format("{:g}", (*bounds).*side) : "-";
  };
  return fmt::format(
      "{} | {:>9.4g} {:>9.4g} {:>9.4g} | {:>6.3f} {:>5} {:>6.3f} {:>5} {:1}| {:>5.3g} {:>5.3g} "
      "{:>7} {:>9.4g}\n",
      cell, r.goodput / 1e6, r.theory / 1e6, r.ceiling / 1e6, r.of_theory(), asked(&Bounds::least),
      r.of_ceiling(), asked(&Bounds::most), golden.Judge(r).empty() ? "" : "!", percent(r.lost),
      percent(r.queue_full), r.epochs, SecondsIn(r.measured_time));
}

std::string FindingLine(const Finding& f) {
  if (!f.failure.empty()) return fmt::format("FAIL  {}: {}\n", f.what, f.failure);
  return fmt::format("{}  {}: {} {:.4g} ({}){}\n", f.holds() ? "pass" : "FAIL", f.what, f.measure,
                     f.value, BoundsText(f), f.detail.empty() ? "" : "; " + f.detail);
}

std::string CellsJson(const std::vector<CellResult>& results, const Golden& golden,
                      std::uint64_t seed) {
  Json out;
  out["seed"] = seed;
  out["cells"] = Json::array();
  for (const CellResult& result : results) out["cells"].push_back(CellJson(result, golden));
  return out.dump(1) + "\n";
}

std::string FindingsJson(const std::string& experiment, const std::vector<Finding>& findings,
                         std::uint64_t seed) {
  Json out;
  out["seed"] = seed;
  out["experiment"] = experiment;
  out["findings"] = Json::array();
  for (const Finding& f : findings) {
    Json one;
    one["what"] = f.what;
    one["measure"] = f.measure;
    one["value"] = NumberOrNull(f.value);
    one["least"] = NumberOrNull(f.least);
    one["most"] = NumberOrNull(f.most);
    one["holds"] = f.holds();
    one["detail"] = f.detail;
    one["failure"] = f.failure;
    one["repeat"] = f.repeat;
    out["findings"].push_back(one);
  }
  return out.dump(1) + "\n";
}

}  // namespace estab::bench
