// What a link of the operating system is to whoever drives a stack over it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "estab/packet.h"
#include "io/os_error.h"
#include "wire/ethernet.h"

namespace estab::io {

/// A device that packets come from and go to, non-blocking. Not thread-safe.
class Device {
 public:
  /// How many packets one ReadBatch takes at most.
  static constexpr std::size_t kBatch = 64;

  virtual ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  /// "tun:estab0", for messages.
  virtual std::string Describe() const = 0;
  /// The descriptor to poll: POLLIN for packets, POLLOUT after a kBusy.
  virtual int fd() const = 0;
  /// Another one to poll, with the same consequence, for a device whose removal the first does not
  /// tell; -1: there is none.
  virtual int trouble_fd() const { return -1; }
  /// The device's MTU in bytes of IP packet, now.
  virtual OsResult<std::uint32_t> Mtu() const = 0;
  /// What Write can do. Never changes.
  virtual SinkCapabilities Capabilities() const = 0;
  /// Our station on an Ethernet: what is read and written are frames then. Nothing: IP packets.
  virtual std::optional<wire::MacAddress> Station() const { return std::nullopt; }

  /// Reads up to kBatch packets, stamped with `link`; none if none is there (or the device is
  /// down). The spans are valid until the next ReadBatch.
  virtual std::span<const RxPacket> ReadBatch(LinkId link) = 0;
  /// Writes one packet, with the header of its frame before it if there are frames. kBusy when the
  /// device's queue is full: POLLOUT tells when to come back. What the device refuses for good (it
  /// is down, say) is counted and dropped, as a wire would.
  virtual SinkResult Write(std::span<const std::byte> frame_header, const TxPacket& packet) = 0;
  /// Sends what Write has kept, to send it together. To be called whenever nothing more is to be
  /// written for now, and again when a device that was full has room.
  virtual void Flush() {}
  /// Says whether a loop looks at the device over and over instead of sleeping.
  virtual OsResult<void> SetBusyPoll(bool /*on*/) { return {}; }

  /// Whether the last ReadBatch found nothing more to read; else there may be more at once.
  bool drained() const { return drained_; }
  /// True from a kBusy, or a Flush that could not send it all, until the next packet that was
  /// taken.
  bool wants_write() const { return wants_write_; }
  /// True once the device was removed while we had it: nothing will ever come or go again, and
  /// polling the descriptor would only spin.
  bool gone() const { return gone_; }
  /// Packets that the device refused.
  std::uint64_t dropped() const { return dropped_; }

 protected:
  Device() = default;
  Device(Device&&) = default;
  Device& operator=(Device&&) = default;

  bool drained_ = true;
  bool wants_write_ = false;
  bool gone_ = false;
  std::uint64_t dropped_ = 0;
};

}  // namespace estab::io
