// A soak: connections that come and go beside very many that stay, then a flood of SYNs beside
// honest clients; and nothing may be left of it.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "engine/conversation.h"
#include "engine/syn_flood.h"
#include "engine/workloads.h"

namespace bench_engine {
namespace {

using Clock = std::chrono::steady_clock;
using estab::ReadyEvent;
using estab::SocketId;

constexpr std::uint64_t kChurnListeners = 4;  // ports enough for what waits in TIME_WAIT

double SecondsSince(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

std::uint64_t MemoryOf(Pair& pair) {
  return pair.client().Counters().memory + pair.server().Counters().memory;
}

// Connections one after the other, by turns to the listeners; time passes, so that 100 000 records
// wait in TIME_WAIT all the while.
class Churn {
 public:
  Churn(Pair& pair, std::uint64_t first) : pair_(pair), conversation_(pair, true), first_(first) {}

  void Run(std::uint64_t count) {
    constexpr std::chrono::microseconds kEach(600);
    for (; count != 0; --count) {
      conversation_.Run(first_ + turn_++ % kChurnListeners);
      pair_.Pass(kEach);
    }
  }

 private:
  Pair& pair_;
  Conversation conversation_;
  std::uint64_t first_;
  std::uint64_t turn_ = 0;
};

// A client that connects, asks and is answered, again and again, and how long that took, in
// microseconds of the world.
class Honest {
 public:
  Honest(Pair& pair, SynFlood* flood) : pair_(pair), flood_(flood) {}

  void Run(std::uint64_t count) {
    for (; count != 0; --count) One();
  }
  std::uint64_t failed() const { return failed_; }
  double p99() {
    std::ranges::sort(times_);
    return times_.empty() ? 0 : times_[times_.size() * 99 / 100];
  }

 private:
  // The client and the server are two machines, which are one here: SYNs that come while packets
  // are under way and the server works delay the client; while it works itself, or has not begun,
  // the server has nothing else to do.
  void One() {
    const Clock::time_point began = Clock::now();
    double aside = 0;
    const SocketId client = pair_.Connect(0);
    std::array<std::byte, 1> byte{};
    SocketId server;
    bool answered = false;
    bool accepted = false;
    for (int step = 0; step < 8 && !answered; ++step) {
      aside += Flood();
      pair_.ToServer();
      if (!accepted) {
        if (const auto got = pair_.server().Accept(pair_.now(), pair_.listener(0))) {
          server = *got;
          accepted = true;
        }
      }
      if (accepted && pair_.server().Read(pair_.now(), server, byte)) {
        Must(pair_.server().Send(pair_.now(), server, byte), "send");
      }
      pair_.ToClient();
      Flood();
      if (!accepted) static_cast<void>(pair_.client().Send(pair_.now(), client, byte));
      answered = pair_.client().Read(pair_.now(), client, byte).has_value();
      Forget();
    }
    times_.push_back((SecondsSince(began) - aside) * 1e6);
    if (!answered) ++failed_;
    Must(pair_.client().Abort(pair_.now(), client), "abort");
    if (accepted) Must(pair_.server().Abort(pair_.now(), server), "abort");
    pair_.Settle();
    Flood();
  }

  // The server takes the SYNs that have come; how many seconds that took.
  double Flood() {
    if (flood_ == nullptr) return 0;
    const Clock::time_point began = Clock::now();
    flood_->Continue();
    return SecondsSince(began);
  }

  // Readiness is of no interest here, but must not pile up.
  void Forget() {
    pair_.Dispatch(pair_.client(), [](const ReadyEvent&) {});
    pair_.Dispatch(pair_.server(), [](const ReadyEvent&) {});
  }

  Pair& pair_;
  SynFlood* flood_;
  std::uint64_t failed_ = 0;
  std::vector<double> times_;
};

// Everything ends: what is left of a stack whose users have all gone.
std::uint64_t Left(const estab::StackCounters& c, std::uint64_t listeners) {
  return c.sockets - listeners + c.half_open + c.time_wait + c.orphans + c.payload_chunks;
}

void AddChurn(Report& report, Pair& pair, std::uint64_t first, std::uint64_t count) {
  Churn churn(pair, first);
  churn.Run(count / 4);
  const std::uint64_t before = MemoryOf(pair);
  const Clock::time_point began = Clock::now();
  const std::uint64_t measured = count - count / 4;
  churn.Run(measured);
  const double seconds = SecondsSince(began);
  report.Add("churned", static_cast<double>(count));
  report.Add("connections_per_second", static_cast<double>(measured) / seconds);
  report.Add("time_waits", pair.client().Counters().time_wait);
  report.Add("memory_grown_bytes", static_cast<double>(MemoryOf(pair) - before));
}

// How long the server takes for so many SYNs.
double SecondsFor(SynFlood& flood, std::uint64_t syns) {
  const Clock::time_point began = Clock::now();
  flood.Send(syns);
  return SecondsSince(began);
}

// The flood is to take half of the server's time; how fast the machine is today is asked again and
// again.
void AddFlood(Report& report, Pair& pair, std::uint64_t count) {
  constexpr std::uint64_t kParts = 10;
  const std::uint64_t clients = std::max<std::uint64_t>(count / 50 / kParts, 1);
  const std::uint64_t syns = std::max<std::uint64_t>(count / 5 * 2 / kParts, 1);
  Must(pair.server().SetSetting("net.ipv4.tcp_max_syn_backlog", "4096"), "tcp_max_syn_backlog");
  Honest calm(pair, nullptr);
  calm.Run(kParts * clients);
  SynFlood flood(pair);
  flood.Send(kParts * syns / 4);
  Honest beside(pair, &flood);
  double saturated = 0;
  double flooded = 0;
  std::uint64_t sent = 0;
  for (std::uint64_t part = 0; part < kParts; ++part) {
    const double seconds = SecondsFor(flood, syns);
    saturated += seconds;
    const std::uint64_t before = flood.sent();
    const Clock::time_point began = Clock::now();
    flood.Begin(static_cast<double>(syns) / seconds / 2);
    beside.Run(clients);
    flooded += SecondsSince(began);
    sent += flood.sent() - before;
  }
  report.Add("syns_per_second_most", static_cast<double>(kParts * syns) / saturated);
  report.Add("syns_per_second", static_cast<double>(sent) / flooded);
  report.Add("honest_connected",
             1 - static_cast<double>(beside.failed()) / static_cast<double>(kParts * clients));
  report.Add("p99_calm_us", calm.p99());
  report.Add("p99_flooded_us", beside.p99());
  report.Add("p99_ratio", beside.p99() / calm.p99());
}

void Close(Pair& pair, const std::vector<Open>& open) {
  for (const Open& c : open) {
    Must(pair.client().Close(pair.now(), c.client), "close");
    pair.Settle();
    Must(pair.server().Close(pair.now(), c.server), "close");
    pair.Settle();
  }
  // Two minutes: 2MSL, and the last repeats of SYN|ACKs that nobody answers.
  for (int i = 0; i < 120; ++i) {
    pair.Pass(std::chrono::seconds(1));
    pair.LoseToServer();
    pair.LoseToClient();
  }
}

}  // namespace

Report MeasureSoak(const Options& options) {
  const std::uint64_t connections = options.connections != 0 ? options.connections : 1'000'000;
  const std::uint64_t count = options.count != 0 ? options.count : 1'000'000;
  const std::uint64_t busy = ListenersFor(connections);
  Pair pair(options, busy + kChurnListeners);
  Report report("soak");
  const std::vector<Open> open = OpenMany(pair, connections);
  report.Add("connections", static_cast<double>(open.size()));
  AddChurn(report, pair, busy, count);
  AddFlood(report, pair, count);
  Close(pair, open);
  const std::uint64_t left =
      Left(pair.client().Counters(), 0) + Left(pair.server().Counters(), busy + kChurnListeners);
  report.Add("left", static_cast<double>(left));
  return report;
}

}  // namespace bench_engine
