// estab over links of the operating system beside the kernel over veth, interleaved, in one run.
#include <cstring>
#include <functional>
#include <string_view>
#include <utility>

#include "links/stage.h"

namespace {

using links::Figure;
using links::Kind;
using links::OtherServer;
using links::Workload;

constexpr const char* kUsage =
    "usage: bench_links [--json] [--seconds S] [--rounds N] [--link LINK]...\n"
    "                   [--other NAME=PROGRAM]... [bulk_up|bulk_down|connect|latency]...\n"
    "\n"
    "Runs each workload over a veth pair with the kernel at both ends (veth), and with estab at "
    "the\n"
    "one end over a TUN device (tun) and over such a pair (packet, xdp), N times in turn, in\n"
    "namespaces of its own; bulk_up: estab sends. For latency also with an estab that looks at "
    "the\n"
    "link all the time (tun_busy, packet_busy, xdp_busy). For connect also with another stack's\n"
    "server over a TUN device (tun_NAME): PROGRAM DEVICE ADDRESS PORT COUNT makes the device,\n"
    "prints a line, and at so many ports closes each connection when its peer has.\n";

struct Options {
  bool json = false;
  double seconds = 2;
  int rounds = 3;
  std::vector<Kind> kinds;
  std::vector<OtherServer> others;
  std::vector<Workload> workloads;
};

/// One of those that take turns.
struct Entrant {
  std::string name;
  std::function<Figure()> measure;
  std::vector<double> values = {};  // of the rounds
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

void AddOther(Options& o, const char* text) {
  const std::string_view value = text == nullptr ? "" : text;
  const std::size_t equals = value.find('=');
  if (equals == 0 || equals >= value.size() - 1) Misused("--other wants NAME=PROGRAM");
  o.others.push_back(
      {"tun_" + std::string(value.substr(0, equals)), std::string(value.substr(equals + 1))});
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
    } else if (name == "--other") {
      AddOther(o, value);
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

std::vector<Entrant> EntrantsFor(const Options& o, Workload workload, bool xdp) {
  std::vector<Entrant> entrants;
  for (const Kind kind : KindsFor(o, workload)) {
    if (!xdp && (kind == Kind::kXdp || kind == Kind::kXdpBusy)) continue;
    entrants.push_back({NameOf(kind), [=] { return Measure(kind, workload, o.seconds); }});
  }
  if (workload != Workload::kConnect) return entrants;
  for (const OtherServer& other : o.others) {
    entrants.push_back({other.name, [=] { return Measure(other, o.seconds); }});
  }
  return entrants;
}

struct Spread {
  double least, median, most;
};

Spread SpreadOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values.front(), values[values.size() / 2], values.back()};
}

void PrintJson(const Entrant& entrant, Workload workload, bool first) {
  const Spread s = SpreadOf(entrant.values);
  std::printf(
      "%s  {\"workload\": \"%s\", \"link\": \"%s\", \"unit\": \"%s\", \"min\": %.3f, "
      "\"median\": %.3f, \"max\": %.3f, \"rounds\": [",
      first ? "" : ",\n", NameOf(workload), entrant.name.c_str(), UnitOf(workload), s.least,
      s.median, s.most);
  for (std::size_t i = 0; i < entrant.values.size(); ++i) {
    std::printf("%s%.3f", i == 0 ? "" : ", ", entrant.values[i]);
  }
  std::printf("]}");
}

void PrintText(const std::vector<Entrant>& entrants, Workload workload) {
  const bool beside_kernel = entrants.front().name == NameOf(Kind::kVeth);
  const double kernel = SpreadOf(entrants.front().values).median;
  for (const Entrant& entrant : entrants) {
    const Spread s = SpreadOf(entrant.values);
    std::printf("%-10s %-11s %8.2f %8.2f %8.2f %s", NameOf(workload), entrant.name.c_str(), s.least,
                s.median, s.most, UnitOf(workload));
    if (beside_kernel && &entrant != &entrants.front()) {
      std::printf("  (%.2f of veth)", s.median / kernel);
    }
    std::printf("\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Options o = Read(argc, argv);
  links::EnterOwnNetwork();
  const bool xdp = links::CanHave(Kind::kXdp);
  if (o.json) std::printf("[\n");
  bool first = true;
  for (const Workload workload : o.workloads) {
    std::vector<Entrant> entrants = EntrantsFor(o, workload, xdp);
    for (int round = 0; round < o.rounds; ++round) {
      for (Entrant& e : entrants) e.values.push_back(ValueOf(workload, e.measure()));
    }
    for (const Entrant& e : entrants) {
      if (o.json) PrintJson(e, workload, std::exchange(first, false));
    }
    if (!o.json) PrintText(entrants, workload);
    std::fflush(stdout);
  }
  if (o.json) std::printf("\n]\n");
  return 0;
}
