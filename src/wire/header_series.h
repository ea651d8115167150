// The headers of segments that go out together.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "wire/checksum.h"
#include "wire/ip.h"
#include "wire/tcp.h"

namespace estab::wire {

/// Headers that differ in number, length and the last one's flags alone: written once, changed from
/// one segment to the next, and what they have in common is summed once.
class HeaderSeries {
 public:
  /// Where one differs from the others.
  struct Place {
    std::uint32_t number = 0;  // of the segment among them, from 0
    std::uint32_t seq = 0;
    std::uint16_t flags = 0;
  };

  /// `ip` and `first`: the headers of the first of them. `offload`: the link does the rest of the
  /// TCP checksum.
  HeaderSeries(const IpHeader& ip, const Segment& first, bool offload);

  /// Writes those of the segment with this payload of `size` bytes; returns them. `out` has room
  /// for them.
  std::span<std::byte> Write(std::span<std::byte> out, const Place& place,
                             std::span<const Slice> payload, std::size_t size);

 private:
  std::span<std::byte> Tcp() { return std::span(pattern_).subspan(ip_size_, tcp_size_); }
  void Begin(const Place& place, std::size_t size);

  IpHeader ip_;
  bool offload_;
  std::size_t ip_size_;
  std::size_t tcp_size_ = kMaxTcpHeaderSize;
  std::array<std::byte, kIpv6HeaderSize + kMaxTcpHeaderSize> pattern_;
  // What the pattern is for, and the sum of it.
  std::size_t payload_size_ = 0;
  std::uint16_t flags_ = 0;
  Checksum common_;
};

}  // namespace estab::wire
