// Cutting packets into fragments (RFC 791 §3.2, RFC 8200 §4.5).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace estab::wire {

inline constexpr std::size_t kFragmentHeaderSize = 8;  // IPv6

/// Cuts a whole packet of our own (IPv6: without extension headers) into fragments of at most `mtu`
/// bytes, one with every call of Next. Of IPv4 options only the first fragment has any: of those
/// that we send, none is copied.
class Fragmenter {
 public:
  /// `packet` must be well-formed, and must stay; `mtu` is at least 68 (IPv4) or 56 (IPv6).
  Fragmenter(std::span<const std::byte> packet, std::size_t mtu, std::uint32_t identification);

  bool done() const { return offset_ == payload_.size(); }
  /// How many there are in all.
  std::size_t count() const;
  /// Writes the next fragment into `out`, which has room for `mtu` bytes; returns its size.
  std::size_t Next(std::span<std::byte> out);

 private:
  std::size_t header_size() const;
  std::size_t RoomBehind(std::size_t header_size) const;

  bool v4_;
  std::span<const std::byte> header_;
  std::span<const std::byte> payload_;
  std::size_t mtu_;
  std::uint32_t identification_;
  std::size_t offset_ = 0;
};

}  // namespace estab::wire
