// Segments as bytes: the oracle's own codec, so that it does not trust the one that it tests.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace oracle {

using Bytes = std::vector<std::uint8_t>;

enum Flag : std::uint8_t {
  kFin = 1,
  kSyn = 2,
  kRst = 4,
  kPsh = 8,
  kAck = 16,
  kUrg = 32,
  kEce = 64,
  kCwr = 128,
};

/// An address of either family: 4 or 16 bytes.
struct Address {
  std::array<std::uint8_t, 16> bytes{};
  bool ipv6 = false;
  std::size_t size() const { return ipv6 ? 16 : 4; }
  bool operator==(const Address&) const = default;
};

/// Reads "192.0.2.1" or "2001:db8::1"; exits with 2 if it is neither.
Address ParseAddress(const std::string& text);

/// A TCP segment in its IP packet. Numbers are absolute.
struct Segment {
  Address source, destination;
  std::uint16_t source_port = 0, destination_port = 0;
  std::uint8_t flags = 0;
  std::uint32_t seq = 0, ack = 0;
  std::uint16_t window = 0;
  std::uint16_t urgent = 0;
  Bytes options;
  Bytes payload;
  std::uint8_t tos = 0, ttl = 64;
  bool dont_fragment = true;
  bool bad_checksum = false;
};

/// The packet as it goes over the wire.
Bytes Encode(const Segment& segment);

/// Takes a TCP segment from an IP packet; false if there is none in it.
bool Decode(std::span<const std::uint8_t> packet, Segment* segment);

/// An ICMP or ICMPv6 error about a packet that `quoted` begins (28 or 48 bytes are enough).
Bytes EncodeIcmpError(const Address& source, const Address& destination, std::uint8_t type,
                      std::uint8_t code, std::uint32_t rest, std::span<const std::uint8_t> quoted);

/// "S." and so on: F S R P . U E W in this order, "-" for none.
std::string FlagsText(std::uint8_t flags);
/// The reverse; false if a letter is unknown.
bool ParseFlags(std::string_view text, std::uint8_t* flags);

/// The options as text in their order, e.g. "mss 1460,sackOK,ts 5 100,nop,wscale 7"; SACK edges and
/// the own timestamp are relative to the numbers given. Unknown ones as "kind 254 0102".
struct OptionBase {
  std::uint32_t peer_isn = 0;  // subtracted from SACK edges
  bool has_edge = false;       // SACK edges close to `edge` are told relative to that
  std::uint32_t edge = 0;
  bool has_timestamp = false;  // out: there is a timestamp option
  std::uint32_t ts_value = 0;  // out: its value, shown as "@"
};
std::string OptionsText(std::span<const std::uint8_t> options, OptionBase* base);

/// "mss 1460,nop,ts 100 last" as bytes, padded with zeros to a multiple of four. `last_ts` stands
/// for "last" ("last-20": 20 ms before it); SACK edges get `stack_isn` added. False if a word is
/// unknown.
bool ParseOptions(std::string_view text, std::uint32_t last_ts, std::uint32_t stack_isn,
                  Bytes* options);

}  // namespace oracle
