// The headers of the last segment, to know the next one of its connection at a glance.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "wire/ip.h"
#include "wire/segment.h"

namespace estab::wire {

/// Segments come in rows, and those of one connection in one direction are alike: in all of the IP
/// header but lengths, checksum and identification, in the ports, and in the layout of the options.
/// Whoever has decoded one knows all of the next but its numbers, flags and window.
class LastSegment {
 public:
  /// Takes `packet`, decoded as `segment`, for the last one. Only plain ones serve: without IPv4
  /// options or IPv6 extension headers, with timestamps as most hosts lay them out (RFC 7323
  /// appendix A) or without TCP options. Others clear it.
  void Take(const IpPacket& packet, const Segment& segment);
  void Clear() { header_size_ = 0; }

  /// The packet that begins at bytes[0], if it is of the same connection and alike: valid until the
  /// next call. Its lengths and the checksum of the IPv4 header have been verified, and, but with
  /// `checksum_ok`, that of TCP. Otherwise nullptr: it is to be decoded, which may still find it
  /// good.
  const Segment* Next(std::span<const std::byte> bytes, bool checksum_ok);

 private:
  static constexpr std::size_t kMost = 72;  // IPv6 with timestamps

  bool Alike(std::span<const std::byte> bytes) const;

  bool v4_ = false;
  std::size_t header_size_ = 0;  // 0: there is none
  std::array<std::byte, kMost> header_;
  IpAddress source_;
  IpAddress destination_;
  Segment segment_;
};

}  // namespace estab::wire
