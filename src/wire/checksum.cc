#include "wire/checksum.h"

#include <bit>
#include <cstring>

namespace estab::wire {
namespace {

// The sum does not depend on byte order, as long as all words are read in one (RFC 1071 §2 (B)): so
// they are read in the machine's, and the result is turned round at the end.
template <class Word>
std::uint64_t LoadWord(const std::byte* p) {
  Word word;
  std::memcpy(&word, p, sizeof(word));
  return word;
}

// 16-bit words need no care for carries when they are added as 32-bit ones into 64 bits. Four sums
// keep the additions independent of each other.
std::uint64_t SumBlocks(const std::byte* p, std::size_t blocks) {
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  std::uint64_t c = 0;
  std::uint64_t d = 0;
  for (; blocks > 0; --blocks, p += 32) {
    const std::uint64_t w0 = LoadWord<std::uint64_t>(p);
    const std::uint64_t w1 = LoadWord<std::uint64_t>(p + 8);
    const std::uint64_t w2 = LoadWord<std::uint64_t>(p + 16);
    const std::uint64_t w3 = LoadWord<std::uint64_t>(p + 24);
    a += (w0 & 0xffffffffu) + (w1 & 0xffffffffu);
    b += (w0 >> 32) + (w1 >> 32);
    c += (w2 & 0xffffffffu) + (w3 & 0xffffffffu);
    d += (w2 >> 32) + (w3 >> 32);
  }
  // Each is below 2^33 per block: no span is long enough to make their sum wrap.
  return a + b + c + d;
}

constexpr std::uint64_t Fold(std::uint64_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

}  // namespace

void Checksum::Add(std::span<const std::byte> bytes) {
  const std::byte* p = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t sum = SumBlocks(p, left / 32);
  p += left / 32 * 32;
  left %= 32;
  for (; left >= 4; left -= 4, p += 4) sum += LoadWord<std::uint32_t>(p);
  if (left >= 2) {
    sum += LoadWord<std::uint16_t>(p);
    p += 2;
  }
  sum = Fold(sum);
  if ((left & 1) != 0) {
    // The first byte of a word whose second byte is zero, or comes with the next piece.
    const auto last = std::to_integer<std::uint64_t>(*p);
    sum = Fold(sum + (std::endian::native == std::endian::little ? last : last << 8));
  }
  // A piece that begins with the second byte of a word has its bytes in each other's places.
  if (odd_) sum = std::byteswap(static_cast<std::uint16_t>(sum));
  odd_ ^= (left & 1) != 0;
  sum_ += sum;
}

void Checksum::AddPseudoHeader(const IpAddress& source, const IpAddress& destination,
                               std::uint8_t protocol, std::uint32_t length) {
  const std::size_t skip = destination.is_v4() ? 12 : 0;
  Add(std::as_bytes(std::span(source.bytes)).subspan(skip));
  Add(std::as_bytes(std::span(destination.bytes)).subspan(skip));
  // Both families give the same sum: the length in two or four bytes, zeros and the protocol.
  const auto tail = static_cast<std::uint16_t>(Fold(std::uint64_t{length} + protocol));
  sum_ += std::endian::native == std::endian::little ? std::byteswap(tail) : tail;
}

std::uint16_t Checksum::Sum() const {
  const auto sum = static_cast<std::uint16_t>(Fold(sum_));
  return std::endian::native == std::endian::little ? std::byteswap(sum) : sum;
}

}  // namespace estab::wire
