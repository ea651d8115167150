// The options of an IPv4 header (RFC 791 §3.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "estab/address.h"

namespace estab::wire {

/// At most so many bytes.
inline constexpr std::size_t kMaxIpOptions = 40;

/// What is in the options of an arriving packet.
struct IpOptions {
  bool bad = false;           // one is malformed, as Linux judges it (ip_options_compile)
  std::uint8_t pointer = 0;   // the offset in the header of the byte that is wrong
  bool source_route = false;  // loose or strict
};

/// Judges the options of `header`, an IPv4 header with its options. Unknown ones are skipped by
/// their length.
IpOptions JudgeIpOptions(std::span<const std::byte> header);

/// The options of the reply to an echo request (RFC 1122 §3.2.2.6): its record route and timestamp
/// options, in which this host has written itself down when the request came and once more when the
/// reply goes, as Linux does; no others. `options` are the request's, well-formed; `time` is in
/// milliseconds, and marked as not being that of day. Returns the size, a multiple of 4; 0: none.
std::size_t EchoIpOptions(std::span<const std::byte> options, const IpAddress& ours,
                          std::uint32_t time, std::span<std::byte, kMaxIpOptions> out);

}  // namespace estab::wire
