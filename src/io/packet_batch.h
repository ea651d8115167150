// Small frames on their way out together.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "estab/packet.h"

namespace estab::io {

/// Keeps copies of frames, each behind its VnetHeader, until one call sends them all. Not
/// thread-safe.
class PacketBatch {
 public:
  /// What is larger had better be sent at once: copying it would cost more than a call.
  static constexpr std::size_t kLargest = 512;

  PacketBatch();
  PacketBatch(const PacketBatch&) = delete;
  PacketBatch& operator=(const PacketBatch&) = delete;
  bool empty() const { return first_ == count_; }
  bool full() const { return count_ == kFrames; }
  /// Copies a frame of up to kLargest bytes; the batch is not full.
  void Add(std::span<const std::byte> frame_header, const TxPacket& packet);
  /// Sends what there is, in order. What the device refuses for good is left out and counted in
  /// `refused`. True unless the socket is full.
  bool Send(int fd, std::uint64_t& refused);

 private:
  static constexpr std::size_t kFrames = 64;
  static constexpr std::size_t kSlotSize = kLargest + 64;

  std::unique_ptr<std::byte[]> buffer_;
  std::array<iovec, kFrames> pieces_;
  std::array<mmsghdr, kFrames> messages_;
  std::size_t first_ = 0;  // not yet sent
  std::size_t count_ = 0;
};

}  // namespace estab::io
