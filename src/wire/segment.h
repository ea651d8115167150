// A TCP segment and an IP packet as values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "estab/address.h"
#include "estab/observer.h"

namespace estab::wire {

/// One SACK block: [left, right) in the numbers of the side that sent the data.
struct SackBlock {
  std::uint32_t left = 0;
  std::uint32_t right = 0;
};

/// TCP options by meaning (RFC 9293 §3.1, 7323, 2018, 7413). What was absent is zero or false.
struct TcpOptions {
  bool has_mss = false;
  bool has_window_scale = false;
  bool sack_permitted = false;
  bool has_timestamp = false;
  bool has_fast_open = false;           // present, though the cookie may be empty (a request)
  bool fast_open_experimental = false;  // ... as option 254 with the number 0xF989 (RFC 6994)
  std::uint8_t window_scale = 0;        // as sent; the receiver cuts it to 14
  std::uint8_t sack_count = 0;          // 0-4
  std::uint8_t fast_open_size = 0;      // 0, or 4-16 bytes
  std::uint16_t mss = 0;
  std::uint32_t ts_value = 0;
  std::uint32_t ts_echo = 0;
  std::array<SackBlock, 4> sack{};
  std::array<std::uint8_t, 16> fast_open_cookie{};
};

/// A TCP segment. Numbers in host order; `payload` points into the packet it was decoded from.
struct Segment {
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint32_t seq = 0;
  std::uint32_t ack = 0;
  std::uint16_t flags = 0;    // TcpFlag bits; `reserved` apart
  std::uint8_t reserved = 0;  // the three reserved bits: kept for the dump, otherwise ignored
  std::uint16_t window = 0;   // the field, unscaled
  std::uint16_t urgent = 0;
  TcpOptions options;
  std::span<const std::byte> payload;
  // Of its packet; codecs of TCP leave them alone.
  std::uint8_t tos = 0;
  std::uint16_t piece = 0;  // merged of segments with so much payload each, the last with the rest

  bool Has(TcpFlag flag) const { return (flags & flag) != 0; }
  /// Segments that were on the wire.
  std::uint32_t count() const {
    const auto size = static_cast<std::uint32_t>(payload.size());
    return piece == 0 || size == 0 ? 1 : (size + piece - 1) / piece;
  }
  /// The largest payload of one of them.
  std::uint32_t largest() const {
    const auto size = static_cast<std::uint32_t>(payload.size());
    return piece != 0 && piece < size ? piece : size;
  }
  /// SEG.LEN: payload, plus one each for SYN and FIN.
  std::uint32_t length() const {
    return static_cast<std::uint32_t>(payload.size()) + (Has(kSyn) ? 1u : 0u) +
           (Has(kFin) ? 1u : 0u);
  }
};

}  // namespace estab::wire
