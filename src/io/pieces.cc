#include "io/pieces.h"

namespace estab::io {

std::span<iovec> Pieces::Of(const VnetHeader* vnet, std::span<const std::byte> frame_header,
                            const TxPacket& packet) {
  constexpr std::size_t kHeaders = 3;
  count_ = 0;
  if (vnet != nullptr) Add(reinterpret_cast<const std::byte*>(vnet), sizeof(*vnet));
  if (!frame_header.empty()) Add(frame_header.data(), frame_header.size());
  Add(packet.header.data(), packet.header.size());
  if (packet.payload.size() + kHeaders <= kMost) {
    for (const Slice& slice : packet.payload) Add(slice.data, slice.size);
    return std::span(pieces_).first(count_);
  }
  scratch_.clear();
  for (const Slice& slice : packet.payload) {
    scratch_.insert(scratch_.end(), slice.data, slice.data + slice.size);
  }
  Add(scratch_.data(), scratch_.size());
  return std::span(pieces_).first(count_);
}

}  // namespace estab::io
