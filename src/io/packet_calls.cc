// Frames by recvmmsg.
#include <errno.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "io/packet_reader.h"
#include "io/vnet.h"
#include "wire/ethernet.h"

namespace estab::io {
namespace {

// As many as stay in the cache if they are all super-segments.
constexpr std::size_t kSlots = 16;
constexpr std::size_t kLead = sizeof(VnetHeader) + wire::kEthernetHeaderSize;
constexpr std::size_t kLongest = kLead + kLongestPacket;
// An odd number of cache lines, so that the headers do not all compete for one set.
constexpr std::size_t kLine = 64;
constexpr std::size_t kSlotSize = ((kLongest / kLine + 1) | 1) * kLine;

class Calls final : public PacketReader {
 public:
  explicit Calls(int fd)
      : fd_(fd), buffer_(std::make_unique_for_overwrite<std::byte[]>(kSlots * kSlotSize)) {
    for (std::size_t i = 0; i < kSlots; ++i) {
      pieces_[i] = {buffer_.get() + i * kSlotSize, kLongest};
      messages_[i] = {};
      messages_[i].msg_hdr.msg_iov = &pieces_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  Batch Read(LinkId link) override {
    Batch batch;
    int n = 0;
    do {
      n = recvmmsg(fd_, messages_.data(), kSlots, 0, nullptr);
    } while (n < 0 && errno == EINTR);
    // EINVAL: a frame that the header has no words for, of a tunnel's super-segment, say.
    if (n < 0 && errno == EINVAL) ++batch.spoilt;
    const auto found = static_cast<std::size_t>(std::max(n, 0));
    std::size_t count = 0;
    for (std::size_t i = 0; i < found; ++i) {
      if (Take(i, link, packets_[count])) ++count;
    }
    batch.packets = std::span(packets_).first(count);
    batch.spoilt += found - count;
    batch.drained = found < kSlots && batch.spoilt == 0;
    return batch;
  }

 private:
  bool Take(std::size_t slot, LinkId link, RxPacket& packet) {
    const mmsghdr& message = messages_[slot];
    if (message.msg_len < kLead || (message.msg_hdr.msg_flags & MSG_TRUNC) != 0) return false;
    const std::byte* at = buffer_.get() + slot * kSlotSize;
    packet = RxPacket{};
    packet.data = {at + sizeof(VnetHeader), message.msg_len - sizeof(VnetHeader)};
    packet.link = link;
    VnetHeader header;
    std::memcpy(&header, at, sizeof(header));
    TakeVnetHeader(header, packet);
    return true;
  }

  int fd_;
  std::unique_ptr<std::byte[]> buffer_;
  std::array<iovec, kSlots> pieces_;
  std::array<mmsghdr, kSlots> messages_;
  std::array<RxPacket, kSlots> packets_;
};

}  // namespace

std::unique_ptr<PacketReader> PacketReader::OfCalls(int fd) { return std::make_unique<Calls>(fd); }

}  // namespace estab::io
