#include "wire/last_segment.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/tcp.h"

namespace estab::wire {
namespace {

constexpr auto kTcp = static_cast<std::uint8_t>(Protocol::kTcp);
constexpr std::size_t kIpv4Length = 2;
constexpr std::size_t kIpv6Length = 4;
constexpr std::size_t kTimestampsSize = 12;
constexpr std::size_t kOptions = kTcpHeaderSize;  // where they begin

// Headers of one size, as words: the last one ends where they end, and overlaps the one before.
template <std::size_t kSize>
constexpr std::size_t kWordsOf = (kSize + 7) / 8;
template <std::size_t kSize>
constexpr std::size_t PlaceOf(std::size_t word) {
  return word + 1 < kWordsOf<kSize> ? word * 8 : kSize - 8;
}

constexpr std::size_t SizeOf(bool v4, bool timestamps) {
  return (v4 ? kIpv4HeaderSize : kIpv6HeaderSize) + kTcpHeaderSize +
         (timestamps ? kTimestampsSize : 0);
}

// Which bytes are the same in every segment of a connection, as such words.
template <bool kV4, bool kTimestamps>
constexpr auto MakeMask() {
  constexpr std::size_t kSize = SizeOf(kV4, kTimestamps);
  constexpr std::size_t kIp = kV4 ? kIpv4HeaderSize : kIpv6HeaderSize;
  std::array<std::uint8_t, kSize> same{};
  same.fill(0xff);
  const auto differs = [&](std::size_t at, std::size_t bytes) {
    std::fill_n(same.begin() + static_cast<std::ptrdiff_t>(at), bytes, std::uint8_t{0});
  };
  differs(kV4 ? kIpv4Length : kIpv6Length, kV4 ? 4 : 2);  // IPv4: and the identification
  if (kV4) differs(10, 2);
  differs(kIp + 4, 8);    // both numbers
  same[kIp + 12] = 0xf0;  // all but the size of the header: a flag
  differs(kIp + 13, 7);   // flags, window, checksum, urgent pointer
  if (kTimestamps) differs(kIp + kOptions + 4, 8);
  std::array<std::uint64_t, kWordsOf<kSize>> words{};
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::array<std::uint8_t, 8> bytes{};
    std::copy_n(same.begin() + static_cast<std::ptrdiff_t>(PlaceOf<kSize>(i)), 8, bytes.begin());
    words[i] = std::bit_cast<std::uint64_t>(bytes);
  }
  return words;
}

// Whether all bytes that stay the same do so.
template <bool kV4, bool kTimestamps>
bool SameHeaders(const std::byte* bytes, const std::byte* last) {
  constexpr auto kMask = MakeMask<kV4, kTimestamps>();
  constexpr std::size_t kSize = SizeOf(kV4, kTimestamps);
  std::uint64_t differs = 0;
  for (std::size_t i = 0; i < kMask.size(); ++i) {
    std::uint64_t a;
    std::uint64_t b;
    std::memcpy(&a, bytes + PlaceOf<kSize>(i), 8);
    std::memcpy(&b, last + PlaceOf<kSize>(i), 8);
    differs |= (a ^ b) & kMask[i];
  }
  return differs == 0;
}

// Nothing but the timestamps, laid out as everybody does.
bool OnlyTimestamps(std::span<const std::byte> options) {
  constexpr std::uint32_t kLayout = 0x0101080a;
  return options.size() == kTimestampsSize && Load32(options.data()) == kLayout;
}

}  // namespace

void LastSegment::Take(const IpPacket& packet, const Segment& segment) {
  Clear();
  const bool v4 = packet.destination.is_v4();
  const std::size_t tcp_size = packet.payload.size() - segment.payload.size();
  const auto options = packet.payload.subspan(kOptions, tcp_size - kOptions);
  const bool timestamps = OnlyTimestamps(options);
  if (packet.header.size() != IpHeaderSize(packet.destination)) return;
  constexpr std::uint16_t kPartOfDatagram =
      0x3fff;  // a whole one that came in fragments may say so
  if (v4 && (Load16(&packet.header[6]) & kPartOfDatagram) != 0) return;
  if (!timestamps && !options.empty()) return;
  if (v4) {
    layout_ = timestamps ? Layout::kV4Timestamps : Layout::kV4;
  } else {
    layout_ = timestamps ? Layout::kV6Timestamps : Layout::kV6;
  }
  std::memcpy(header_.data(), packet.header.data(), packet.header.size() + tcp_size);
  pseudo_header_ = {};
  pseudo_header_.AddPseudoHeader(packet.source, packet.destination, kTcp, 0);
  segment_ = segment;
  segment_.piece = 0;
}

// What may differ, and whether it does.
template <bool kTimestamps>
void LastSegment::ReadNumbers(const std::byte* tcp) {
  const std::uint32_t end = segment_.seq + static_cast<std::uint32_t>(segment_.payload.size());
  unsigned differs = 0;
  const auto take = [&](auto& field, auto value) {
    differs |= static_cast<unsigned>(field ^ value);
    field = value;
  };
  segment_.seq = Load32(tcp + kTcpSequenceOffset);
  take(segment_.ack, Load32(tcp + kTcpSequenceOffset + 4));
  take(segment_.window, Load16(tcp + 14));
  take(segment_.urgent, Load16(tcp + 18));
  if constexpr (kTimestamps) {
    take(segment_.options.ts_value, Load32(tcp + kOptions + 4));
    take(segment_.options.ts_echo, Load32(tcp + kOptions + 8));
  }
  const std::uint16_t reserved_and_flags = Load16(tcp + 12);
  const auto flags = static_cast<std::uint16_t>(reserved_and_flags & 0x1ff);
  segment_.reserved = static_cast<std::uint8_t>((reserved_and_flags >> 9) & 7);
  differs |= (segment_.flags ^ flags) & ~unsigned{kPsh};
  segment_.flags = flags;
  continues_ = segment_.seq == end && differs == 0;
}

template <bool kV4, bool kTimestamps>
const Segment* LastSegment::NextLike(std::span<const std::byte> bytes, bool checksum_ok) {
  constexpr std::size_t kIp = kV4 ? kIpv4HeaderSize : kIpv6HeaderSize;
  constexpr std::size_t kHeader = SizeOf(kV4, kTimestamps);
  if (bytes.size() < kHeader) return nullptr;
  const std::byte* const ip = bytes.data();
  if (!SameHeaders<kV4, kTimestamps>(ip, header_.data())) return nullptr;
  const std::size_t total = kV4 ? Load16(ip + kIpv4Length) : kIp + Load16(ip + kIpv6Length);
  if (total < kHeader || total > bytes.size()) return nullptr;
  if constexpr (kV4) {
    Checksum header;
    header.Add(bytes.first(kIpv4HeaderSize));
    if (!header.Valid()) return nullptr;
  }
  if (!checksum_ok) {
    Checksum checksum = pseudo_header_;
    checksum.AddWord(static_cast<std::uint32_t>(total - kIp));
    checksum.Add(bytes.subspan(kIp, total - kIp));
    if (!checksum.Valid()) return nullptr;
  }
  ReadNumbers<kTimestamps>(ip + kIp);
  segment_.payload = bytes.subspan(kHeader, total - kHeader);
  return &segment_;
}

const Segment* LastSegment::Next(std::span<const std::byte> bytes, bool checksum_ok) {
  switch (layout_) {
    case Layout::kNone:
      return nullptr;
    case Layout::kV4:
      return NextLike<true, false>(bytes, checksum_ok);
    case Layout::kV4Timestamps:
      return NextLike<true, true>(bytes, checksum_ok);
    case Layout::kV6:
      return NextLike<false, false>(bytes, checksum_ok);
    case Layout::kV6Timestamps:
      return NextLike<false, true>(bytes, checksum_ok);
  }
  return nullptr;
}

}  // namespace estab::wire
