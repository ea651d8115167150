// Two ways of taking frames from a packet socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "estab/packet.h"
#include "io/os_error.h"

namespace estab::io {

/// Reads a socket that gives each frame behind a VnetHeader. Not thread-safe.
class PacketReader {
 public:
  struct Batch {
    std::span<const RxPacket> packets;  // valid until the next Read
    bool drained = true;                // there was no more
    std::uint64_t spoilt = 0;           // frames that could not be taken whole
  };

  virtual ~PacketReader() = default;
  PacketReader(const PacketReader&) = delete;
  PacketReader& operator=(const PacketReader&) = delete;

  /// What is there, up to Device::kBatch frames.
  virtual Batch Read(LinkId link) = 0;

  /// By calls: the socket is readable as soon as one frame is there.
  static std::unique_ptr<PacketReader> OfCalls(int fd);
  /// From a ring of blocks (TPACKET_V3), which this attaches to the socket: it is readable when a
  /// block is full, or a millisecond old. kNoMemory, kPermission.
  static OsResult<std::unique_ptr<PacketReader>> OfBlocks(int fd);

 protected:
  PacketReader() = default;
};

}  // namespace estab::io
