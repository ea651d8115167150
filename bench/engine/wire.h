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

/// One direction. Busy while kPackets are on it; nothing is allocated after its making. With
/// offloads it is what a network card makes of a wire: checksums are its own matter, on both sides,
/// and a super-segment stays in one piece.
class Wire final : public estab::PacketSink {
 public:
  static constexpr std::size_t kPackets = 32;

  explicit Wire(bool offloads = false) : offloads_(offloads) {}

  estab::SinkCapabilities Capabilities(estab::LinkId) const override {
    if (!offloads_) return {};
    return {.checksum = true, .max_size = static_cast<std::uint32_t>(kSuperSegment)};
  }

  estab::SinkResult Send(const estab::TxPacket& packet) override {
    if (count_ == room_) return estab::SinkResult::kBusy;
    std::byte* at = buffers_.get() + count_ * packet_size();
    std::memcpy(at, packet.header.data(), packet.header.size());
    std::size_t size = packet.header.size();
    for (const estab::Slice& slice : packet.payload) {
      std::memcpy(at + size, slice.data, slice.size);
      size += slice.size;
    }
    packets_[count_++] = {.data = std::span<const std::byte>(at, size),
                          .checksum_ok = offloads_,
                          .gso_size = packet.gso_size};
    return estab::SinkResult::kSent;
  }

  /// What is on it, oldest first; valid until Clear.
  std::span<const estab::RxPacket> packets() const { return std::span(packets_).first(count_); }
  void Clear() { count_ = 0; }
  /// From now on it is busy with fewer of them.
  void set_room(std::size_t packets) { room_ = packets; }

 private:
  static constexpr std::size_t kPacket = 2048;
  static constexpr std::size_t kSuperSegment = 65535;
  std::size_t packet_size() const { return offloads_ ? kSuperSegment + 1 : kPacket; }

  bool offloads_;
  std::size_t room_ = kPackets;
  std::unique_ptr<std::byte[]> buffers_ = std::make_unique<std::byte[]>(kPackets * packet_size());
  std::array<estab::RxPacket, kPackets> packets_;
  std::size_t count_ = 0;
};

}  // namespace bench_engine
