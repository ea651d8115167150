#include "api/packet_ring.h"

#include <cstring>

namespace estab::api {

void PacketRing::Store(std::size_t at, const Header& header) {
  std::memcpy(bytes_->data() + at, &header, sizeof(header));
}

bool PacketRing::Push(const RxPacket& packet) {
  const std::size_t needed = kAlign + RoundUp(packet.data.size());
  const std::size_t written = written_.load(std::memory_order_relaxed);
  std::size_t at = written % kSize;
  // A packet lies in one piece.
  const std::size_t skipped = kSize - at < needed ? kSize - at : 0;
  const auto has_room = [&] { return kSize - (written - read_seen_) >= skipped + needed; };
  if (!has_room()) {
    read_seen_ = read_.load(std::memory_order_acquire);
    if (!has_room()) return false;
  }
  if (skipped != 0) {
    Store(at, {kSkip, 0, 0, false});
    at = 0;
  }
  const auto size = static_cast<std::uint32_t>(packet.data.size());
  Store(at, {size, packet.link, packet.gso_size, packet.checksum_ok});
  if (size != 0) std::memcpy(bytes_->data() + at + kAlign, packet.data.data(), size);
  written_.store(written + skipped + needed, std::memory_order_release);
  return true;
}

std::span<const RxPacket> PacketRing::Peek(std::span<RxPacket> room) {
  const std::size_t written = written_.load(std::memory_order_acquire);
  std::size_t next = read_.load(std::memory_order_relaxed);
  std::size_t count = 0;
  while (next != written && count < room.size()) {
    const std::byte* at = bytes_->data() + next % kSize;
    Header header;
    std::memcpy(&header, at, sizeof(header));
    if (header.size == kSkip) {
      next += kSize - next % kSize;
      continue;
    }
    RxPacket& packet = room[count++];
    packet = RxPacket{};
    packet.data = {at + kAlign, header.size};
    packet.link = header.link;
    packet.checksum_ok = header.checksum_ok;
    packet.gso_size = header.gso_size;
    next += kAlign + RoundUp(header.size);
  }
  peeked_ = next;
  return room.first(count);
}

}  // namespace estab::api
