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
  v4_ = v4;
  header_size_ = packet.header.size() + tcp_size;
  std::memcpy(header_.data(), packet.header.data(), header_size_);
  source_ = packet.source;
  destination_ = packet.destination;
  segment_ = segment;
}

bool LastSegment::Alike(std::span<const std::byte> bytes) const {
  if (header_size_ == 0 || bytes.size() < header_size_) return false;
  const bool timestamps = segment_.options.has_timestamp;
  if (v4_) {
    return timestamps ? SameHeaders<true, true>(bytes.data(), header_.data())
                      : SameHeaders<true, false>(bytes.data(), header_.data());
  }
  return timestamps ? SameHeaders<false, true>(bytes.data(), header_.data())
                    : SameHeaders<false, false>(bytes.data(), header_.data());
}

const Segment* LastSegment::Next(std::span<const std::byte> bytes, bool checksum_ok) {
  if (!Alike(bytes)) return nullptr;
  const std::size_t total =
      v4_ ? Load16(&bytes[kIpv4Length]) : kIpv6HeaderSize + Load16(&bytes[kIpv6Length]);
  if (total < header_size_ || total > bytes.size()) return nullptr;
  if (v4_) {
    Checksum header;
    header.Add(bytes.first(kIpv4HeaderSize));
    if (!header.Valid()) return nullptr;
  }
  const std::size_t ip_size = v4_ ? kIpv4HeaderSize : kIpv6HeaderSize;
  const auto tcp = bytes.subspan(ip_size, total - ip_size);
  if (!checksum_ok) {
    Checksum checksum;
    checksum.AddPseudoHeader(source_, destination_, kTcp, static_cast<std::uint32_t>(tcp.size()));
    checksum.Add(tcp);
    if (!checksum.Valid()) return nullptr;
  }
  ReadFixedHeader(tcp, segment_);
  if (segment_.options.has_timestamp) {
    segment_.options.ts_value = Load32(&tcp[kOptions + 4]);
    segment_.options.ts_echo = Load32(&tcp[kOptions + 8]);
  }
  segment_.payload = bytes.subspan(header_size_, total - header_size_);
  segment_.piece = 0;
  return &segment_;
}

}  // namespace estab::wire
