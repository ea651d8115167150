// One cell of the grid that `estab bench path` measures: a path and a congestion control.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "estab/time.h"
#include "sim/path.h"

namespace estab::bench {

/// IP packets of bulk data, and the payload in one: IPv4, TCP with timestamps, an MTU of 1500.
inline constexpr std::uint32_t kPacketBytes = 1500;
inline constexpr std::uint32_t kPayloadBytes = 1448;
/// No buffer of the grid is smaller.
inline constexpr std::uint32_t kLeastBufferPackets = 20;

/// What is measured. Loss is by chance, in the direction of the data; the way back is perfect.
struct Cell {
  std::string cc = "reno";
  sim::Ppm loss_ppm = 0;
  Duration rtt = std::chrono::milliseconds(100);  // of the path, without queues
  std::uint64_t rate_bps = 10'000'000;            // of IP packets
  std::uint32_t buffer_percent = 100;             // of the bandwidth-delay product
  friend bool operator==(const Cell&, const Cell&) = default;

  double loss() const { return loss_ppm / 1e6; }
  /// The bandwidth-delay product in bytes.
  std::uint64_t bdp() const;
  /// The bottleneck's queue in bytes: never under kLeastBufferPackets.
  std::uint64_t buffer() const;
  /// How long one packet takes to be sent.
  Duration packet_time() const;
  /// The round trip of a packet that waits for no other, and of one that finds the queue full.
  Duration least_rtt() const { return rtt + packet_time(); }
  Duration most_rtt() const;
  /// Payload bits per second of a link that is never idle.
  double link_goodput() const;
  /// Payload bits per second that theory gives this congestion control: min(link, PFTK) for reno,
  /// RFC 9438 §5 for cubic (the larger of CUBIC's and Reno's window), the link's share that is not
  /// lost for bbr.
  double theory_goodput() const;
  /// The same for a sender that repairs every loss without waiting for a time-out, which PFTK's
  /// Reno of 1998 could not: nobody should get more, by chance apart.
  double ceiling_goodput() const;
};

/// "0.01", "1", "10" and "0.5": a cell's coordinates as flags and files have them: loss in percent,
/// RTT in ms, rate in Mbit/s, buffer in bandwidth-delay products.
std::string LossText(const Cell& cell);
std::string RttText(const Cell& cell);
std::string RateText(const Cell& cell);
std::string BufferText(const Cell& cell);
/// "--cc reno --loss 0.01 --rtt 10 --rate 100 --buffer 0.5": what repeats it.
std::string FlagsText(const Cell& cell);

/// Which cells are wanted: everything that is a combination of these.
struct Selection {
  std::vector<std::string> cc = {"reno", "cubic", "bbr"};
  std::vector<sim::Ppm> loss_ppm = {0, 100, 1'000, 10'000, 30'000};
  std::vector<unsigned> rtt_us = {1'000, 10'000, 100'000, 600'000};
  std::vector<std::uint64_t> rate_bps = {1'000'000, 10'000'000, 100'000'000, 1'000'000'000};
  std::vector<std::uint32_t> buffer_percent = {50, 100, 400};

  std::vector<Cell> Cells() const;
};

/// A sample of `cells` that is measured in seconds: those that take few packets, thinned out evenly
/// so that every loss rate, RTT and buffer is still there.
std::vector<Cell> Sample(const std::vector<Cell>& cells);

}  // namespace estab::bench
