// Everything that must not grow with the number of connections, with one setting-up of them.
#include <chrono>

#include "engine/conversation.h"
#include "engine/region.h"
#include "engine/rounds.h"
#include "engine/usage.h"
#include "engine/workloads.h"

namespace bench_engine {
namespace {

constexpr std::uint64_t kMostToWarm = 1'000'000;

struct Cost {
  double ns;
  double packets;
  double allocations;
};

// What `work` cost for each of its operations, of which it returns the number.
template <class Work>
Cost Measure(Pair& pair, const Work& work) {
  const std::uint64_t packets = pair.packets();
  const std::uint64_t allocations = pair.allocations();
  Region region;
  const auto n = static_cast<double>(work());
  region.Stop();
  return {region.ns() / n, static_cast<double>(pair.packets() - packets) / n,
          static_cast<double>(pair.allocations() - allocations + region.heap())};
}

void Add(Report& report, const std::string& what, const Cost& cost) {
  report.Add(what + "_ns", cost.ns);
  report.Add(what + "_packets", cost.packets);
  report.Add(what + "_allocations", cost.allocations);
}

}  // namespace

Report MeasureScale(const Options& options) {
  const std::uint64_t connections = options.connections != 0 ? options.connections : 10;
  const std::uint64_t count = options.count != 0 ? options.count : 200'000;
  const std::uint64_t warm = options.warm != 0 ? options.warm : 20'000;
  Pair pair(options, ListenersFor(connections));
  const Usage before(pair);
  Rounds rounds(pair, OpenMany(pair, connections), true);
  // Once over all, if that is not too long: what happens once in a connection's life is over.
  rounds.set_batch(Wire::kPackets);
  rounds.Run(std::clamp(connections, std::min(warm, kMostToWarm), kMostToWarm));
  const Usage open(pair);
  Report report("scale");
  const auto n = static_cast<double>(connections);
  report.Add("connections", n);
  report.Add("client_bytes", (open.client - before.client) / n);
  report.Add("server_bytes", (open.server - before.server) / n);
  report.Add("resident_bytes", open.resident);
  Add(report, "batched", Measure(pair, [&] { return 2 * rounds.Run(count); }));
  rounds.set_batch(1);
  rounds.Run(warm);
  Add(report, "singly", Measure(pair, [&] { return 2 * rounds.Run(count); }));
  Conversation conversation(pair, false);
  ConverseMany(pair, conversation, warm);
  Add(report, "open_close", Measure(pair, [&] {
        ConverseMany(pair, conversation, count / 4);
        return count / 4;
      }));
  Add(report, "millisecond", Measure(pair, [&] {
        for (std::uint64_t i = 0; i < count; ++i) {
          pair.Pass(std::chrono::milliseconds(1));
          static_cast<void>(pair.client().NextDeadline());
          static_cast<void>(pair.server().NextDeadline());
        }
        return count;
      }));
  return report;
}

}  // namespace bench_engine
