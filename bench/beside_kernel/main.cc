// The same transfers over the same impaired wire, with the kernel's TCP at both ends, with estab's,
// and with one of each: in real time, each in fresh namespaces, a table of goodputs and their
// ratios.
#include <sys/prctl.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/path_run.h"
#include "bench/statistics.h"
#include "beside_kernel/transfer.h"
#include "observe/format.h"

namespace beside_kernel {
namespace {

using estab::bench::Cell;
using estab::bench::Estimate;
using estab::bench::EstimateMean;

struct Options {
  std::vector<std::string> cc = {"reno", "cubic"};
  std::vector<double> loss = {0, 0.1, 1};  // percent
  double rtt = 20;                         // ms
  double rate = 50;                        // Mbit/s
  double buffer = 1;                       // BDP
  unsigned seeds = 10;
  double warm_up = 3;   // s
  double measured = 6;  // s
  bool verbose = false;
};

struct Column {
  const char* name;
  Pairing pairing;
};
// The first is what the others are compared with.
constexpr Column kColumns[] = {{"kernel > kernel", {false, false}},
                               {"estab > estab", {true, true}},
                               {"estab > kernel", {true, false}},
                               {"kernel > estab", {false, true}}};

estab::Duration Span(double seconds) {
  return std::chrono::nanoseconds(std::llround(seconds * 1e9));
}

Cell CellOf(const Options& o, const std::string& cc, double loss) {
  Cell cell;
  cell.cc = cc;
  cell.loss_ppm = static_cast<estab::sim::Ppm>(std::llround(loss * 1e4));
  cell.rtt = Span(o.rtt / 1e3);
  cell.rate_bps = static_cast<std::uint64_t>(o.rate * 1e6);
  cell.buffer_percent = static_cast<std::uint32_t>(std::llround(o.buffer * 100));
  return cell;
}

std::string Text(const Estimate& e) { return fmt::format("{:.3f} ±{:.3f}", e.mean, e.margin); }

class Row {
 public:
  Row(const Options& options, Cell cell) : o_(options), cell_(std::move(cell)) {}

  // The pairings take turns, so that what else the machine does befalls all of them alike. False if
  // the row cannot be measured; a line says why.
  bool Measure() {
    for (unsigned seed = 1; seed <= o_.seeds; ++seed) {
      for (std::size_t i = 0; i < std::size(kColumns); ++i) {
        const auto bits = MeasureTransfer(
            {cell_, kColumns[i].pairing, seed, Span(o_.warm_up), Span(o_.measured)});
        if (!bits) {
          fmt::print("{:<5} {:>6} | left out: {}\n", cell_.cc, LossText(cell_), bits.error());
          return false;
        }
        mbits_[i].push_back(*bits / 1e6);
        if (o_.verbose) {
          fmt::print(stderr, "{} loss {} seed {}: {} {:.3f} Mbit/s\n", cell_.cc, LossText(cell_),
                     seed, kColumns[i].name, mbits_[i].back());
        }
      }
    }
    return true;
  }

  // Ratios are taken seed by seed.
  void Print() const {
    std::string line = fmt::format("{:<5} {:>6} | {:>16}", cell_.cc, LossText(cell_),
                                   Text(EstimateMean(mbits_[0])));
    for (std::size_t i = 1; i < std::size(kColumns); ++i) {
      std::vector<double> ratios;
      for (std::size_t n = 0; n < mbits_[i].size(); ++n) {
        if (mbits_[0][n] > 0) ratios.push_back(mbits_[i][n] / mbits_[0][n]);
      }
      line += fmt::format(" | {:>14}", Text(EstimateMean(ratios)));
    }
    fmt::print("{}\n", line);
    std::fflush(stdout);
  }

 private:
  const Options& o_;
  Cell cell_;
  std::array<std::vector<double>, std::size(kColumns)> mbits_;
};

int Run(const Options& o) {
  fmt::print(
      "{:g} Mbit/s, {:g} ms, buffer {:g} BDP; {} seeds, {:g} s each behind {:g} s of ramp-up; mean "
      "and 95 % confidence.\ntcp_rmem and tcp_wmem of every end: {} bytes.\n\n",
      o.rate, o.rtt, o.buffer, o.seeds, o.measured, o.warm_up, CellWindow(CellOf(o, "reno", 0)));
  fmt::print("cc    loss % | {:>15} | {:>13} | {:>13} | {:>13}\n", kColumns[0].name,
             kColumns[1].name, kColumns[2].name, kColumns[3].name);
  fmt::print("             | {:>15} | {:>13} | {:>13} | {:>13}\n", "Mbit/s", "ratio to it",
             "ratio to it", "ratio to it");
  bool any = false;
  for (const std::string& cc : o.cc) {
    for (const double loss : o.loss) {
      Row row(o, CellOf(o, cc, loss));
      if (!row.Measure()) continue;
      row.Print();
      any = true;
    }
  }
  return any ? 0 : 1;
}

}  // namespace
}  // namespace beside_kernel

int main(int argc, char** argv) {
  CLI::App app(
      "The same transfers beside the kernel's TCP, in real time, over the same path model");
  beside_kernel::Options options;
  app.add_option("--cc", options.cc, "Congestion controls")->delimiter(',')->capture_default_str();
  app.add_option("--loss", options.loss, "Loss by chance, percent")
      ->delimiter(',')
      ->check(CLI::Range(0.0, 50.0))
      ->capture_default_str();
  app.add_option("--rtt", options.rtt, "ms")->check(CLI::Range(1.0, 2000.0))->capture_default_str();
  app.add_option("--rate", options.rate, "Mbit/s; two cores keep up with 200")
      ->check(CLI::Range(0.1, 200.0))
      ->capture_default_str();
  app.add_option("--buffer", options.buffer, "Bandwidth-delay products, 20 packets at least")
      ->check(CLI::Range(0.1, 100.0))
      ->capture_default_str();
  app.add_option("--seeds", options.seeds, "Runs of each")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--warm-up", options.warm_up, "s")
      ->check(CLI::Range(0.0, 600.0))
      ->capture_default_str();
  app.add_option("--seconds", options.measured, "s, measured")
      ->check(CLI::Range(0.1, 600.0))
      ->capture_default_str();
  app.add_flag("--verbose", options.verbose, "Every run on standard error");
  app.footer("\nNeeds /dev/net/tun and root, or: unshare -Urn beside_kernel ...");
  CLI11_PARSE(app, argc, argv);
  // Packets leave the path when they should, not 50 us later.
  prctl(PR_SET_TIMERSLACK, 1);
  return beside_kernel::Run(options);
}
