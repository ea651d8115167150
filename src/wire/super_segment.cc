#include "wire/super_segment.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/ip.h"
#include "wire/tcp.h"

namespace estab::wire {
namespace {

std::size_t TcpSizeOf(std::span<const std::byte> tcp) {
  return std::to_integer<std::size_t>(tcp[12]) / 16 * 4;
}

std::size_t IpSizeOf(std::span<const std::byte> packet) {
  const auto first = std::to_integer<std::size_t>(packet[0]);
  return first >> 4 == 4 ? (first & 15) * 4 : kIpv6HeaderSize;
}

}  // namespace

SuperSegmentCutter::SuperSegmentCutter(std::span<const std::byte> packet, std::uint16_t gso_size)
    : v4_(std::to_integer<unsigned>(packet[0]) >> 4 == 4), ip_size_(IpSizeOf(packet)) {
  const std::size_t headers = ip_size_ + TcpSizeOf(packet.subspan(ip_size_));
  header_ = packet.first(headers);
  payload_ = packet.subspan(headers);
  piece_ = gso_size == 0 ? payload_.size() : gso_size;
  count_ = piece_ == 0 ? 1 : (payload_.size() + piece_ - 1) / piece_;
}

std::size_t SuperSegmentCutter::Next(std::span<std::byte> out) {
  const std::size_t at = next_ * piece_;
  const std::size_t size = std::min(piece_, payload_.size() - at);
  std::memcpy(out.data(), header_.data(), header_.size());
  if (size != 0) std::memcpy(out.data() + header_.size(), payload_.data() + at, size);
  const std::span<std::byte> segment = out.first(header_.size() + size);
  FinishIp(segment);
  FinishTcp(segment.subspan(ip_size_));
  Checksum checksum;
  const std::size_t addresses = v4_ ? 12 : 8;
  const std::size_t length = segment.size() - ip_size_;
  checksum.Add(segment.subspan(addresses, v4_ ? 8 : 32));
  const std::byte tail[4] = {std::byte{0}, std::byte{static_cast<std::uint8_t>(Protocol::kTcp)},
                             static_cast<std::byte>(length >> 8), static_cast<std::byte>(length)};
  checksum.Add(tail);
  checksum.Add(segment.subspan(ip_size_));
  StoreTcpChecksum(segment.subspan(ip_size_), checksum.Finish());
  ++next_;
  return segment.size();
}

void SuperSegmentCutter::FinishIp(std::span<std::byte> segment) const {
  if (!v4_) {
    Store16(&segment[4], static_cast<std::uint16_t>(segment.size() - ip_size_));
    return;
  }
  Store16(&segment[2], static_cast<std::uint16_t>(segment.size()));
  const bool dont_fragment = (std::to_integer<unsigned>(segment[6]) & 0x40) != 0;
  if (!dont_fragment) {
    Store16(&segment[4], static_cast<std::uint16_t>(Load16(&segment[4]) + next_));
  }
  Store16(&segment[10], 0);
  Checksum checksum;
  checksum.Add(segment.first(ip_size_));
  Store16(&segment[10], checksum.Finish());
}

void SuperSegmentCutter::FinishTcp(std::span<std::byte> tcp) const {
  unsigned flags = Load16(&tcp[12]);
  if (next_ + 1 != count_) flags &= ~unsigned{kPsh | kFin};
  if (next_ != 0) flags &= ~unsigned{kCwr};
  RenumberTcp(tcp, Load32(&tcp[4]) + static_cast<std::uint32_t>(next_ * piece_),
              static_cast<std::uint16_t>(flags));
}

}  // namespace estab::wire
