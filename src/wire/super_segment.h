// What a link with offloads does to packets, done by hand: where there is no such link, and to see
// what would be on the wire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace estab::wire {

/// Cuts a super-segment of our own (a TxPacket with gso_size; no IPv6 extension headers) into the
/// TCP segments that it stands for, one with every call of Next, and fills in their checksums. The
/// numbers advance; PSH and FIN stay with the last segment, CWR with the first; IPv4's
/// identification grows by one where it counts (without DF). A packet without gso_size only gets
/// its checksum.
class SuperSegmentCutter {
 public:
  /// `packet` is one IP packet whose TCP checksum is not filled in; it must be well-formed and
  /// stay. `gso_size` as in TxPacket.
  SuperSegmentCutter(std::span<const std::byte> packet, std::uint16_t gso_size);

  bool done() const { return next_ == count_; }
  /// Segments in all.
  std::size_t count() const { return count_; }
  /// Writes the next one into `out`, which has room for headers and gso_size (or the packet);
  /// returns its size.
  std::size_t Next(std::span<std::byte> out);

 private:
  void FinishIp(std::span<std::byte> segment) const;
  void FinishTcp(std::span<std::byte> segment) const;

  bool v4_;
  std::size_t ip_size_;
  std::span<const std::byte> header_;
  std::span<const std::byte> payload_;
  std::size_t piece_;
  std::size_t count_;
  std::size_t next_ = 0;
};

}  // namespace estab::wire
