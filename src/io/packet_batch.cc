#include "io/packet_batch.h"

#include <errno.h>

#include <cstring>

#include "io/vnet.h"

namespace estab::io {

PacketBatch::PacketBatch()
    : buffer_(std::make_unique_for_overwrite<std::byte[]>(kFrames * kSlotSize)) {
  for (std::size_t i = 0; i < kFrames; ++i) {
    pieces_[i] = {buffer_.get() + i * kSlotSize, 0};
    messages_[i] = {};
    messages_[i].msg_hdr.msg_iov = &pieces_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
  }
}

void PacketBatch::Add(std::span<const std::byte> frame_header, const TxPacket& packet) {
  iovec& piece = pieces_[count_++];
  auto* const start = static_cast<std::byte*>(piece.iov_base);
  std::byte* at = start;
  const auto put = [&at](const void* data, std::size_t size) {
    std::memcpy(at, data, size);
    at += size;
  };
  const VnetHeader vnet = VnetHeaderOf(packet, frame_header.size());
  put(&vnet, sizeof(vnet));
  put(frame_header.data(), frame_header.size());
  put(packet.header.data(), packet.header.size());
  for (const Slice& slice : packet.payload) put(slice.data, slice.size);
  piece.iov_len = static_cast<std::size_t>(at - start);
}

bool PacketBatch::Send(int fd, std::uint64_t& refused) {
  while (first_ < count_) {
    const int n =
        sendmmsg(fd, &messages_[first_], static_cast<unsigned>(count_ - first_), MSG_DONTWAIT);
    if (n > 0) {
      first_ += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN) {
      return false;
    } else if (errno != EINTR) {
      ++first_;
      ++refused;
    }
  }
  first_ = count_ = 0;
  return true;
}

}  // namespace estab::io
