// AF_PACKET: the Ethernet frames of a network device of the kernel's, beside the kernel's own
// stack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "io/device.h"
#include "io/device_watch.h"
#include "io/fd.h"
#include "io/interface.h"
#include "io/link_spec.h"
#include "io/packet_batch.h"
#include "io/packet_reader.h"
#include "io/pieces.h"

namespace estab::io {

/// A packet socket on one device. It shares the device's Ethernet address with the kernel, so the
/// IP addresses that estab has there must not be the kernel's (or that would answer, too), and the
/// kernel must not forward there (or it would send on what is for estab). Checksums and the cutting
/// of super-segments are left to the other end both ways, as over TUN (PACKET_VNET_HDR). Frames
/// with a VLAN's tag are not seen. Movable, not thread-safe.
class AfPacket final : public Device {
 public:
  /// Opens the Ethernet device `name`. kNotFound, kPermission (CAP_NET_RAW), kInvalid (no
  /// Ethernet), kNoMemory. A device that is down is taken: packets come once it is up.
  static OsResult<AfPacket> Open(std::string_view name, const PacketOptions& options = {});

  std::string Describe() const override { return "packet:" + device_.name; }
  int fd() const override { return fd_.get(); }
  int trouble_fd() const override { return watch_.fd(); }
  OsResult<std::uint32_t> Mtu() const override { return MtuOf(device_.name); }
  SinkCapabilities Capabilities() const override;
  std::optional<wire::MacAddress> Station() const override { return device_.station; }
  std::span<const RxPacket> ReadBatch(LinkId link) override;
  SinkResult Write(std::span<const std::byte> frame_header, const TxPacket& packet) override;
  void Flush() override;
  OsResult<void> SetBusyPoll(bool on) override {
    busy_poll_ = on;
    return {};
  }

 private:
  AfPacket(Fd fd, Interface device) : fd_(std::move(fd)), device_(std::move(device)) {}
  OsResult<void> Prepare(const PacketOptions& options);
  void LookForTrouble();

  Fd fd_;
  DeviceWatch watch_;
  bool busy_poll_ = false;
  std::uint32_t idle_reads_ = 0;
  Interface device_;
  std::unique_ptr<PacketReader> reader_;
  std::unique_ptr<PacketBatch> batch_ = std::make_unique<PacketBatch>();
  Pieces pieces_;
};

}  // namespace estab::io
