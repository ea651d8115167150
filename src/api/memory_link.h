// A link whose wire is the caller: what leaves waits here to be collected.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "estab/packet.h"
#include "estab/time.h"

namespace estab::api {

/// The bounded queue of packets that left over a memory link, each with the time at which it did.
class MemoryLink {
 public:
  static constexpr std::size_t kMaxPackets = 65536;
  static constexpr std::size_t kMaxBytes = std::size_t{64} << 20;

  /// Queues a copy; kBusy when the queue is full.
  SinkResult Push(Time now, const TxPacket& packet);

  bool empty() const { return queue_.empty(); }
  /// The packet that left first, and when; not on an empty queue.
  std::span<const std::byte> front() const { return queue_.front().bytes; }
  Time front_time() const { return queue_.front().at; }
  void Pop();

  /// Whether a packet was refused since this was asked last: room made must be offered again.
  bool TakeRefused();

 private:
  struct Queued {
    Time at;
    std::vector<std::byte> bytes;
  };
  std::deque<Queued> queue_;
  std::vector<std::vector<std::byte>> spare_;  // buffers to use again
  std::size_t bytes_ = 0;
  bool refused_ = false;
};

}  // namespace estab::api
