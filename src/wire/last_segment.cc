#include "wire/last_segment.h"

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

// Which bytes of the headers are the same in every segment of a connection.
constexpr auto MaskOf(bool v4, bool timestamps) {
  const std::size_t ip = v4 ? kIpv4HeaderSize : kIpv6HeaderSize;
  const std::size_t size = ip + kTcpHeaderSize + (timestamps ? kTimestampsSize : 0);
  std::array<std::uint8_t, 72> same{};
  for (std::size_t i = 0; i < size; ++i) same[i] = 0xff;
  const auto differs = [&](std::size_t at, std::size_t bytes) {
    for (std::size_t i = at; i < at + bytes; ++i) same[i] = 0;
  };
  differs(v4 ? kIpv4Length : kIpv6Length, v4 ? 4 : 2);  // IPv4: and the identification
  if (v4) differs(10, 2);
  differs(ip + 4, 8);    // both numbers
  same[ip + 12] = 0xf0;  // flags
  differs(ip + 13, 7);   // flags, window, checksum, urgent pointer
  if (timestamps) differs(ip + kOptions + 4, 8);
  return std::bit_cast<std::array<std::uint64_t, 9>>(same);
}

// The four forms, by MaskOf's two questions.
constexpr std::size_t FormOf(bool v4, bool timestamps) {
  return (v4 ? 2u : 0u) + (timestamps ? 1u : 0u);
}

// Nothing but the timestamps, laid out as everybody does.
bool OnlyTimestamps(std::span<const std::byte> options) {
  constexpr std::uint32_t kLayout = 0x0101080a;
  return options.size() == kTimestampsSize && Load32(options.data()) == kLayout;
}

}  // namespace

constexpr std::array<LastSegment::Words, 4> LastSegment::kMasks = {
    MaskOf(false, false), MaskOf(false, true), MaskOf(true, false), MaskOf(true, true)};

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
  ip_size_ = packet.header.size();
  header_size_ = ip_size_ + tcp_size;
  words_ = (header_size_ + 7) / 8;
  mask_ = &kMasks[FormOf(v4, timestamps)];
  std::memcpy(pattern_.data(), packet.header.data(), header_size_);
  for (std::size_t i = 0; i < words_; ++i) pattern_[i] &= (*mask_)[i];
  source_ = packet.source;
  destination_ = packet.destination;
  segment_ = segment;
}

bool LastSegment::Alike(std::span<const std::byte> bytes) const {
  if (bytes.size() < header_size_) return false;
  std::uint64_t differs = 0;
  for (std::size_t i = 0; i < header_size_ / 8; ++i) {
    std::uint64_t word;
    std::memcpy(&word, &bytes[i * 8], 8);
    differs |= (word & (*mask_)[i]) ^ pattern_[i];
  }
  std::uint64_t rest = 0;
  std::memcpy(&rest, bytes.data() + header_size_ / 8 * 8, header_size_ % 8);
  return (differs | ((rest & (*mask_)[words_ - 1]) ^ pattern_[words_ - 1])) == 0;
}

const Segment* LastSegment::Next(std::span<const std::byte> bytes, bool checksum_ok) {
  if (words_ == 0 || !Alike(bytes)) return nullptr;
  const bool v4 = ip_size_ == kIpv4HeaderSize;
  const std::size_t total =
      v4 ? Load16(&bytes[kIpv4Length]) : kIpv6HeaderSize + Load16(&bytes[kIpv6Length]);
  if (total < header_size_ || total > bytes.size()) return nullptr;
  if (v4) {
    Checksum header;
    header.Add(bytes.first(kIpv4HeaderSize));
    if (!header.Valid()) return nullptr;
  }
  const auto tcp = bytes.subspan(ip_size_, total - ip_size_);
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
