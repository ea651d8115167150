// The Internet checksum (RFC 1071).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/copy_sum.h"
#include "estab/address.h"

namespace estab::wire {

/// Sums bytes as 16-bit big-endian words in one's complement. The pieces added are taken as one run
/// of bytes: a piece of odd length is continued in the middle of a word by the next one.
class Checksum {
 public:
  /// Adds the bytes, of any alignment and length.
  void Add(std::span<const std::byte> bytes) {
    AddPiece(bytes.size() <= kShort ? SumOfHeader(bytes) : SumBytes(bytes.data(), bytes.size()),
             bytes.size());
  }
  /// The same in one pass with a copy of the bytes to `to`.
  void AddCopying(std::span<const std::byte> bytes, std::byte* to) {
    AddPiece(CopyAndSum(to, bytes.data(), bytes.size()), bytes.size());
  }
  /// Adds the pseudo-header of IPv4 (RFC 9293 §3.1) or IPv6 (RFC 8200 §8.1). `length` counts the
  /// bytes from the transport header on. Both addresses are of one family. Call it before Add, or
  /// when an even number of bytes was added.
  void AddPseudoHeader(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                       std::uint32_t length) {
    const auto [s0, s1] = source.words();
    const auto [d0, d1] = destination.words();
    // Two v4-mapped addresses add twice 0xffff to what the IPv4 ones do: nothing, in one's
    // complement. So both families are summed alike, the length and protocol in any two words.
    AddPiece(AddCarry(AddCarry(s0, s1), AddCarry(d0, d1)), 0);
    AddWord(length + protocol);
  }
  /// Adds a number of 32 bits, as it stands in a header at an even place.
  void AddWord(std::uint32_t word) {
    sum_ = AddCarry(sum_, std::endian::native == std::endian::little ? std::byteswap(word) : word);
  }

  /// The value to store: the one's complement of the sum, in host order. The checksum field itself
  /// must have been zero, or left out.
  std::uint16_t Finish() const { return static_cast<std::uint16_t>(~Sum()); }
  /// The sum itself, in host order. Of a pseudo-header alone it is what a link that fills in
  /// checksums wants to find in the field.
  std::uint16_t Sum() const {
    std::uint64_t sum = (sum_ & 0xffffffffu) + (sum_ >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    const auto folded = static_cast<std::uint16_t>(sum);
    return std::endian::native == std::endian::little ? std::byteswap(folded) : folded;
  }
  /// True if the bytes added, their checksum among them, are as they were sent.
  bool Valid() const { return Sum() == 0xffff; }

 private:
  static constexpr std::size_t kShort = 64;  // headers: summed in place

  // The sum does not depend on byte order, as long as all words are read in one (RFC 1071 §2 (B)):
  // so they are read in the machine's, and the result is turned round at the end. Nor does it on
  // the width of the words added, as long as what carries out comes in again.
  static constexpr std::uint64_t AddCarry(std::uint64_t a, std::uint64_t b) {
    const std::uint64_t sum = a + b;
    return sum + (sum < a ? 1 : 0);
  }
  // Headers and their options are whole 32-bit words, and seldom more than a few: summed in place.
  static std::uint64_t SumOfHeader(std::span<const std::byte> bytes) {
    const std::byte* p = bytes.data();
    std::size_t left = bytes.size();
    std::uint64_t sum = 0;
    for (; left >= 8; left -= 8, p += 8) {
      std::uint64_t words;
      std::memcpy(&words, p, sizeof(words));
      sum = AddCarry(sum, words);
    }
    if (left == 4) {
      std::uint32_t word;
      std::memcpy(&word, p, sizeof(word));
      return AddCarry(sum, word);
    }
    return left == 0 ? sum : AddCarry(sum, SumBytes(p, left));
  }

  void AddPiece(std::uint64_t sum, std::size_t size) {
    // A piece that begins with the second byte of a word has its bytes in each other's places.
    if (odd_) sum = std::rotl(sum, 8);
    odd_ ^= (size & 1) != 0;
    sum_ = AddCarry(sum_, sum);
  }

  std::uint64_t sum_ = 0;  // of words in this machine's byte order, folded when asked for
  bool odd_ = false;       // the next byte is the low half of a word
};

}  // namespace estab::wire
