// Connections that stay: bulk, and a byte now and then over very many.
#include <algorithm>
#include <array>
#include <chrono>

#include "engine/bulk.h"
#include "engine/region.h"
#include "engine/rounds.h"
#include "engine/workloads.h"

namespace bench_engine {
namespace {

using estab::Error;

/// Bulk without a copy by either program: sent by reference, read by borrowing.
class ZeroCopyBulk final : public Bulk {
 public:
  explicit ZeroCopyBulk(const Options& options) : Bulk(options) { pair().set_room(kRoom); }

 private:
  // So that what is on the wire does not push everything else out of the cache.
  static constexpr std::size_t kRoom = 2;

  estab::Result<std::size_t> Send() override {
    TakeBack();
    return pair().client().SendReference(pair().now(), client(), data(), next_++);
  }
  // In the order in which they were sent, none left out.
  void TakeBack() {
    std::array<estab::ReturnedBytes, 16> returned;
    const std::size_t n = pair().client().TakeReturned(returned);
    for (std::size_t i = 0; i < n; ++i) {
      if (returned[i].token < returned_ || returned[i].copied)
        Fail("bytes came back out of turn, or copied", Error::kInvalid);
      returned_ = returned[i].token;
    }
  }
  estab::Result<std::size_t> Read() override {
    std::array<estab::BorrowedBytes, 16> pieces;
    const auto n = pair().server().Borrow(pair().now(), server(), pieces);
    if (!n) return n;
    const auto borrowed = std::span(pieces).first(*n);
    std::size_t bytes = 0;
    for (const estab::BorrowedBytes& piece : borrowed) bytes += piece.bytes.size();
    Must(pair().server().GiveBack(pair().now(), borrowed), "give back");
    return bytes;
  }

  std::uint64_t next_ = 0;
  std::uint64_t returned_ = 0;
};

Report Measure(const char* name, const Options& options, Bulk& bulk) {
  const std::uint64_t bytes = options.count != 0 ? options.count : std::uint64_t{2} << 30;
  bulk.Transfer(options.warm != 0 ? options.warm : std::uint64_t{64} << 20);
  const std::uint64_t packets = bulk.pair().packets();
  const std::uint64_t allocations = bulk.pair().allocations();
  Region region;
  const auto read = static_cast<double>(bulk.Transfer(bytes));
  region.Stop();
  Report report(name);
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

}  // namespace

Report MeasureBulk(const Options& options) {
  Options with_batch = options;
  with_batch.batch = Wire::kPackets;
  Bulk bulk(with_batch);
  return Measure("bulk", options, bulk);
}

Report MeasureZeroCopy(const Options& options) {
  Options over_a_card = options;
  over_a_card.batch = Wire::kPackets;
  over_a_card.offloads = true;
  ZeroCopyBulk bulk(over_a_card);
  return Measure("zero_copy", options, bulk);
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
