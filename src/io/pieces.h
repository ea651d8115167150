// A packet as the pieces of memory that writev and sendmsg take.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "estab/packet.h"
#include "io/vnet.h"

namespace estab::io {

class Pieces {
 public:
  /// The packet with `frame_header` before it, and `vnet` before that unless it is nullptr. Valid
  /// until the next call, and as long as what was given.
  std::span<iovec> Of(const VnetHeader* vnet, std::span<const std::byte> frame_header,
                      const TxPacket& packet);

 private:
  static constexpr std::size_t kMost = 64;
  void Add(const std::byte* data, std::size_t size) {
    pieces_[count_++] = {const_cast<std::byte*>(data), size};
  }

  std::array<iovec, kMost> pieces_;
  std::size_t count_ = 0;
  std::vector<std::byte> scratch_;  // for packets of more pieces than that
};

}  // namespace estab::io
