#include "wire/fragment.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "wire/checksum.h"
#include "wire/extension.h"
#include "wire/ip.h"

namespace estab::wire {

Fragmenter::Fragmenter(std::span<const std::byte> packet, std::size_t mtu,
                       std::uint32_t identification)
    : mtu_(mtu), identification_(identification) {
  const unsigned first = std::to_integer<unsigned>(packet[0]);
  v4_ = first >> 4 == 4;
  const std::size_t size = v4_ ? std::size_t{4} * (first & 0x0fu) : kIpv6HeaderSize;
  header_ = packet.first(size);
  payload_ = packet.subspan(size);
  ESTAB_CHECK(RoomBehind(header_size()) >= 8);
}

std::size_t Fragmenter::header_size() const {
  if (!v4_) return kIpv6HeaderSize + kFragmentHeaderSize;
  return offset_ == 0 ? header_.size() : kIpv4HeaderSize;
}

// All fragments but the last carry a multiple of 8 bytes.
std::size_t Fragmenter::RoomBehind(std::size_t header_size) const {
  return (mtu_ - header_size) / 8 * 8;
}

std::size_t Fragmenter::count() const {
  const std::size_t rest_header = v4_ ? kIpv4HeaderSize : header_size();
  const std::size_t first = RoomBehind(v4_ ? header_.size() : header_size());
  if (payload_.size() <= first) return 1;
  const std::size_t others = RoomBehind(rest_header);
  return 1 + (payload_.size() - first + others - 1) / others;
}

std::size_t Fragmenter::Next(std::span<std::byte> out) {
  const std::size_t header_bytes = header_size();
  const std::size_t left = payload_.size() - offset_;
  const std::size_t size = std::min(left, RoomBehind(header_bytes));
  const bool more = size != left;
  if (v4_) {
    constexpr std::uint16_t kMoreFragments = 0x2000;
    std::ranges::copy(header_.first(header_bytes), out.begin());
    out[0] = static_cast<std::byte>(0x40 | header_bytes / 4);
    Store16(&out[2], static_cast<std::uint16_t>(header_bytes + size));
    Store16(&out[4], static_cast<std::uint16_t>(identification_));
    Store16(&out[6], static_cast<std::uint16_t>(offset_ / 8 | (more ? kMoreFragments : 0u)));
    Store16(&out[10], 0);
    Checksum checksum;
    checksum.Add(out.first(header_bytes));
    Store16(&out[10], checksum.Finish());
  } else {
    std::ranges::copy(header_, out.begin());
    Store16(&out[4], static_cast<std::uint16_t>(kFragmentHeaderSize + size));
    const std::span<std::byte> fragment = out.subspan(kIpv6HeaderSize, kFragmentHeaderSize);
    fragment[0] = out[6];
    fragment[1] = std::byte{0};
    out[6] = std::byte{kFragment};
    Store16(&fragment[2], static_cast<std::uint16_t>(offset_ | (more ? 1u : 0u)));
    Store32(&fragment[4], identification_);
  }
  std::ranges::copy(payload_.subspan(offset_, size),
                    out.begin() + static_cast<std::ptrdiff_t>(header_bytes));
  offset_ += size;
  return header_bytes + size;
}

}  // namespace estab::wire
