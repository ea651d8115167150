// The Internet checksum (RFC 1071).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "estab/address.h"

namespace estab::wire {

/// Sums bytes as 16-bit big-endian words in one's complement. The pieces added are taken as one run
/// of bytes: a piece of odd length is continued in the middle of a word by the next one. Good for
/// 2^47 pieces.
class Checksum {
 public:
  /// Adds the bytes, of any alignment and length.
  void Add(std::span<const std::byte> bytes);
  /// Adds the pseudo-header of IPv4 (RFC 9293 §3.1) or IPv6 (RFC 8200 §8.1). `length` counts the
  /// bytes from the transport header on. Both addresses are of one family. Call it before Add, or
  /// when an even number of bytes was added.
  void AddPseudoHeader(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                       std::uint32_t length);

  /// The value to store: the one's complement of the sum, in host order. The checksum field itself
  /// must have been zero, or left out.
  std::uint16_t Finish() const { return static_cast<std::uint16_t>(~Sum()); }
  /// The sum itself, in host order. Of a pseudo-header alone it is what a link that fills in
  /// checksums wants to find in the field.
  std::uint16_t Sum() const;
  /// True if the bytes added, their checksum among them, are as they were sent.
  bool Valid() const { return Sum() == 0xffff; }

 private:
  std::uint64_t sum_ = 0;  // of words in this machine's byte order, folded when asked for
  bool odd_ = false;       // the next byte is the low half of a word
};

}  // namespace estab::wire
