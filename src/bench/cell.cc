#include "bench/cell.h"

#include <algorithm>

#include "bench/theory.h"
#include "observe/format.h"

namespace estab::bench {
namespace {

constexpr double kSecond = 1e9;
// Over the smoothed RTT, the least that the retransmission time-out of profile `default` adds.
constexpr double kLeastRtoVariation = 0.2;

double Seconds(Duration span) { return static_cast<double>(span.count()) / kSecond; }

// Packets per second that arrive where only chance limits Reno or CUBIC; `reno`: what Reno gets.
double Unlimited(const Cell& cell, double reno) {
  const double rtt = Seconds(cell.least_rtt());
  if (cell.cc == "reno") return reno;
  return std::max(reno, CubicWindow(cell.loss(), rtt) / rtt * (1 - cell.loss()));
}

double PftkArrivals(const Cell& cell) {
  PathTerms terms;
  terms.loss = cell.loss();
  terms.rtt = Seconds(cell.least_rtt());
  terms.first_rto = terms.rtt + kLeastRtoVariation;
  return PftkSendRate(terms) * (1 - terms.loss);
}

double Goodput(double packets) { return packets * kPayloadBytes * 8; }

}  // namespace

std::uint64_t Cell::bdp() const {
  return rate_bps / 8 * static_cast<std::uint64_t>(rtt / std::chrono::microseconds(1)) / 1'000'000;
}

std::uint64_t Cell::buffer() const {
  return std::max<std::uint64_t>(bdp() * buffer_percent / 100, kLeastBufferPackets * kPacketBytes);
}

Duration Cell::packet_time() const {
  return Duration(static_cast<std::int64_t>(kPacketBytes * 8 * 1'000'000'000ull / rate_bps));
}

Duration Cell::most_rtt() const {
  return least_rtt() + packet_time() * static_cast<std::int64_t>(buffer() / kPacketBytes);
}

double Cell::link_goodput() const {
  return static_cast<double>(rate_bps) * kPayloadBytes / kPacketBytes;
}

double Cell::theory_goodput() const {
  if (cc == "bbr") return link_goodput() * (1 - loss());
  if (loss_ppm == 0) return link_goodput();
  return std::min(link_goodput(), Goodput(Unlimited(*this, PftkArrivals(*this))));
}

double Cell::ceiling_goodput() const {
  if (cc == "bbr" || loss_ppm == 0) return theory_goodput();
  const double reno = RenoWindow(loss()) / Seconds(least_rtt());
  return std::min(link_goodput(), Goodput(Unlimited(*this, reno)));
}

std::string LossText(const Cell& cell) { return fmt::format("{:g}", cell.loss_ppm / 1e4); }

std::string RttText(const Cell& cell) { return fmt::format("{:g}", Seconds(cell.rtt) * 1e3); }

std::string RateText(const Cell& cell) {
  return fmt::format("{:g}", static_cast<double>(cell.rate_bps) / 1e6);
}

std::string BufferText(const Cell& cell) { return fmt::format("{:g}", cell.buffer_percent / 100.); }

std::string FlagsText(const Cell& cell) {
  return fmt::format("--cc {} --loss {} --rtt {} --rate {} --buffer {}", cell.cc, LossText(cell),
                     RttText(cell), RateText(cell), BufferText(cell));
}

std::vector<Cell> Selection::Cells() const {
  std::vector<Cell> cells;
  for (const std::string& name : cc) {
    for (const sim::Ppm loss : loss_ppm) {
      for (const unsigned us : rtt_us) {
        for (const std::uint64_t rate : rate_bps) {
          for (const std::uint32_t buffer : buffer_percent) {
            cells.push_back({name, loss, std::chrono::microseconds(us), rate, buffer});
          }
        }
      }
    }
  }
  return cells;
}

std::vector<Cell> Sample(const std::vector<Cell>& cells) {
  constexpr std::uint64_t kCheapBytes = 2'000'000;  // in flight at most
  constexpr unsigned kPrice = 20;
  std::vector<Cell> sample;
  unsigned credit = kPrice - 1;
  for (const Cell& cell : cells) {
    if (cell.bdp() + cell.buffer() > kCheapBytes) continue;
    // Rare losses take many packets. The steps share no factor with the grid's sides.
    const bool rare = cell.loss_ppm != 0 && cell.loss_ppm < 10'000;
    credit += !rare ? 4 : cell.loss_ppm < 1'000 ? 1 : 2;
    if (credit < kPrice) continue;
    credit -= kPrice;
    sample.push_back(cell);
  }
  return sample;
}

}  // namespace estab::bench
