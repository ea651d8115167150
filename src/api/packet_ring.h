// Packets on their way from one thread to another.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "estab/packet.h"

namespace estab::api {

/// A bounded queue of copies of packets between one thread that writes and one that reads, without
/// a lock. Neither waits for the other: what finds no room is refused.
class PacketRing {
 public:
  /// Bytes, of packets and 16 for each. A few of the longest packets.
  static constexpr std::size_t kSize = std::size_t{256} * 1024;

  PacketRing() : bytes_(std::make_unique_for_overwrite<Bytes>()) {}
  PacketRing(const PacketRing&) = delete;
  PacketRing& operator=(const PacketRing&) = delete;

  /// The writer's: adds a copy. False: no room.
  bool Push(const RxPacket& packet);

  /// The reader's: fills `room` with the oldest packets and returns the part filled. They stay, and
  /// the data they point to is valid, until Pop.
  std::span<const RxPacket> Peek(std::span<RxPacket> room);
  /// The reader's: drops what the last Peek returned.
  void Pop() { read_.store(peeked_, std::memory_order_release); }

 private:
  static constexpr std::size_t kAlign = 16;
  struct alignas(kAlign) Bytes : std::array<std::byte, kSize> {};
  struct Header {
    std::uint32_t size;  // kSkip: the next packet is at the beginning of the ring
    LinkId link;
    std::uint16_t gso_size;
    bool checksum_ok;
  };
  static_assert(sizeof(Header) <= kAlign);
  static constexpr std::uint32_t kSkip = UINT32_MAX;
  static constexpr std::size_t RoundUp(std::size_t n) { return (n + kAlign - 1) & ~(kAlign - 1); }
  void Store(std::size_t at, const Header& header);

  std::unique_ptr<Bytes> bytes_;
  // Counts of bytes since the beginning, each with what only its own side looks at, in a cache line
  // of its own.
  static constexpr std::size_t kLine = 64;
  alignas(kLine) std::atomic<std::size_t> written_{0};
  std::size_t read_seen_ = 0;
  alignas(kLine) std::atomic<std::size_t> read_{0};
  std::size_t peeked_ = 0;
};

}  // namespace estab::api
