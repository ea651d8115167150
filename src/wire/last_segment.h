// The headers of the last segment, to know the next one of its connection at a glance.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "wire/checksum.h"
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
  void Clear() { layout_ = Layout::kNone; }

  /// The packet that begins at bytes[0], if it is of the same connection and alike: valid until the
  /// next call. Its lengths and the checksum of the IPv4 header have been verified, and, but with
  /// `checksum_ok`, that of TCP. Otherwise nullptr: it is to be decoded, which may still find it
  /// good.
  const Segment* Next(std::span<const std::byte> bytes, bool checksum_ok);
  /// Whether what Next has returned goes on where the segment before it ended, and differs from it
  /// in its number and payload, and perhaps in PSH, alone.
  bool continues() const { return continues_; }

 private:
  static constexpr std::size_t kMost = 72;  // IPv6 with timestamps

  /// How the headers are laid out: everything in them has its fixed place.
  enum class Layout : std::uint8_t { kNone, kV4, kV4Timestamps, kV6, kV6Timestamps };

  template <bool kTimestamps>
  void ReadNumbers(const std::byte* tcp);
  template <bool kV4, bool kTimestamps>
  const Segment* NextLike(std::span<const std::byte> bytes, bool checksum_ok);

  Layout layout_ = Layout::kNone;  // kNone: there is no last one
  std::array<std::byte, kMost> header_;
  Checksum pseudo_header_;  // but for the length
  Segment segment_;
  bool continues_ = false;
};

}  // namespace estab::wire
