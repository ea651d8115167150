// AF_XDP: the Ethernet frames of one queue of a network device, past the kernel's stack.
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

#include "io/device.h"
#include "io/device_watch.h"
#include "io/interface.h"
#include "io/link_spec.h"
#include "io/mapping.h"
#include "io/xdp_library.h"
#include "io/xdp_program.h"

namespace estab::io {

/// All frames that come by one queue of a device are estab's, and the kernel sees none of them. It
/// uses the device's own Ethernet address. Checksums are the engine's both ways, and a frame is one
/// packet: a device whose other end merges packets (a veth's) must be told not to, see
/// estab/estab.h. Movable, not thread-safe.
class AfXdp final : public Device {
 public:
  /// Opens a queue of the Ethernet device `name`. What `options` leaves open is taken as well as it
  /// can be had: native before generic, without copies before with them. kNotFound (no such device,
  /// or no libxdp), kPermission, kBusy (another program has it), kInvalid (no Ethernet, an MTU of
  /// more than a frame holds, or the device cannot do what is asked for).
  static OsResult<AfXdp> Open(std::string_view name, const XdpOptions& options = {});
  ~AfXdp() override;
  AfXdp(AfXdp&&) noexcept = default;
  AfXdp& operator=(AfXdp&&) noexcept = default;

  /// "xdp:eth0 (native, zero-copy, queue 0)": what was got.
  std::string Describe() const override;
  int fd() const override { return fd_; }
  int trouble_fd() const override { return watch_.fd(); }
  OsResult<std::uint32_t> Mtu() const override { return MtuOf(device_.name); }
  SinkCapabilities Capabilities() const override { return {}; }
  std::optional<wire::MacAddress> Station() const override { return device_.station; }
  std::span<const RxPacket> ReadBatch(LinkId link) override;
  SinkResult Write(std::span<const std::byte> frame_header, const TxPacket& packet) override;
  void Flush() override;
  OsResult<void> SetBusyPoll(bool on) override;

 private:
  /// What libxdp made; it keeps pointers to the rings.
  struct Socket {
    explicit Socket(const XdpLibrary& functions) : library(&functions) {}
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    ~Socket();
    const XdpLibrary* library;
    xsk_umem* umem = nullptr;
    xsk_socket* socket = nullptr;
    xsk_ring_prod fill{};  // empty frames, to the kernel
    xsk_ring_cons rx{};    // full ones, from it
    xsk_ring_prod tx{};    // full ones, to it
    xsk_ring_cons done{};  // those it has sent
  };

  AfXdp(const XdpLibrary& library, Interface device);
  static OsResult<AfXdp> OpenWhenFree(const XdpLibrary& library, const Interface& device,
                                      bool native, bool copy, std::uint32_t queue);
  static OsResult<AfXdp> OpenAs(const XdpLibrary& library, const Interface& device, bool native,
                                bool copy, std::uint32_t queue);
  OsResult<void> MakeSocket(bool copy, std::uint32_t queue);
  void FillAll();
  void GiveBack();
  void TakeDone();
  void LookForTrouble();
  void Kick();
  std::byte* At(std::uint64_t address) const { return frames_.data() + address; }

  Interface device_;
  Mapping frames_;
  std::unique_ptr<Socket> socket_;
  std::optional<XdpProgram> program_;
  Fd groups_;  // a packet socket that gets nothing: as long as it is open all multicast comes
  DeviceWatch watch_;
  int fd_ = -1;
  bool native_ = false;
  bool copy_ = false;
  bool busy_poll_ = false;
  bool checks_left_ = false;  // to us: the other end may leave its checksums unfinished
  std::uint32_t queue_ = 0;
  std::uint32_t frame_size_ = 0;
  std::uint32_t idle_reads_ = 0;
  std::vector<std::uint64_t> free_;  // frames to send in
  std::uint32_t written_ = 0;        // of the ring tx, not yet shown to the kernel
  std::array<RxPacket, kBatch> packets_{};
  std::array<std::uint64_t, kBatch> read_{};  // the frames in which those are
  std::size_t read_count_ = 0;
};

}  // namespace estab::io
