#include "wire/tcp.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "wire/checksum.h"

namespace estab::wire {
namespace {

constexpr std::size_t kMaxOptionsSize = kMaxTcpHeaderSize - kTcpHeaderSize;

// Option kinds.
constexpr std::uint8_t kEnd = 0;
constexpr std::uint8_t kNop = 1;
constexpr std::uint8_t kMss = 2;
constexpr std::uint8_t kWindowScale = 3;
constexpr std::uint8_t kSackPermitted = 4;
constexpr std::uint8_t kSack = 5;
constexpr std::uint8_t kTimestamp = 8;
constexpr std::uint8_t kFastOpen = 34;
constexpr std::uint8_t kExperiment = 254;
constexpr std::uint16_t kFastOpenExperiment = 0xF989;  // RFC 6994, as Linux before RFC 7413

using Bytes = std::span<const std::byte>;

bool IsCookieSize(std::size_t size) {
  return size == 0 || (size >= 4 && size <= 16 && size % 2 == 0);
}

void ReadSack(Bytes value, TcpOptions& options) {
  options.sack_count = static_cast<std::uint8_t>(value.size() / 8);
  options.sack = {};
  for (std::size_t i = 0; i < options.sack_count; ++i) {
    options.sack[i] = {Load32(&value[8 * i]), Load32(&value[8 * i + 4])};
  }
}

void ReadFastOpen(Bytes cookie, bool experimental, TcpOptions& options) {
  options.has_fast_open = true;
  options.fast_open_experimental = experimental;
  options.fast_open_size = static_cast<std::uint8_t>(cookie.size());
  options.fast_open_cookie = {};
  std::ranges::transform(cookie, options.fast_open_cookie.begin(),
                         [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
}

// `value` is what lies behind kind and length: at most 38 bytes.
void ReadOption(std::uint8_t kind, Bytes value, TcpOptions& options) {
  const std::size_t size = value.size();
  if (kind == kMss && size == 2) {
    options.has_mss = true;
    options.mss = Load16(value.data());
  } else if (kind == kWindowScale && size == 1) {
    options.has_window_scale = true;
    options.window_scale = std::to_integer<std::uint8_t>(value[0]);
  } else if (kind == kSackPermitted && size == 0) {
    options.sack_permitted = true;
  } else if (kind == kSack && size >= 8 && size % 8 == 0) {
    ReadSack(value, options);
  } else if (kind == kTimestamp && size == 8) {
    options.has_timestamp = true;
    options.ts_value = Load32(&value[0]);
    options.ts_echo = Load32(&value[4]);
  } else if (kind == kFastOpen && IsCookieSize(size)) {
    ReadFastOpen(value, false, options);
  } else if (kind == kExperiment && size >= 2 && IsCookieSize(size - 2) &&
             Load16(value.data()) == kFastOpenExperiment) {
    ReadFastOpen(value.subspan(2), true, options);
  }
}

// What most segments carry, laid out as everybody does: two NOPs and the timestamps (RFC 7323
// appendix A).
bool ReadTimestampsAlone(Bytes bytes, TcpOptions& options) {
  constexpr std::uint32_t kHead = (kNop << 24) | (kNop << 16) | (kTimestamp << 8) | 10;
  if (bytes.size() != 12 || Load32(&bytes[0]) != kHead) return false;
  options.has_timestamp = true;
  options.ts_value = Load32(&bytes[4]);
  options.ts_echo = Load32(&bytes[8]);
  return true;
}

void ReadOptions(Bytes bytes, TcpOptions& options) {
  if (ReadTimestampsAlone(bytes, options)) return;
  while (!bytes.empty()) {
    const auto kind = std::to_integer<std::uint8_t>(bytes[0]);
    if (kind == kEnd) return;
    if (kind == kNop) {
      bytes = bytes.subspan(1);
      continue;
    }
    if (bytes.size() < 2) return;
    const auto length = std::to_integer<std::size_t>(bytes[1]);
    if (length < 2 || length > bytes.size()) return;
    ReadOption(kind, bytes.subspan(2, length - 2), options);
    bytes = bytes.subspan(length);
  }
}

// Of the whole option, without padding.
std::size_t FastOpenSize(const TcpOptions& options) {
  return (options.fast_open_experimental ? 4u : 2u) + options.fast_open_size;
}

// What of a segment's options goes into the header, and what is left out for want of room.
struct Layout {
  bool fast_open = false;
  std::size_t sack_blocks = 0;
  std::size_t size = 0;  // of all options: a multiple of 4
};

Layout LayOut(const TcpOptions& options) {
  Layout layout;
  if (options.has_mss) layout.size += 4;
  if (options.has_timestamp) {
    layout.size += 12;  // SACK-permitted takes the place of the two NOPs
  } else if (options.sack_permitted) {
    layout.size += 4;
  }
  if (options.has_window_scale) layout.size += 4;
  if (options.sack_count > 0) {
    const std::size_t room = (kMaxOptionsSize - layout.size - 4) / 8;
    const std::size_t present = std::min<std::size_t>(options.sack_count, options.sack.size());
    layout.sack_blocks = std::min(room, present);
    if (layout.sack_blocks > 0) layout.size += 4 + 8 * layout.sack_blocks;
  }
  if (options.has_fast_open && IsCookieSize(options.fast_open_size)) {
    const std::size_t size = (FastOpenSize(options) + 3u) / 4 * 4;
    layout.fast_open = layout.size + size <= kMaxOptionsSize;
    if (layout.fast_open) layout.size += size;
  }
  return layout;
}

// Writes options one behind the other. LayOut has made sure of the room.
class OptionWriter {
 public:
  explicit OptionWriter(std::byte* at) : at_(at) {}

  void Nops(std::size_t count) {
    for (; count > 0; --count) Put8(kNop);
  }
  void Head(std::uint8_t kind, std::size_t length) {
    Put8(kind);
    Put8(static_cast<std::uint8_t>(length));
  }
  void Put8(std::uint8_t value) { *at_++ = std::byte{value}; }
  void Put16(std::uint16_t value) {
    Store16(at_, value);
    at_ += 2;
  }
  void Put32(std::uint32_t value) {
    Store32(at_, value);
    at_ += 4;
  }

 private:
  std::byte* at_;
};

void WriteOptions(const TcpOptions& options, const Layout& layout, std::byte* at) {
  OptionWriter writer(at);
  if (options.has_mss) {
    writer.Head(kMss, 4);
    writer.Put16(options.mss);
  }
  if (options.sack_permitted || options.has_timestamp) {
    if (!options.sack_permitted || !options.has_timestamp) writer.Nops(2);
    if (options.sack_permitted) writer.Head(kSackPermitted, 2);
  }
  if (options.has_timestamp) {
    writer.Head(kTimestamp, 10);
    writer.Put32(options.ts_value);
    writer.Put32(options.ts_echo);
  }
  if (options.has_window_scale) {
    writer.Nops(1);
    writer.Head(kWindowScale, 3);
    writer.Put8(options.window_scale);
  }
  if (layout.sack_blocks > 0) {
    writer.Nops(2);
    writer.Head(kSack, 2 + 8 * layout.sack_blocks);
    for (std::size_t i = 0; i < layout.sack_blocks; ++i) {
      writer.Put32(options.sack[i].left);
      writer.Put32(options.sack[i].right);
    }
  }
  if (layout.fast_open) {
    const std::size_t size = FastOpenSize(options);
    writer.Head(options.fast_open_experimental ? kExperiment : kFastOpen, size);
    if (options.fast_open_experimental) writer.Put16(kFastOpenExperiment);
    for (std::size_t i = 0; i < options.fast_open_size; ++i) {
      writer.Put8(options.fast_open_cookie[i]);
    }
    writer.Nops((4 - size % 4) % 4);
  }
}

constexpr auto kTcp = static_cast<std::uint8_t>(Protocol::kTcp);

}  // namespace

void ReadFixedHeader(Bytes tcp, Segment& segment) {
  const std::uint16_t offset_and_flags = Load16(&tcp[12]);
  segment.source_port = Load16(&tcp[0]);
  segment.destination_port = Load16(&tcp[2]);
  segment.seq = Load32(&tcp[4]);
  segment.ack = Load32(&tcp[8]);
  segment.flags = static_cast<std::uint16_t>(offset_and_flags & 0x1ff);
  segment.reserved = static_cast<std::uint8_t>((offset_and_flags >> 9) & 7);
  segment.window = Load16(&tcp[14]);
  segment.urgent = Load16(&tcp[18]);
}

std::expected<Segment, DecodeError> DecodeTcp(Bytes tcp) {
  if (tcp.size() < kTcpHeaderSize) return std::unexpected(DecodeError::kTooShort);
  const std::uint16_t offset_and_flags = Load16(&tcp[12]);
  const std::size_t header_size = std::size_t{4} * (offset_and_flags >> 12);
  if (header_size < kTcpHeaderSize || header_size > tcp.size()) {
    return std::unexpected(DecodeError::kBadHeaderLength);
  }
  std::expected<Segment, DecodeError> decoded;  // in its place: a segment is large
  Segment& segment = *decoded;
  ReadFixedHeader(tcp, segment);
  ReadOptions(tcp.subspan(kTcpHeaderSize, header_size - kTcpHeaderSize), segment.options);
  segment.payload = tcp.subspan(header_size);
  return decoded;
}

bool PeekTuple(Bytes bytes, Tuple& tuple) {
  if (bytes.size() < kIpv4HeaderSize + kTcpHeaderSize) return false;
  std::size_t at = 0;
  if (std::to_integer<unsigned>(bytes[0]) >> 4 == 4) {
    at = std::size_t{4} * (std::to_integer<unsigned>(bytes[0]) & 0x0fu);
    constexpr std::uint16_t kPartOfDatagram = 0x3fff;
    if (bytes[9] != std::byte{kTcp} || (Load16(&bytes[6]) & kPartOfDatagram) != 0) return false;
    tuple.remote.address = IpAddress::V4(Load32(&bytes[12]));
    tuple.local.address = IpAddress::V4(Load32(&bytes[16]));
  } else {
    at = kIpv6HeaderSize;
    if (bytes[6] != std::byte{kTcp}) return false;
    std::memcpy(tuple.remote.address.bytes.data(), &bytes[8], 16);
    std::memcpy(tuple.local.address.bytes.data(), &bytes[24], 16);
  }
  if (bytes.size() < at + 4) return false;
  tuple.remote.port = Load16(&bytes[at]);
  tuple.local.port = Load16(&bytes[at + 2]);
  return true;
}

bool TcpChecksumValid(const IpPacket& packet) {
  Checksum checksum;
  checksum.AddPseudoHeader(packet.source, packet.destination, kTcp,
                           static_cast<std::uint32_t>(packet.payload.size()));
  checksum.Add(packet.payload);
  return checksum.Valid();
}

std::size_t TcpHeaderSize(const Segment& segment) {
  return kTcpHeaderSize + LayOut(segment.options).size;
}

std::size_t EncodeTcp(std::span<std::byte> out, const Segment& segment) {
  const Layout layout = LayOut(segment.options);
  const std::size_t size = kTcpHeaderSize + layout.size;
  ESTAB_CHECK(out.size() >= size);
  Store16(&out[0], segment.source_port);
  Store16(&out[2], segment.destination_port);
  Store32(&out[4], segment.seq);
  Store32(&out[8], segment.ack);
  const auto words = static_cast<unsigned>(size / 4);
  Store16(&out[12], static_cast<std::uint16_t>((words << 12) | ((segment.reserved & 7u) << 9) |
                                               (segment.flags & 0x1ffu)));
  Store16(&out[14], segment.window);
  Store16(&out[kTcpChecksumOffset], 0);
  Store16(&out[18], segment.urgent);
  WriteOptions(segment.options, layout, out.data() + kTcpHeaderSize);
  return size;
}

void RenumberTcp(std::span<std::byte> header, std::uint32_t seq, std::uint16_t flags) {
  ESTAB_CHECK(header.size() >= kTcpHeaderSize);
  constexpr unsigned kFlags = 0x1ff;
  Store32(&header[kTcpSequenceOffset], seq);
  Store16(&header[12],
          static_cast<std::uint16_t>((Load16(&header[12]) & ~kFlags) | (flags & kFlags)));
  Store16(&header[kTcpChecksumOffset], 0);
}

std::uint16_t TcpChecksum(const IpAddress& source, const IpAddress& destination, Bytes header,
                          std::span<const Slice> payload) {
  std::size_t length = header.size();
  for (const Slice& slice : payload) length += slice.size;
  Checksum checksum;
  checksum.AddPseudoHeader(source, destination, kTcp, static_cast<std::uint32_t>(length));
  checksum.Add(header);
  for (const Slice& slice : payload) checksum.Add({slice.data, slice.size});
  return checksum.Finish();
}

std::uint16_t TcpPartialChecksum(const IpAddress& source, const IpAddress& destination,
                                 std::uint32_t length) {
  Checksum checksum;
  checksum.AddPseudoHeader(source, destination, kTcp, length);
  return checksum.Sum();
}

void StoreTcpChecksum(std::span<std::byte> tcp_header, std::uint16_t checksum) {
  ESTAB_CHECK(tcp_header.size() >= kTcpHeaderSize);
  Store16(&tcp_header[kTcpChecksumOffset], checksum);
}

}  // namespace estab::wire
