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
/// Payload that is worth it stays where it is, in the stack's memory or its user's, until the
/// packet is taken: then it is copied and summed in one pass.
class MemoryLink {
 public:
  static constexpr std::size_t kMaxPackets = 65536;
  static constexpr std::size_t kMaxBytes = std::size_t{64} << 20;
  /// What the stack may leave to it.
  static constexpr SinkCapabilities kCapabilities{.checksum = true, .holds = true};

  /// Queues it; kBusy when the queue is full.
  SinkResult Push(Time now, const TxPacket& packet);

  bool empty() const { return queue_.empty(); }
  /// The size of the packet that left first, and when it did; not on an empty queue.
  std::size_t front_size() const { return queue_.front().size; }
  Time front_time() const { return queue_.front().at; }
  /// Writes that packet into `into`, which has room for it, and drops it. The token of a packet
  /// that is no longer held; 0: none.
  std::uint64_t Take(std::span<std::byte> into);

  /// Copies what is held, so that nobody else's memory is read from now on; without memory the
  /// packet is lost, as packets are. Calls `complete(token)` for each.
  template <class Complete>
  void Own(Complete&& complete) {
    for (Queued& queued : queue_) {
      const std::uint64_t token = queued.token;
      if (token == 0) continue;
      queued.lost = !Own(queued);
      complete(token);
    }
    DropLost();
  }

  /// Whether a packet was refused since this was asked last: room made must be offered again.
  bool TakeRefused();

 private:
  struct Queued {
    Time at;
    std::size_t size = 0;
    std::vector<std::byte> bytes;  // all of the packet; or, if it is held, its headers
    std::vector<Slice> payload;    // what is held
    std::uint64_t token = 0;
    std::uint16_t checksum_start = 0;  // as in TxPacket
    std::uint16_t checksum_offset = 0;
    bool lost = false;
  };
  static bool Own(Queued& queued);
  static void Fill(const Queued& queued, std::byte* packet);
  void DropLost();

  std::deque<Queued> queue_;
  std::vector<Queued> spare_;  // to use again
  std::size_t bytes_ = 0;
  bool refused_ = false;
};

}  // namespace estab::api
