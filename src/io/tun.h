// TUN and TAP devices: IP packets or Ethernet frames to and from the kernel through a file
// descriptor.
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
#include "io/device.h"
#include "io/fd.h"
#include "io/interface.h"
#include "io/os_error.h"
#include "io/pieces.h"

namespace estab::io {

struct TunOptions {
  /// Super-segments of up to 64 KiB both ways, and checksums left to the kernel both ways: what
  /// goes to the kernel's own sockets never needs one (IFF_VNET_HDR).
  bool offload = false;
  /// Ethernet frames (a TAP device), of a station of ours with an address made up anew.
  bool frames = false;
};

/// One queue of a TUN or TAP device, without packet information headers. An existing device of the
/// name is attached to; otherwise one is made, and goes with its last queue. Movable, not
/// thread-safe.
class Tun final : public Device {
 public:
  /// Opens `name` (1 to 15 characters). Errors: kNotFound (no /dev/net/tun), kPermission, kBusy
  /// (another program has it), kInvalid (the name, or a device of another kind).
  static OsResult<Tun> Open(std::string_view name, const TunOptions& options = {});
  /// Opens `count` queues of one device, for as many threads (IFF_MULTI_QUEUE): the kernel sends
  /// the packets of a connection to the queue that its last packet came from. A device that exists
  /// must have been made for that (kInvalid).
  static OsResult<std::vector<Tun>> OpenQueues(std::string_view name, std::size_t count,
                                               const TunOptions& options = {});

  std::string Describe() const override { return (station_ ? "tap:" : "tun:") + name_; }
  int fd() const override { return fd_.get(); }
  const std::string& name() const { return name_; }
  OsResult<std::uint32_t> Mtu() const override { return MtuOf(name_); }
  SinkCapabilities Capabilities() const override;
  std::span<const RxPacket> ReadBatch(LinkId link) override;
  std::optional<wire::MacAddress> Station() const override { return station_; }
  SinkResult Write(std::span<const std::byte> frame_header, const TxPacket& packet) override;
  SinkResult Write(const TxPacket& packet) { return Write({}, packet); }

  /// What BringUp sets.
  struct Setup {
    std::optional<std::uint32_t> mtu = {};
    std::vector<Prefix> kernel_addresses = {};  // the kernel's own addresses on this device
  };
  /// Sets what `setup` says through the kernel's interface ioctls and switches the device on. Needs
  /// CAP_NET_ADMIN in the network namespace.
  OsResult<void> BringUp(const Setup& setup);

 private:
  // Where packets are read to: one behind the other, so that small ones share the cache, in so much
  // memory that it stays there.
  static constexpr std::size_t kBufferSize = 256 * 1024;

  Tun(Fd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}
  static OsResult<Tun> OpenQueue(const std::string& name, const TunOptions& options, int flags);
  void PrepareOffload();
  bool PrepareBuffers();
  std::size_t Read(std::byte* at, RxPacket& packet);
  OsResult<void> AddAddress(const Prefix& prefix);

  Fd fd_;
  std::string name_;
  bool offload_ = false;
  std::optional<wire::MacAddress> station_;
  std::unique_ptr<std::byte[]> buffer_;
  std::array<RxPacket, kBatch> packets_{};
  Pieces pieces_;
};

}  // namespace estab::io
