// Frames from a ring of blocks that the kernel shares with us (TPACKET_V3; the kernel's
// Documentation/networking/packet_mmap.rst).
#include <errno.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstring>

#include "io/device.h"
#include "io/mapping.h"
#include "io/packet_reader.h"
#include "io/packet_socket.h"
#include "io/vnet.h"
#include "wire/ethernet.h"

namespace estab::io {
namespace {

constexpr std::uint32_t kBlockSize = 256 * 1024;  // three super-segments, or some 160 full frames
constexpr std::uint32_t kBlocks = 32;
constexpr std::uint32_t kFrameSize = 2048;  // only counted with: frames lie one behind the other
// The shortest time there is. It is what one frame alone waits for.
constexpr std::uint32_t kRetireMs = 1;

OsError Refused(const char* what) {
  const int os_errno = errno;
  return {FromErrno(os_errno), os_errno,
          std::string("cannot ") + what + ": " + std::strerror(os_errno)};
}

class Blocks final : public PacketReader {
 public:
  Blocks(int fd, Mapping ring) : fd_(fd), ring_(std::move(ring)) {}

  Batch Read(LinkId link) override {
    Batch batch;
    if (left_ == 0) NextBlock();
    std::size_t count = 0;
    for (; left_ > 0 && count < packets_.size(); --left_) {
      tpacket3_hdr header;
      std::memcpy(&header, at_, sizeof(header));
      if (Take(header, link, packets_[count])) {
        ++count;
      } else {
        ++batch.spoilt;
      }
      at_ += header.tp_next_offset;
    }
    batch.packets = std::span(packets_).first(count);
    batch.drained = count == 0 && batch.spoilt == 0;
    // When the device goes down the socket fails once, and is readable until that is taken.
    if (batch.drained) TakeFailure(fd_);
    return batch;
  }

 private:
  std::byte* Block(std::uint32_t index) const {
    return ring_.data() + std::size_t{index} * kBlockSize;
  }
  std::atomic_ref<std::uint32_t> StatusOf(std::uint32_t index) const {
    auto* block = reinterpret_cast<tpacket_block_desc*>(Block(index));
    return std::atomic_ref<std::uint32_t>(block->hdr.bh1.block_status);
  }

  // Gives back the block that has been read, and takes the next one if it is there.
  void NextBlock() {
    if (held_) {
      StatusOf(index_).store(TP_STATUS_KERNEL, std::memory_order_release);
      index_ = (index_ + 1) % kBlocks;
      held_ = false;
    }
    if ((StatusOf(index_).load(std::memory_order_acquire) & TP_STATUS_USER) == 0) return;
    held_ = true;
    tpacket_block_desc block;
    std::memcpy(&block, Block(index_), sizeof(block));
    left_ = block.hdr.bh1.num_pkts;
    at_ = Block(index_) + block.hdr.bh1.offset_to_first_pkt;
  }

  bool Take(const tpacket3_hdr& header, LinkId link, RxPacket& packet) const {
    if (header.tp_snaplen < header.tp_len || header.tp_snaplen < wire::kEthernetHeaderSize) {
      return false;
    }
    const std::byte* frame = at_ + header.tp_mac;
    packet = RxPacket{};
    packet.data = {frame, header.tp_snaplen};
    packet.link = link;
    VnetHeader vnet;
    std::memcpy(&vnet, frame - sizeof(vnet), sizeof(vnet));
    TakeVnetHeader(vnet, packet);
    return true;
  }

  int fd_;
  Mapping ring_;
  std::uint32_t index_ = 0;        // the block that is read, or comes next
  bool held_ = false;              // it is ours
  std::uint32_t left_ = 0;         // frames in it
  const std::byte* at_ = nullptr;  // the first of those
  std::array<RxPacket, Device::kBatch> packets_;
};

}  // namespace

OsResult<std::unique_ptr<PacketReader>> PacketReader::OfBlocks(int fd) {
  const int version = TPACKET_V3;
  if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) != 0) {
    return std::unexpected(Refused("have TPACKET_V3"));
  }
  tpacket_req3 request{};
  request.tp_block_size = kBlockSize;
  request.tp_block_nr = kBlocks;
  request.tp_frame_size = kFrameSize;
  request.tp_frame_nr = kBlockSize / kFrameSize * kBlocks;
  request.tp_retire_blk_tov = kRetireMs;
  if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) != 0) {
    return std::unexpected(Refused("have a ring of blocks"));
  }
  Mapping ring(std::size_t{kBlockSize} * kBlocks, MAP_SHARED, fd);
  if (!ring.valid()) return std::unexpected(Refused("map the ring of blocks"));
  return std::make_unique<Blocks>(fd, std::move(ring));
}

}  // namespace estab::io
