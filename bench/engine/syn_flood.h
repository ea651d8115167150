// SYNs from hosts that do not exist, as fast as somebody wants to send them.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include "engine/pair.h"

namespace bench_engine {

/// SYNs to the first listener of a pair's server, each from another address and port, made once and
/// sent over and over. Their answers lead nowhere.
class SynFlood {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kTogether = 32;  // arrive at once

  explicit SynFlood(Pair& pair);

  /// The server takes `count` of them, and its answers go out and are lost.
  void Send(std::size_t count);
  /// From now on so many a second, by the clock of the world.
  void Begin(double rate);
  /// Sends what has become due since the last call, but no more than arrive at once.
  void Continue();
  std::uint64_t sent() const { return sent_; }

 private:
  static constexpr std::size_t kPacketSize = 64;

  Pair& pair_;
  std::vector<std::byte> bytes_;
  std::vector<estab::RxPacket> packets_;
  std::size_t next_ = 0;
  std::uint64_t sent_ = 0;
  double rate_ = 0;
  Clock::time_point looked_;
  double due_ = 0;  // not sent yet
};

}  // namespace bench_engine
