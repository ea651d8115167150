// The wire between two stacks of one thread: a ring of fixed buffers, into which each packet is
// copied once, and from which the other side takes it.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>

#include "estab/packet.h"

namespace bench_engine {

/// One direction. Busy while kPackets are on it; nothing is allocated after its making.
class Wire final : public estab::PacketSink {
 public:
  static constexpr std::size_t kPackets = 32;
  static constexpr std::size_t kPacketSize = 2048;

  estab::SinkCapabilities Capabilities(estab::LinkId) const override { return {}; }

  estab::SinkResult Send(const estab::TxPacket& packet) override {
    if (count_ == kPackets) return estab::SinkResult::kBusy;
    std::byte* at = buffers_[count_].data();
    std::memcpy(at, packet.header.data(), packet.header.size());
    std::size_t size = packet.header.size();
    for (const estab::Slice& slice : packet.payload) {
      std::memcpy(at + size, slice.data, slice.size);
      size += slice.size;
    }
    packets_[count_++] = {.data = std::span<const std::byte>(at, size)};
    return estab::SinkResult::kSent;
  }

  /// What is on it, oldest first; valid until Clear.
  std::span<const estab::RxPacket> packets() const { return std::span(packets_).first(count_); }
  void Clear() { count_ = 0; }

 private:
  using Buffer = std::array<std::byte, kPacketSize>;
  std::unique_ptr<Buffer[]> buffers_ = std::make_unique<Buffer[]>(kPackets);
  std::array<estab::RxPacket, kPackets> packets_;
  std::size_t count_ = 0;
};

}  // namespace bench_engine
