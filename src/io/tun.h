// A TUN device: IP packets to and from the kernel through a file descriptor.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "estab/address.h"
#include "estab/packet.h"
#include "io/fd.h"
#include "io/os_error.h"

namespace estab::io {

/// One TUN device, non-blocking, without packet information headers. An existing device of the name
/// is attached to; otherwise one is made, and goes with this object. Move-only, not thread-safe.
class Tun {
 public:
  /// How many packets one ReadBatch takes at most.
  static constexpr std::size_t kBatch = 64;

  /// Opens `name` (1 to 15 characters). Errors: kNotFound (no /dev/net/tun), kPermission, kBusy
  /// (another program has it), kInvalid (the name, or a device of another kind).
  static OsResult<Tun> Open(std::string_view name);

  /// The descriptor to poll: POLLIN for packets, POLLOUT after a kBusy.
  int fd() const { return fd_.get(); }
  const std::string& name() const { return name_; }

  /// The device's MTU in bytes of IP packet, now.
  OsResult<std::uint32_t> Mtu() const;

  /// Reads up to kBatch packets, stamped with `link`; none if none is there (or the device is
  /// down). The spans are valid until the next ReadBatch.
  std::span<const RxPacket> ReadBatch(LinkId link);

  /// Writes one packet. kBusy when the device's queue is full: POLLOUT tells when to come back.
  /// What the device refuses for good (it is down, say) is counted and dropped, as a wire would.
  SinkResult Write(const TxPacket& packet);
  /// True from a kBusy until the next packet that was taken.
  bool wants_write() const { return wants_write_; }
  /// True once the device was removed while we had it: nothing will ever come or go again, and
  /// polling the descriptor would only spin.
  bool gone() const { return gone_; }
  /// Packets that the device refused.
  std::uint64_t dropped() const { return dropped_; }

  /// What BringUp sets.
  struct Setup {
    std::optional<std::uint32_t> mtu;
    std::vector<Prefix> kernel_addresses;  // the kernel's own addresses on this device
  };
  /// Sets what `setup` says through the kernel's interface ioctls and switches the device on. Needs
  /// CAP_NET_ADMIN in the network namespace.
  OsResult<void> BringUp(const Setup& setup);

 private:
  Tun(Fd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
  OsResult<void> PrepareBuffers();
  OsResult<void> AddAddress(const Prefix& prefix);

  Fd fd_;
  std::string name_;
  bool wants_write_ = false;
  bool gone_ = false;
  std::uint64_t dropped_ = 0;
  std::size_t stride_ = 0;
  std::unique_ptr<std::byte[]> buffers_;
  std::array<RxPacket, kBatch> packets_{};
  std::vector<std::byte> scratch_;  // for packets of more pieces than writev takes
};

}  // namespace estab::io
