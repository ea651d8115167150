// estab over links of the operating system beside the kernel over veth, interleaved, in one run.
#include <cstring>
#include <map>
#include <string_view>

#include "links/stage.h"

namespace {

using links::Figure;
using links::Kind;
using links::Workload;

constexpr const char* kUsage =
    "usage: bench_links [--json] [--seconds S] [--rounds N] [--link LINK]...\n"
    "                   [bulk_up|bulk_down|connect|latency]...\n"
    "\n"
    "Runs each workload over a veth pair with the kernel at both ends (veth), and with estab at "
    "the\n"
    "one end over a TUN device (tun) and over such a pair (packet, xdp), N times in turn, in\n"
    "namespaces of its own; bulk_up: estab sends. For latency also with an estab that looks at "
    "the\n"
    "link all the time (tun_busy, packet_busy, xdp_busy).\n";

struct Options {
  bool json = false;
  double seconds = 2;
  int rounds = 3;
  std::vector<Kind> kinds;
  std::vector<Workload> workloads;
};

[[noreturn]] void Misused(const std::string& what) {
  std::fprintf(stderr, "bench_links: %s; see bench_links --help\n", what.c_str());
  std::exit(2);
}

double NumberFrom(std::string_view flag, const char* text) {
  char* end = nullptr;
  const double number = text == nullptr ? 0 : std::strtod(text, &end);
  if (text == nullptr || *end != '\0' || !(number > 0) || number > 1000) {
    Misused(std::string(flag) + " wants a number above 0");
  }
  return number;
}

bool AddWorkload(Options& o, std::string_view name) {
  for (const Workload w :
       {Workload::kBulkUp, Workload::kBulkDown, Workload::kConnect, Workload::kLatency}) {
    if (name != NameOf(w)) continue;
    o.workloads.push_back(w);
    return true;
  }
  return false;
}

Options Read(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (name == "--help") {
      std::fputs(kUsage, stdout);
      std::exit(0);
    } else if (name == "--json") {
      o.json = true;
    } else if (name == "--seconds") {
      o.seconds = NumberFrom(name, value);
      ++i;
    } else if (name == "--rounds") {
      o.rounds = static_cast<int>(NumberFrom(name, value));
      ++i;
    } else if (name == "--link") {
      const std::size_t before = o.kinds.size();
      for (const Kind k : links::kKinds) {
        if (value != nullptr && std::string_view(value) == NameOf(k)) o.kinds.push_back(k);
      }
      if (o.kinds.size() == before) Misused("--link wants one of those that --help names");
      ++i;
    } else if (!AddWorkload(o, name)) {
      Misused("what is '" + std::string(name) + "'");
    }
  }
  if (o.workloads.empty()) {
    for (const char* all : {"bulk_up", "bulk_down", "connect", "latency"}) AddWorkload(o, all);
  }
  return o;
}

// Unless some were asked for, all; those that never sleep only where it is the time that counts.
std::vector<Kind> KindsFor(const Options& o, Workload workload) {
  if (!o.kinds.empty()) return o.kinds;
  std::vector<Kind> kinds{Kind::kVeth, Kind::kTun, Kind::kPacket, Kind::kXdp};
  if (workload != Workload::kLatency) return kinds;
  kinds.insert(kinds.end(), {Kind::kTunBusy, Kind::kPacketBusy, Kind::kXdpBusy});
  return kinds;
}

// What the figure of a workload is: Gbit/s, thousands a second, microseconds.
double ValueOf(Workload workload, const Figure& figure) {
  if (workload == Workload::kLatency) return figure.p50_us;
  if (workload == Workload::kConnect) return figure.rate / 1e3;
  return figure.rate * 8 / 1e9;
}

const char* UnitOf(Workload workload) {
  if (workload == Workload::kLatency) return "us p50";
  return workload == Workload::kConnect ? "k/s" : "Gbit/s";
}

struct Spread {
  double least, median, most;
};

Spread SpreadOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values.front(), values[values.size() / 2], values.back()};
}

void Print(const Options& o, const std::map<Kind, std::vector<double>>& values, Workload workload,
           bool first) {
  std::map<Kind, Spread> spreads;
  for (const auto& [kind, all] : values) {
    const Spread s = spreads[kind] = SpreadOf(all);
    if (o.json) {
      std::printf(
          "%s  {\"workload\": \"%s\", \"link\": \"%s\", \"unit\": \"%s\", \"min\": %.3f, "
          "\"median\": %.3f, \"max\": %.3f}",
          first ? "" : ",\n", NameOf(workload), NameOf(kind), UnitOf(workload), s.least, s.median,
          s.most);
      first = false;
    } else {
      std::printf("%-10s %-11s %8.2f %8.2f %8.2f %s", NameOf(workload), NameOf(kind), s.least,
                  s.median, s.most, UnitOf(workload));
      if (kind != Kind::kVeth && spreads.contains(Kind::kVeth)) {
        std::printf("  (%.2f of veth)", s.median / spreads[Kind::kVeth].median);
      }
      std::printf("\n");
    }
  }
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const Options o = Read(argc, argv);
  links::EnterOwnNetwork();
  const bool xdp = links::CanHave(Kind::kXdp);
  if (o.json) std::printf("[\n");
  bool first = true;
  for (const Workload workload : o.workloads) {
    std::map<Kind, std::vector<double>> values;
    for (int round = 0; round < o.rounds; ++round) {
      for (const Kind kind : KindsFor(o, workload)) {
        if (!xdp && (kind == Kind::kXdp || kind == Kind::kXdpBusy)) continue;
        values[kind].push_back(ValueOf(workload, Measure(kind, workload, o.seconds)));
      }
    }
    Print(o, values, workload, first);
    first = false;
  }
  if (o.json) std::printf("\n]\n");
  return 0;
}
