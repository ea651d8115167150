#include "io/af_packet.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "io/packet_socket.h"
#include "io/vnet.h"

namespace estab::io {
namespace {

constexpr int kBufferSize = 8 * 1024 * 1024;

std::unexpected<OsError> Failed(const std::string& device, const char* what) {
  const int os_errno = errno;
  return std::unexpected(
      OsError{FromErrno(os_errno), os_errno,
              std::string("cannot ") + what + " of " + device + ": " + std::strerror(os_errno)});
}

// Of what passes the device only IP and ARP, and no frame whose VLAN tag the kernel has put aside:
// it would look as if it had none.
bool AttachFilter(int fd) {
  constexpr auto kVlan = static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT);
  constexpr std::uint32_t kTypeAt = 12;
  constexpr std::uint32_t kWhole = 0x40000;
  std::array<sock_filter, 8> code{{{BPF_LD | BPF_B | BPF_ABS, 0, 0, kVlan},
                                   {BPF_JMP | BPF_JEQ | BPF_K, 0, 5, 0},
                                   {BPF_LD | BPF_H | BPF_ABS, 0, 0, kTypeAt},
                                   {BPF_JMP | BPF_JEQ | BPF_K, 2, 0, ETH_P_IP},
                                   {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ETH_P_IPV6},
                                   {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, ETH_P_ARP},
                                   {BPF_RET | BPF_K, 0, 0, kWhole},
                                   {BPF_RET | BPF_K, 0, 0, 0}}};
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

bool SwitchOn(int fd, int option) {
  const int on = 1;
  return setsockopt(fd, SOL_PACKET, option, &on, sizeof(on)) == 0;
}

// As much as there may be: a burst of super-segments is soon some megabytes.
void WidenBuffers(int fd) {
  for (const auto& [forced, asked] :
       {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, std::pair{SO_SNDBUFFORCE, SO_SNDBUF}}) {
    if (setsockopt(fd, SOL_SOCKET, forced, &kBufferSize, sizeof(kBufferSize)) == 0) continue;
    (void)setsockopt(fd, SOL_SOCKET, asked, &kBufferSize, sizeof(kBufferSize));
  }
}

}  // namespace

OsResult<AfPacket> AfPacket::Open(std::string_view name, const PacketOptions& options) {
  auto device = FindEthernet(name);
  if (!device) return std::unexpected(device.error());
  auto fd = OpenPacketSocket();
  if (!fd) return std::unexpected(fd.error());
  AfPacket link(std::move(*fd), std::move(*device));
  if (auto ready = link.Prepare(options); !ready) return std::unexpected(ready.error());
  return link;
}

// Bound last: nothing comes before everything is as it should be.
OsResult<void> AfPacket::Prepare(const PacketOptions& options) {
  if (!AttachFilter(fd_.get())) return Failed(device_.name, "filter the frames");
  if (!SwitchOn(fd_.get(), PACKET_IGNORE_OUTGOING)) {
    return Failed(device_.name, "ignore what leaves");
  }
  if (!SwitchOn(fd_.get(), PACKET_VNET_HDR)) return Failed(device_.name, "have the offloads");
  WidenBuffers(fd_.get());
  if (options.blocks) {
    auto blocks = PacketReader::OfBlocks(fd_.get());
    if (!blocks) return std::unexpected(blocks.error());
    reader_ = std::move(*blocks);
  } else {
    reader_ = PacketReader::OfCalls(fd_.get());
  }
  auto watch = DeviceWatch::Open(device_.index);
  if (!watch) return std::unexpected(watch.error());
  watch_ = std::move(*watch);
  return BindPacketSocket(fd_, device_, ETH_P_ALL);
}

SinkCapabilities AfPacket::Capabilities() const {
  return {.checksum = true, .max_size = kLongestPacket};
}

std::span<const RxPacket> AfPacket::ReadBatch(LinkId link) {
  const PacketReader::Batch batch = reader_->Read(link);
  drained_ = batch.drained;
  dropped_ += batch.spoilt;
  if (batch.drained && batch.packets.empty()) LookForTrouble();
  return batch.packets;
}

// Asking costs a call: who looks all the time asks seldom.
void AfPacket::LookForTrouble() {
  constexpr std::uint32_t kSeldom = 4096;
  if (busy_poll_ && ++idle_reads_ % kSeldom != 0) return;
  gone_ = gone_ || watch_.Gone();
}

SinkResult AfPacket::Write(std::span<const std::byte> frame_header, const TxPacket& packet) {
  const bool small = frame_header.size() + packet.size() <= PacketBatch::kLargest;
  if (!small || batch_->full() || wants_write_) {
    wants_write_ = !batch_->Send(fd_.get(), dropped_);
    if (wants_write_) return SinkResult::kBusy;
  }
  if (small) {
    batch_->Add(frame_header, packet);
    return SinkResult::kSent;
  }
  const VnetHeader vnet = VnetHeaderOf(packet, frame_header.size());
  const auto pieces = pieces_.Of(&vnet, frame_header, packet);
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  ssize_t n = 0;
  do {
    n = sendmsg(fd_.get(), &message, MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) {
    wants_write_ = true;
    return SinkResult::kBusy;
  }
  if (n < 0) ++dropped_;
  return SinkResult::kSent;
}

void AfPacket::Flush() {
  if (!batch_->empty()) wants_write_ = !batch_->Send(fd_.get(), dropped_);
}

}  // namespace estab::io
