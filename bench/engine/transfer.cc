// Connections that stay: bulk, and a byte now and then over very many.
#include <algorithm>
#include <chrono>

#include "engine/pair.h"
#include "engine/region.h"
#include "engine/workloads.h"

namespace bench_engine {
namespace {

using estab::Error;
using estab::SocketId;

constexpr std::size_t kPiece = 64 * 1024;  // of a program's own buffer

/// One connection with data in one direction.
class Bulk {
 public:
  explicit Bulk(const Options& options) : pair_(options, 1), data_(kPiece), sink_(kPiece) {
    estab::SocketOptions buffers;
    buffers.send_buffer = options.buffer;
    buffers.receive_buffer = options.buffer;
    Must(pair_.server().SetOptions(pair_.now(), pair_.listener(0), buffers), "options");
    client_ = Must(pair_.client().Open(false), "socket");
    Must(pair_.client().SetOptions(pair_.now(), client_, buffers), "options");
    static_cast<void>(pair_.client().Connect(pair_.now(), client_, Pair::Server(0)));
    pair_.Settle();
    server_ = Must(pair_.server().Accept(pair_.now(), pair_.listener(0)), "accept");
    for (std::size_t i = 0; i < data_.size(); ++i) data_[i] = static_cast<std::byte>(i * 7);
  }

  /// Until so many bytes have been read; returns how many, exactly.
  std::uint64_t Transfer(std::uint64_t bytes) {
    std::uint64_t read = 0;
    while (read < bytes) {
      Fill();
      pair_.ToServer();
      read += Drain();
      pair_.ToClient();
      pair_.Pass(std::chrono::microseconds(10));
    }
    return read;
  }

  Pair& pair() { return pair_; }

 private:
  void Fill() {
    for (;;) {
      const auto n = pair_.client().Send(pair_.now(), client_, data_);
      if (n) continue;
      if (n.error() == Error::kWouldBlock) return;
      Fail("send", n.error());
    }
  }
  std::uint64_t Drain() {
    std::uint64_t read = 0;
    for (;;) {
      const auto n = pair_.server().Read(pair_.now(), server_, sink_);
      if (n) {
        read += *n;
        continue;
      }
      if (n.error() == Error::kWouldBlock) return read;
      Fail("read", n.error());
    }
  }

  Pair pair_;
  SocketId client_;
  SocketId server_;
  std::vector<std::byte> data_;
  std::vector<std::byte> sink_;
};

/// Many connections that each carry a byte there and a byte back.
class Rounds {
 public:
  Rounds(Pair& pair, std::vector<Open> open, std::size_t batch)
      : pair_(pair), open_(std::move(open)), batch_(std::min(batch, open_.size())) {
    for (std::size_t i = 0; i < open_.size(); ++i) {
      Must(pair_.client().SetUser(open_[i].client, &open_[i]), "user");
      Must(pair_.server().SetUser(open_[i].server, &open_[i]), "user");
    }
    const auto nobody = [](const estab::ReadyEvent&) {};
    Pair::Dispatch(pair_.client(), nobody);
    Pair::Dispatch(pair_.server(), nobody);
  }

  /// At least `rounds` of them, a whole number of batches; returns how many.
  std::uint64_t Run(std::uint64_t rounds) {
    std::uint64_t done = 0;
    while (done < rounds) done += Batch();
    return done;
  }
  std::size_t size() const { return open_.size(); }

 private:
  // Time passes a millisecond in each walk over all of them, so that every connection's timers have
  // the same to do however many there are.
  std::size_t Batch() {
    if (next_ + batch_ > open_.size()) {
      next_ = 0;
      pair_.Pass(std::chrono::milliseconds(1));
    }
    std::array<std::byte, 1> byte{};
    for (std::size_t i = 0; i < batch_; ++i) {
      Must(pair_.client().Send(pair_.now(), open_[next_ + i].client, byte), "send");
    }
    next_ += batch_;
    std::size_t echoed = 0;
    std::size_t back = 0;
    while (pair_.ToServer() == Wire::kPackets) {
    }
    Pair::Dispatch(pair_.server(), [&](const estab::ReadyEvent& e) {
      if ((e.raised & estab::kReadable) == 0) return;
      Must(pair_.server().Read(pair_.now(), e.socket, byte), "read");
      Must(pair_.server().Send(pair_.now(), e.socket, byte), "send");
      ++echoed;
    });
    while (pair_.ToClient() == Wire::kPackets) {
    }
    Pair::Dispatch(pair_.client(), [&](const estab::ReadyEvent& e) {
      if ((e.raised & estab::kReadable) == 0) return;
      Must(pair_.client().Read(pair_.now(), e.socket, byte), "read");
      ++back;
    });
    if (echoed != batch_ || back != batch_) Fail("a byte did not come", Error::kBusy);
    return batch_;
  }

  Pair& pair_;
  std::vector<Open> open_;
  std::size_t batch_;
  std::size_t next_ = 0;
};

}  // namespace

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
  Rounds rounds(pair, OpenMany(pair, connections), options.batch);
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
