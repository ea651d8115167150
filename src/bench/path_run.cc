#include "bench/path_run.h"

#include <algorithm>

#include "base/prng.h"
#include "bench/traffic.h"
#include "observe/format.h"

namespace estab::bench {
namespace {

// The ramp-up. Where chance loses packets, the window has forgotten its slow start after so many
// halvings; where only a full queue does, so many round trips after the first loss, repairs
// included, it has begun to go to and fro.
constexpr std::uint32_t kRampEpochs = 8;
constexpr std::int64_t kRampRoundTrips = 30;
constexpr std::int64_t kBbrRampRoundTrips = 60;
// The measurement. Losses are rare events: so many make a figure that chance moves by some percent.
constexpr std::uint64_t kMeasuredLosses = 400;
constexpr std::uint64_t kLeastPackets = 40'000;
constexpr std::uint32_t kMeasuredEpochs = 10;
constexpr std::chrono::seconds kMeasuredBbr(41);  // four periods and a probe
constexpr std::int64_t kMeasuredBbrRoundTrips = 200;
// Whatever happens, virtual time ends.
constexpr std::int64_t kMostRoundTrips = 40'000;

class Measurement {
 public:
  Measurement(const Cell& cell, const PathOptions& options,
              const std::function<void(const FlowSample&)>& sample)
      : cell_(cell),
        options_(options),
        sample_(sample),
        world_(CellWorld(cell, options)),
        traffic_(world_, {FlowPlan{}}) {}

  CellResult Go() {
    CellResult result;
    result.cell = cell_;
    result.theory = cell_.theory_goodput();
    result.ceiling = cell_.ceiling_goodput();
    result.window = CellWindow(cell_);
    result.failure = SettingError();
    if (!result.failure.empty()) return result;
    RampUp(result);
    Measure(result);
    if (!traffic_.failure().empty()) result.failure = traffic_.failure();
    return result;
  }

 private:
  std::string SettingError() {
    for (const sim::Side side : {sim::Side::kA, sim::Side::kB}) {
      const std::string& error = world_.host(side).setting_error();
      if (!error.empty()) return error;
    }
    return {};
  }

  const sim::PathCounters& counters() { return world_.path(sim::Side::kA).counters(); }
  std::uint64_t losses() { return counters().lost + counters().queue_full; }

  // Half a round trip further. True if a burst of losses began in it.
  bool Step() {
    const std::uint64_t before = losses();
    world_.Run(world_.now() + cell_.least_rtt() / 2);
    const auto info = traffic_.SenderInfo(0);
    if (!info) return false;
    if (sample_) {
      sample_({world_.now(), info->congestion_window, info->slow_start_threshold, info->srtt,
               traffic_.delivered(), measuring_});
    }
    if (losses() == before || world_.now() < epoch_until_) return false;
    epoch_until_ = world_.now() + info->srtt;
    if (epochs_++ == 0) first_loss_ = world_.now();
    return true;
  }

  bool Stuck(Time since) const {
    return !traffic_.failure().empty() || world_.now() - since > kMostRoundTrips * cell_.most_rtt();
  }

  // What has ended the ramp-up; empty if it is not over.
  std::string RampEnd() {
    if (cell_.cc == "bbr") {
      const bool over = world_.now() >= Time(kBbrRampRoundTrips * cell_.least_rtt());
      if (over) return fmt::format("{} RTT", kBbrRampRoundTrips);
    } else if (epochs_ >= kRampEpochs) {
      return fmt::format("{} loss epochs", epochs_);
    } else if (cell_.loss_ppm == 0 && epochs_ != 0 &&
               world_.now() - first_loss_ >= kRampRoundTrips * cell_.most_rtt()) {
      return fmt::format("{} RTT after the first loss", kRampRoundTrips);
    }
    if (counters().offered >= options_.most_packets * 4) return "too many packets";
    return Stuck(Time{}) ? "too much time" : "";
  }

  void RampUp(CellResult& result) {
    while (result.warm_up.empty()) {
      Step();
      result.warm_up = RampEnd();
    }
    result.warm_up_time = world_.now().time_since_epoch();
  }

  // Chance needs many losses; a full queue some whole periods, from loss to loss. BBR, which fills
  // no queue, has a period of its own: every ten seconds it probes the round trip.
  bool Enough(std::uint64_t packets, bool epoch_begins, Duration measured) const {
    if (packets >= options_.most_packets) return true;
    if (cell_.cc == "bbr") {
      if (measured < kMeasuredBbrRoundTrips * cell_.least_rtt()) return false;
      if (cell_.loss_ppm == 0) return packets >= kLeastPackets && measured >= kMeasuredBbr;
    }
    if (!epoch_begins || packets < kLeastPackets) return false;
    if (cell_.loss_ppm == 0) return epochs_ >= kMeasuredEpochs;
    return packets * cell_.loss_ppm >= kMeasuredLosses * 1'000'000;
  }

  void Measure(CellResult& result) {
    const Time begin = world_.now();
    const sim::PathCounters before = counters();
    const std::uint64_t delivered = traffic_.delivered();
    epochs_ = 0;
    measuring_ = true;
    bool enough = false;
    while (!enough && !Stuck(begin)) {
      const bool epoch_begins = Step();
      enough = Enough(counters().offered - before.offered, epoch_begins, world_.now() - begin);
    }
    result.measured_time = world_.now() - begin;
    const double seconds = std::chrono::duration<double>(result.measured_time).count();
    result.goodput = static_cast<double>(traffic_.delivered() - delivered) * 8 / seconds;
    result.packets = counters().offered - before.offered;
    result.lost = counters().lost - before.lost;
    result.queue_full = counters().queue_full - before.queue_full;
    result.epochs = epochs_;
  }

  Cell cell_;
  PathOptions options_;
  const std::function<void(const FlowSample&)>& sample_;
  sim::World world_;
  Traffic traffic_;
  bool measuring_ = false;
  std::uint32_t epochs_ = 0;
  Time first_loss_{};
  Time epoch_until_{};
};

}  // namespace

CellResult MeasureCell(const Cell& cell, const PathOptions& options,
                       const std::function<void(const FlowSample&)>& sample) {
  return Measurement(cell, options, sample).Go();
}

std::uint64_t CellWindow(const Cell& cell) {
  std::uint64_t window = 2 * (cell.bdp() + cell.buffer());
  // BBR begins with three times what the path holds, loses some of it, and sends as much again
  // while that is repaired, and again while the repeats that were lost are.
  if (cell.cc == "bbr") window = std::max(window, 10 * cell.bdp());
  return std::min<std::uint64_t>(window + (256 << 10), 1 << 30);
}

sim::WorldConfig CellWorld(const Cell& cell, const PathOptions& options) {
  sim::WorldConfig config;
  config.seed = CellSeed(cell, options.seed);
  config.hash = false;
  config.most_in_flight = SIZE_MAX;
  sim::PathConfig& there = config.path[sim::Index(sim::Side::kA)];
  there.delay = cell.rtt / 2;
  there.rate_bps = cell.rate_bps;
  there.queue_bytes = static_cast<std::uint32_t>(cell.buffer());
  there.loss_ppm = cell.loss_ppm;
  config.path[sim::Index(sim::Side::kB)].delay = cell.rtt - there.delay;
  for (sim::HostConfig& host : config.host) {
    host.settings = BufferSettings(CellWindow(cell));
    host.settings.emplace_back("net.ipv4.tcp_congestion_control", cell.cc);
    for (const auto& setting : options.settings) host.settings.push_back(setting);
  }
  return config;
}

bool KnowsCongestionControl(const std::string& name) {
  auto stack = Stack::Create({});
  return stack && stack->SetSetting("net.ipv4.tcp_congestion_control", name).has_value();
}

std::uint64_t CellSeed(const Cell& cell, std::uint64_t seed) {
  std::uint64_t mixed = seed;
  for (const std::uint64_t part :
       {std::uint64_t{cell.loss_ppm}, static_cast<std::uint64_t>(cell.rtt.count()), cell.rate_bps,
        std::uint64_t{cell.buffer_percent}}) {
    Prng prng(mixed ^ (part * 0x9e3779b97f4a7c15));
    mixed = prng.Next();
  }
  return mixed;
}

}  // namespace estab::bench
