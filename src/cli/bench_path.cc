// estab bench path: bulk flows over a grid of paths.
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "bench/golden.h"
#include "bench/parallel.h"
#include "bench/path_run.h"
#include "bench/report.h"
#include "cli/bench.h"
#include "cli/bench_output.h"
#include "cli/failure.h"

namespace estab::cli {
namespace {

using bench::Cell;
using bench::CellResult;
using bench::Golden;

struct PathFlags {
  std::vector<std::string> cc, loss, rtt, rate, buffer, settings;
  std::string seed_text = "1";
  std::string jobs_text = "1";
  std::string json, golden, write_golden;
  bool quick = false;
  bool check = false;
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

// The cells that the flags choose, without congestion controls that this stack refuses.
std::vector<Cell> ChosenCells(const PathFlags& flags) {
  bench::Selection selection;
  if (!flags.cc.empty()) selection.cc = flags.cc;
  Choose("--loss", flags.loss, 0, 50, 1e4, selection.loss_ppm);
  Choose("--rtt", flags.rtt, 0.001, 10'000, 1e3, selection.rtt_us);
  Choose("--rate", flags.rate, 0.01, 100'000, 1e6, selection.rate_bps);
  Choose("--buffer", flags.buffer, 0.01, 100, 100, selection.buffer_percent);
  std::erase_if(selection.cc, [](const std::string& name) {
    if (bench::KnowsCongestionControl(name)) return false;
    fmt::print("{}: left out, net.ipv4.tcp_congestion_control={} is refused\n", name, name);
    return true;
  });
  const std::vector<Cell> cells = selection.Cells();
  return flags.quick ? bench::Sample(cells) : cells;
}

Golden ReadGolden(const std::string& path) {
  if (path.empty()) return Golden::BuiltIn();
  auto golden = Golden::Parse(ReadInput(path));
  if (!golden) Misused("{}, {}", path, golden.error());
  return *std::move(golden);
}

void PrintHead(std::size_t cells, std::uint64_t seed) {
  fmt::print(
      "{} cells, seed {}. Goodput: payload read in order, {} bytes in a packet of {}, ramp-up left "
      "out.\nReceive and send buffers: twice (bandwidth-delay product + queue), so that neither "
      "limits.\n\n{}",
      cells, seed, bench::kPayloadBytes, bench::kPacketBytes, bench::CellTableHead());
}

// Measures all of them and prints each as soon as its turn has come.
std::vector<CellResult> MeasureAll(const std::vector<Cell>& cells, const Golden& golden,
                                   const bench::PathOptions& how, unsigned jobs) {
  std::vector<CellResult> results(cells.size());
  Progress progress;
  const auto measure = [&](std::size_t i) { results[i] = bench::MeasureCell(cells[i], how); };
  const auto print = [&](std::size_t i) {
    progress.Clear();
    std::fputs(bench::CellTableRow(results[i], golden).c_str(), stdout);
    std::fflush(stdout);
    if (i + 1 == cells.size()) return;
    progress.Show(fmt::format("{}/{}: {}", i + 1, cells.size(), FlagsText(cells[i + 1])));
  };
  bench::InParallel(jobs, cells.size(), measure, print);
  return results;
}

// Names the cells that leave their bounds; returns how many.
std::size_t Complain(const std::vector<CellResult>& results, const Golden& golden,
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
  fmt::print("\n{} of {} cells are not within their bounds\n{}", bad, results.size(), text);
  return bad;
}

int Run(const PathFlags& flags) {
  bench::PathOptions how;
  how.seed = ParseNumber("--seed", flags.seed_text, 0, UINT64_MAX);
  for (const std::string& setting : flags.settings) {
    const std::size_t equals = setting.find('=');
    if (equals == 0 || equals == setting.npos) Misused("--set wants NAME=VALUE, not {}", setting);
    how.settings.emplace_back(setting.substr(0, equals), setting.substr(equals + 1));
  }
  const auto jobs = static_cast<unsigned>(ParseNumber("--jobs", flags.jobs_text, 1, 256));
  const Golden golden = ReadGolden(flags.golden);
  const std::vector<Cell> cells = ChosenCells(flags);
  if (cells.empty()) Misused("there is no cell left to measure");
  PrintHead(cells.size(), how.seed);
  const std::vector<CellResult> results = MeasureAll(cells, golden, how, jobs);
  const std::size_t bad = Complain(results, golden, how.seed);
  if (!flags.json.empty()) WriteOutput(flags.json, bench::CellsJson(results, golden, how.seed));
  if (!flags.write_golden.empty()) WriteOutput(flags.write_golden, golden.WithFigures(results));
  return flags.check && bad != 0 ? 1 : 0;
}

}  // namespace

void AddBenchPath(CLI::App& app, std::function<int()>& run) {
  auto flags = std::make_shared<PathFlags>();
  CLI::App* path = app.add_subcommand(
      "path", "Bulk flows over loss x RTT x rate x buffer x congestion control, against theory");
  const auto list = [&](const char* name, std::vector<std::string>& values, const char* what) {
    path->add_option(name, values, what)->type_name("N,...")->delimiter(',')->take_all();
  };
  list("--cc", flags->cc, "Congestion control: reno, cubic, bbr");
  list("--loss", flags->loss, "Loss by chance in percent: 0, 0.01, 0.1, 1, 3");
  list("--rtt", flags->rtt, "Round trip without queues in ms: 1, 10, 100, 600");
  list("--rate", flags->rate, "Bottleneck in Mbit/s: 1, 10, 100, 1000");
  list("--buffer", flags->buffer,
       "Its queue in bandwidth-delay products: 0.5, 1, 4; at least 20 packets");
  path->add_option("--set", flags->settings, "A setting of both hosts; may be repeated")
      ->type_name("NAME=VALUE")
      ->take_all()
      ->expected(1);
  path->add_flag("--quick", flags->quick, "A sample of the cells that takes seconds");
  path->add_flag("--check", flags->check, "Exit status 1 if a cell is out of its bounds");
  path->add_option("--seed", flags->seed_text, "Of chance; the same seed, the same figures")
      ->type_name("N");
  path->add_option("--jobs", flags->jobs_text, "Cells measured at the same time")->type_name("N");
  path->add_option("--json", flags->json, "Write the results there too; -: standard output")
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
