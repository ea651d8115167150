// estab bench path: bulk flows over a grid of paths.
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "bench/golden.h"
#include "bench/parallel.h"
#include "bench/path_run.h"
#include "bench/plot.h"
#include "bench/report.h"
#include "cli/bench.h"
#include "cli/bench_common.h"
#include "cli/bench_output.h"
#include "cli/failure.h"

namespace estab::cli {
namespace {

using bench::Cell;
using bench::CellResult;
using bench::Golden;

struct PathFlags {
  BenchFlags common;
  std::vector<std::string> loss, rtt, rate, buffer;
  std::string golden, write_golden, plot;
  bool quick = false;
};

// Replaces `values` by what `texts` say, `scale` units each; leaves them if there are none.
template <class T>
void Choose(const char* flag, const std::vector<std::string>& texts, double least, double most,
            double scale, std::vector<T>& values) {
  if (texts.empty()) return;
  values.clear();
  for (const std::string& text : texts) {
    values.push_back(static_cast<T>(std::llround(ParseDecimal(flag, text, least, most) * scale)));
  }
}

// The cells that the flags choose.
std::vector<Cell> ChosenCells(const PathFlags& flags) {
  bench::Selection selection;
  selection.cc = ChosenCc(flags.common);
  Choose("--loss", flags.loss, 0, 50, 1e4, selection.loss_ppm);
  Choose("--rtt", flags.rtt, 0.001, 10'000, 1e3, selection.rtt_us);
  Choose("--rate", flags.rate, 0.01, 100'000, 1e6, selection.rate_bps);
  Choose("--buffer", flags.buffer, 0.01, 100, 100, selection.buffer_percent);
  return flags.quick ? bench::Sample(selection.Cells()) : selection.Cells();
}

Golden ReadGolden(const std::string& path) {
  if (path.empty()) return Golden::BuiltIn();
  auto golden = Golden::Parse(ReadInput(path));
  if (!golden) Misused("{}, {}", path, golden.error());
  return *std::move(golden);
}

void PrintHead(std::FILE* out, const std::vector<Cell>& cells, std::uint64_t seed) {
  const std::string bytes = cells.size() == 1
                                ? fmt::format("{} bytes, ", bench::CellWindow(cells.front()))
                                : std::string();
  fmt::print(
      out,
      "{} cells, seed {}. Goodput: payload read in order, {} bytes in a packet of {}, ramp-up left "
      "out.\ntcp_rmem and tcp_wmem: {}twice (bandwidth-delay product + queue) and 256 KiB, so that "
      "neither limits (bbr: ten products at least).\n\n{}",
      cells.size(), seed, bench::kPayloadBytes, bench::kPacketBytes, bytes, bench::CellTableHead());
}

// Measures one cell, and draws it.
CellResult MeasureAndPlot(const Cell& cell, const bench::PathOptions& how,
                          const std::string& file) {
  std::vector<bench::FlowSample> samples;
  const CellResult result = bench::MeasureCell(
      cell, how, [&](const bench::FlowSample& sample) { samples.push_back(sample); });
  WriteOutput(file, bench::PlotSvg(result, samples));
  return result;
}

// Measures all of them and prints each as soon as its turn has come.
std::vector<CellResult> MeasureAll(const std::vector<Cell>& cells, const Golden& golden,
                                   const bench::PathOptions& how, const PathFlags& flags) {
  std::FILE* out = TextOutput(flags.common);
  std::vector<CellResult> results(cells.size());
  Progress progress;
  const auto measure = [&](std::size_t i) {
    results[i] = flags.plot.empty() ? bench::MeasureCell(cells[i], how)
                                    : MeasureAndPlot(cells[i], how, flags.plot);
  };
  const auto print = [&](std::size_t i) {
    progress.Clear();
    std::fputs(bench::CellTableRow(results[i], golden).c_str(), out);
    std::fflush(out);
    if (i + 1 == cells.size()) return;
    progress.Show(fmt::format("{}/{}: {}", i + 1, cells.size(), FlagsText(cells[i + 1])));
  };
  bench::InParallel(JobsOf(flags.common), cells.size(), measure, print);
  return results;
}

// Names the cells that leave their bounds; returns how many.
std::size_t Complain(std::FILE* out, const std::vector<CellResult>& results, const Golden& golden,
                     std::uint64_t seed) {
  std::string text;
  std::size_t bad = 0;
  for (const CellResult& result : results) {
    const auto complaints = golden.Judge(result);
    if (complaints.empty()) continue;
    ++bad;
    for (const std::string& complaint : complaints) text += fmt::format("  {}\n", complaint);
    text += fmt::format("    repeat: estab bench path {} --seed {} --check\n",
                        FlagsText(result.cell), seed);
  }
  fmt::print(out, "\n{} of {} cells are not within their bounds\n{}", bad, results.size(), text);
  return bad;
}

int Run(const PathFlags& flags) {
  std::FILE* out = TextOutput(flags.common);
  const bench::PathOptions how = PathOptionsOf(flags.common);
  const Golden golden = ReadGolden(flags.golden);
  const std::vector<Cell> cells = ChosenCells(flags);
  if (!flags.plot.empty() && cells.size() != 1) {
    Misused("--plot draws one cell, not {}: choose by --cc, --loss, --rtt, --rate and --buffer",
            cells.size());
  }
  PrintHead(out, cells, how.seed);
  const std::vector<CellResult> results = MeasureAll(cells, golden, how, flags);
  const std::size_t bad = Complain(out, results, golden, how.seed);
  const std::string& json = flags.common.json;
  if (!json.empty()) WriteOutput(json, bench::CellsJson(results, golden, how.seed));
  if (!flags.write_golden.empty()) WriteOutput(flags.write_golden, golden.WithFigures(results));
  return flags.common.check && bad != 0 ? 1 : 0;
}

}  // namespace

void AddBenchPath(CLI::App& app, std::function<int()>& run) {
  auto flags = std::make_shared<PathFlags>();
  CLI::App* path = app.add_subcommand(
      "path", "Bulk flows over loss x RTT x rate x buffer x congestion control, against theory");
  AddCommonFlags(*path, flags->common);
  const auto list = [&](const char* name, std::vector<std::string>& values, const char* what) {
    path->add_option(name, values, what)->type_name("N,...")->delimiter(',')->take_all();
  };
  list("--loss", flags->loss, "Loss by chance in percent: 0, 0.01, 0.1, 1, 3");
  list("--rtt", flags->rtt, "Round trip without queues in ms: 1, 10, 100, 600");
  list("--rate", flags->rate, "Bottleneck in Mbit/s: 1, 10, 100, 1000");
  list("--buffer", flags->buffer,
       "Its queue in bandwidth-delay products: 0.5, 1, 4; at least 20 packets");
  path->add_flag("--quick", flags->quick, "A sample of the cells that takes seconds");
  path->add_option("--plot", flags->plot, "Draw the one cell that was chosen, over time, as SVG")
      ->type_name("FILE");
  path->add_option("--golden", flags->golden, "Bounds and figures from FILE, not the built-in ones")
      ->type_name("FILE");
  path->add_option("--write-golden", flags->write_golden,
                   "Write the bounds with the figures of this run to FILE")
      ->type_name("FILE");
  path->footer(
      "\nAny other value may be given: a cell is a combination of what the flags say.\n"
      "  estab bench path --quick --check\n"
      "  estab bench path --cc reno --loss 0.01 --rtt 100 --rate 10 --buffer 1");
  path->callback([flags, &run] { run = [flags] { return Run(*flags); }; });
}

}  // namespace estab::cli
