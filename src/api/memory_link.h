// A link whose wire is the caller: what leaves waits here to be collected.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
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

  /// Writes a packet, whole, to where there is room for it.
  static void Write(const TxPacket& packet, std::byte* into);

  /// Queues it; kBusy when the queue is full.
  SinkResult Push(Time now, const TxPacket& packet);

  bool empty() const { return count_ == 0; }
  /// The size of the packet that left first, and when it did; not on an empty queue.
  std::size_t front_size() const { return places_[first_].size; }
  Time front_time() const { return places_[first_].at; }
  /// Writes that packet into `into`, which has room for it, and drops it. The token of a packet
  /// that is no longer held; 0: none.
  std::uint64_t Take(std::span<std::byte> into);

  /// Copies what is held, so that nobody else's memory is read from now on; without memory the
  /// packet is lost, as packets are. Calls `complete(token)` for each.
  template <class Complete>
  void Own(Complete&& complete) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      const std::uint64_t token = At(i).token;
      const bool lost = token != 0 && !Own(At(i));
      if (token != 0) complete(token);
      if (lost) {
        bytes_ -= At(i).size;
      } else if (kept++ != i) {
        std::swap(At(kept - 1), At(i));
      }
    }
    count_ = kept;
  }

  /// Whether a packet was refused since this was asked last: room made must be offered again.
  bool TakeRefused() { return std::exchange(refused_, false); }

 private:
  /// A place for a packet; its memory stays with it for the next one.
  struct alignas(64) Place {
    Time at;
    std::uint64_t token = 0;  // 0: nothing is held
    std::size_t size = 0;
    std::size_t stored = 0;        // of `bytes`: all of the packet; or, if it is held, its headers
    std::vector<std::byte> bytes;  // only grows
    std::uint16_t checksum_start = 0;  // as in TxPacket; of what is held
    std::uint16_t checksum_offset = 0;
    std::vector<Slice> payload;  // what is held
  };
  Place& At(std::size_t i) { return places_[(first_ + i) & mask_]; }
  static void Store(Place& place, const TxPacket& packet, bool hold);
  static bool Own(Place& place);
  void MakeRoom();
  void DropFirst();

  std::vector<Place> places_;  // a ring
  std::size_t mask_ = 0;       // of the places, a power of two
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  bool refused_ = false;
};

}  // namespace estab::api
