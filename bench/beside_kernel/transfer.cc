#include "beside_kernel/transfer.h"

#include <algorithm>
#include <array>

#include "bench/path_run.h"
#include "io/clock.h"
#include "sim/delay_line.h"

namespace beside_kernel {
namespace {

using estab::bench::Cell;
using estab::io::MonotonicNow;
using estab::sim::DelayLine;

void WaitUntil(Time until, const std::vector<pollfd>& wanted) {
  std::vector<pollfd> fds = wanted;
  const auto ns = std::max<std::int64_t>(0, (until - MonotonicNow()).count());
  const timespec limit{ns / 1'000'000'000, ns % 1'000'000'000};
  ppoll(fds.data(), fds.size(), &limit, nullptr);
}

class Wire {
 public:
  Wire(std::unique_ptr<End> sender, std::unique_ptr<End> receiver, const Cell& cell,
       std::uint64_t seed)
      : ends_{std::move(sender), std::move(receiver)}, lines_{Lines(cell, seed)} {}

  void Begin() {
    ends_[1]->Begin(MonotonicNow());
    ends_[0]->Begin(MonotonicNow());
  }

  // Moves packets until `until`, or until an end has failed.
  void Run(Time until) {
    while (failure().empty()) {
      const Time now = MonotonicNow();
      if (now >= until) return;
      for (std::size_t i = 0; i < 2; ++i) {
        lines_[1 - i].Deliver(
            now, [&](std::span<const std::byte> packet) { ends_[i]->Deliver(now, packet); });
        ends_[i]->Step(now);
        ends_[i]->Collect(now,
                          [&](std::span<const std::byte> packet) { lines_[i].Send(now, packet); });
      }
      Wait(until);
    }
  }

  std::uint64_t received() const { return ends_[1]->received(); }
  std::string failure() const {
    return ends_[0]->failure().empty() ? ends_[1]->failure() : ends_[0]->failure();
  }

 private:
  static std::array<DelayLine, 2> Lines(const Cell& cell, std::uint64_t seed) {
    const auto paths = CellWorld(cell, {}).path;
    return {DelayLine(paths[0], CellSeed(cell, seed)), DelayLine(paths[1], seed)};
  }

  void Wait(Time until) {
    std::vector<pollfd> fds;
    for (std::size_t i = 0; i < 2; ++i) {
      ends_[i]->AddDescriptors(fds);
      until = std::min({until, ends_[i]->NextDeadline(), lines_[i].next()});
    }
    WaitUntil(until, fds);
  }

  std::array<std::unique_ptr<End>, 2> ends_;  // sender, receiver
  std::array<DelayLine, 2> lines_;            // from each of them
};

}  // namespace

std::expected<double, std::string> MeasureTransfer(const TransferConfig& config) {
  EndConfig end{Role::kSender, config.cell.cc, CellWindow(config.cell), config.seed};
  auto sender = config.pairing.estab_sends ? MakeEstabEnd(end) : MakeKernelEnd(end);
  if (!sender) return std::unexpected(sender.error());
  end.role = Role::kReceiver;
  auto receiver = config.pairing.estab_receives ? MakeEstabEnd(end) : MakeKernelEnd(end);
  if (!receiver) return std::unexpected(receiver.error());
  Wire wire(*std::move(sender), *std::move(receiver), config.cell, config.seed);
  wire.Begin();
  const Time begin = MonotonicNow();
  wire.Run(begin + config.warm_up);
  const Time from = MonotonicNow();
  const std::uint64_t before = wire.received();
  wire.Run(from + config.measured);
  const double seconds = std::chrono::duration<double>(MonotonicNow() - from).count();
  if (!wire.failure().empty()) return std::unexpected(wire.failure());
  return static_cast<double>(wire.received() - before) * 8 / seconds;
}

}  // namespace beside_kernel
