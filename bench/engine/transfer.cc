// Connections that stay: bulk, and a byte now and then over very many.
#include <algorithm>
#include <chrono>

#include "engine/bulk.h"
#include "engine/region.h"
#include "engine/rounds.h"
#include "engine/workloads.h"

namespace bench_engine {
Report MeasureBulk(const Options& options) {
  const std::uint64_t bytes = options.count != 0 ? options.count : std::uint64_t{2} << 30;
  Options with_batch = options;
  with_batch.batch = Wire::kPackets;
  Bulk bulk(with_batch);
  bulk.Transfer(options.warm != 0 ? options.warm : std::uint64_t{64} << 20);
  const std::uint64_t packets = bulk.pair().packets();
  const std::uint64_t allocations = bulk.pair().allocations();
  Region region;
  const auto read = static_cast<double>(bulk.Transfer(bytes));
  region.Stop();
  Report report("bulk");
  const double segments = read / 1448;  // of data, both with timestamps
  report.Add("buffer", options.buffer);
  report.Add("bytes", read);
  report.Add("gbit_per_s", read * 8 / region.ns());
  report.Add("operations", segments);
  report.Add("ns_per_op", region.ns() / segments);
  report.Add("packets_per_op", static_cast<double>(bulk.pair().packets() - packets) / segments);
  report.Add("slab_allocations", static_cast<double>(bulk.pair().allocations() - allocations));
  report.Add("heap_allocations", static_cast<double>(region.heap()));
  return report;
}

Report MeasureRound(const Options& options) {
  const std::uint64_t connections = options.connections != 0 ? options.connections : 10;
  Pair pair(options, ListenersFor(connections));
  Rounds rounds(pair, OpenMany(pair, connections), false);
  rounds.set_batch(options.batch);
  // Twice over all: what happens once in a connection's life is over, and each has its memory.
  rounds.Run(options.warm != 0 ? options.warm : std::max<std::uint64_t>(2 * rounds.size(), 50'000));
  const std::uint64_t packets = pair.packets();
  const std::uint64_t allocations = pair.allocations();
  const std::uint64_t asked = options.count != 0 ? options.count : 500'000;
  Region region;
  const std::uint64_t done = rounds.Run(asked);
  region.Stop();
  Report report("round");
  const auto n = 2 * static_cast<double>(done);
  report.Add("connections", static_cast<double>(rounds.size()));
  report.Add("batch", options.batch);
  report.Add("operations", n);
  report.Add("ns_per_op", region.ns() / n);
  report.Add("packets_per_op", static_cast<double>(pair.packets() - packets) / n);
  report.Add("slab_allocations", static_cast<double>(pair.allocations() - allocations));
  report.Add("heap_allocations", static_cast<double>(region.heap()));
  return report;
}

}  // namespace bench_engine
