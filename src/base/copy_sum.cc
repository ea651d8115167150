#include "base/copy_sum.h"

#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace estab {
namespace {

template <class Word>
std::uint64_t Load(const std::byte* p) {
  Word word;
  std::memcpy(&word, p, sizeof(word));
  return word;
}

// What carries out comes in again.
std::uint64_t AddCarry(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t sum = a + b;
  return sum + (sum < a ? 1 : 0);
}

// Fewer than 8 bytes, the last word filled up with zeros.
std::uint64_t SumRest(const std::byte* p, std::size_t left) {
  std::uint64_t sum = 0;
  if ((left & 4) != 0) {
    sum += Load<std::uint32_t>(p);
    p += 4;
  }
  if ((left & 2) != 0) {
    sum += Load<std::uint16_t>(p);
    p += 2;
  }
  if ((left & 1) != 0) {
    const auto last = std::to_integer<std::uint64_t>(*p);
    sum += std::endian::native == std::endian::little ? last : last << 8;
  }
  return sum;
}

// The width of the words added does not matter, as long as what carries out comes in again. Two
// sums keep the additions independent of each other.
std::uint64_t SumScalar(const std::byte* p, std::size_t size) {
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  for (; size >= 16; size -= 16, p += 16) {
    a = AddCarry(a, Load<std::uint64_t>(p));
    b = AddCarry(b, Load<std::uint64_t>(p + 8));
  }
  if (size >= 8) {
    a = AddCarry(a, Load<std::uint64_t>(p));
    p += 8;
    size -= 8;
  }
  return AddCarry(AddCarry(a, b), SumRest(p, size));
}

#if defined(__x86_64__)

// A 16-bit word u, taken as signed after its highest bit is turned round, is u - 2^15: so one
// instruction adds pairs of them into 32 bits. What was taken off is put back at the end. The lanes
// hold this many bytes of a vector each.
constexpr std::size_t kMostAtOnce = std::size_t{1} << 17;
constexpr std::uint64_t kBias = std::uint64_t{1} << 15;

__attribute__((target("avx2"), always_inline)) inline __m256i AddPairs(__m256i sums,
                                                                       __m256i words) {
  const __m256i turned = _mm256_xor_si256(words, _mm256_set1_epi16(static_cast<short>(0x8000)));
  return _mm256_add_epi32(sums, _mm256_madd_epi16(turned, _mm256_set1_epi16(1)));
}

// The upper halves of the registers are cleared by hand before whatever uses the lower ones alone:
// that waits for them otherwise, for longer than a segment's sum takes. The compiler forgets it
// before calls of functions that it sees.
//
// The sum of the lanes and of what was taken off `bytes` bytes.
__attribute__((target("avx2"), always_inline)) inline std::uint64_t Total(__m256i lanes,
                                                                          std::size_t bytes) {
  const __m256i low = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(lanes));
  const __m256i high = _mm256_cvtepi32_epi64(_mm256_extracti128_si256(lanes, 1));
  const __m256i four = _mm256_add_epi64(low, high);
  const __m128i two =
      _mm_add_epi64(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
  const auto sum =
      static_cast<std::uint64_t>(_mm_extract_epi64(two, 0) + _mm_extract_epi64(two, 1));
  return sum + bytes / 2 * kBias;
}

template <bool kCopy>
__attribute__((target("avx2"), always_inline)) inline __m256i Take(std::byte*& to,
                                                                   const std::byte*& from) {
  const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  if constexpr (kCopy) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), words);
    to += sizeof(words);
  }
  from += sizeof(words);
  return words;
}

template <bool kCopy>
__attribute__((target("avx2"))) std::uint64_t SumAvx2(std::byte* to, const std::byte* p,
                                                      std::size_t size) {
  std::uint64_t total = 0;
  while (size >= 32) {
    const std::size_t bytes = (size < kMostAtOnce ? size : kMostAtOnce) / 32 * 32;
    const std::byte* const end = p + bytes;
    const std::byte* const wide_end = p + bytes / 128 * 128;
    __m256i even = _mm256_setzero_si256();
    __m256i odd = _mm256_setzero_si256();
    while (p != wide_end) {
      even = AddPairs(even, Take<kCopy>(to, p));
      odd = AddPairs(odd, Take<kCopy>(to, p));
      even = AddPairs(even, Take<kCopy>(to, p));
      odd = AddPairs(odd, Take<kCopy>(to, p));
    }
    while (p != end) even = AddPairs(even, Take<kCopy>(to, p));
    total += Total(_mm256_add_epi32(even, odd), bytes);
    size -= bytes;
  }
  _mm256_zeroupper();
  if constexpr (kCopy) std::memcpy(to, p, size);
  return AddCarry(total, SumScalar(p, size));
}

template <bool kCopy>
__attribute__((target("avx512bw"), always_inline)) inline __m512i AddWide(__m512i sums,
                                                                          std::byte* to,
                                                                          const std::byte* from,
                                                                          std::size_t at) {
  const __m512i words = _mm512_loadu_si512(from + at);
  if constexpr (kCopy) _mm512_storeu_si512(to + at, words);
  const __m512i turned = _mm512_xor_si512(words, _mm512_set1_epi16(static_cast<short>(0x8000)));
  return _mm512_add_epi32(sums, _mm512_madd_epi16(turned, _mm512_set1_epi16(1)));
}

template <bool kCopy>
__attribute__((target("avx512bw"))) std::uint64_t SumAvx512(std::byte* to, const std::byte* p,
                                                            std::size_t size) {
  std::uint64_t total = 0;
  while (size >= 128) {
    const std::size_t bytes = (size < kMostAtOnce ? size : kMostAtOnce) / 128 * 128;
    __m512i even = _mm512_setzero_si512();
    __m512i odd = _mm512_setzero_si512();
    for (std::size_t at = 0; at < bytes; at += 128) {
      even = AddWide<kCopy>(even, to, p, at);
      odd = AddWide<kCopy>(odd, to, p, at + 64);
    }
    alignas(64) __m256i halves[2];
    _mm512_store_si512(halves, _mm512_add_epi32(even, odd));
    total += Total(halves[0], bytes) + Total(halves[1], 0);
    p += bytes;
    if constexpr (kCopy) to += bytes;
    size -= bytes;
  }
  _mm256_zeroupper();
  return AddCarry(total, SumAvx2<kCopy>(to, p, size));
}

__attribute__((target("avx2"), always_inline)) inline __m256i Words(const std::byte* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}

// At least 128 bytes. The vectors in between are stored where lines of the cache begin; the first
// and the last ones overlap with them.
__attribute__((target("avx2"))) void CopyAvx2(std::byte* to, const std::byte* p, std::size_t size) {
  const auto store = [](std::byte* at, __m256i words)
                         __attribute__((target("avx2"), always_inline)) {
                           _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), words);
                         };
  const std::byte* const end = p + size;
  std::byte* const to_end = to + size;
  const __m256i first = Words(p);
  const __m256i second = Words(p + 32);
  const __m256i last[] = {Words(end - 128), Words(end - 96), Words(end - 64), Words(end - 32)};
  const std::size_t skip = 64 - (reinterpret_cast<std::uintptr_t>(to) & 63);
  for (std::size_t at = skip; at < size - 128; at += 128) {
    const __m256i a = Words(p + at);
    const __m256i b = Words(p + at + 32);
    const __m256i c = Words(p + at + 64);
    const __m256i d = Words(p + at + 96);
    store(to + at, a);
    store(to + at + 32, b);
    store(to + at + 64, c);
    store(to + at + 96, d);
  }
  store(to, first);
  store(to + 32, second);
  for (int i = 0; i < 4; ++i) store(to_end - 128 + 32 * i, last[i]);
}

enum class Path : std::uint8_t { kScalar, kAvx2, kAvx512 };

Path Best() {
  if (__builtin_cpu_supports("avx512bw")) return Path::kAvx512;
  return __builtin_cpu_supports("avx2") ? Path::kAvx2 : Path::kScalar;
}

#endif

// Below that a vector is not worth its setting up.
constexpr std::size_t kFewBytes = 128;

}  // namespace

#if defined(__x86_64__)

void CopyBytes(std::byte* to, const std::byte* from, std::size_t size) {
  if (size < kFewBytes || !__builtin_cpu_supports("avx2")) {
    std::memcpy(to, from, size);
  } else {
    CopyAvx2(to, from, size);
  }
}

std::uint64_t SumBytes(const std::byte* bytes, std::size_t size) {
  if (size < kFewBytes) return SumScalar(bytes, size);
  switch (Best()) {
    case Path::kAvx512:
      return SumAvx512<false>(nullptr, bytes, size);
    case Path::kAvx2:
      return SumAvx2<false>(nullptr, bytes, size);
    default:
      return SumScalar(bytes, size);
  }
}

std::uint64_t CopyAndSum(std::byte* to, const std::byte* from, std::size_t size) {
  if (size >= kFewBytes) {
    if (Best() == Path::kAvx512) return SumAvx512<true>(to, from, size);
    if (Best() == Path::kAvx2) return SumAvx2<true>(to, from, size);
  }
  std::memcpy(to, from, size);
  return SumScalar(from, size);
}

#else

void CopyBytes(std::byte* to, const std::byte* from, std::size_t size) {
  std::memcpy(to, from, size);
}

std::uint64_t SumBytes(const std::byte* bytes, std::size_t size) { return SumScalar(bytes, size); }

std::uint64_t CopyAndSum(std::byte* to, const std::byte* from, std::size_t size) {
  std::memcpy(to, from, size);
  return SumScalar(from, size);
}

#endif

}  // namespace estab
