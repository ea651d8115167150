// Addresses, endpoints and prefixes: one form for both families.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace estab {

/// An IP address in 16 bytes of network order. IPv4 is held v4-mapped (::ffff:a.b.c.d, RFC 4291
/// §2.5.5.2), so that tables and comparisons know one form. Value type; default is `::` (any IPv6).
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  /// The IPv4 address whose 32 bits, in host order, are `host_order` (0xC0000201 is 192.0.2.1).
  static constexpr IpAddress V4(std::uint32_t host_order) {
    std::uint64_t low = (std::uint64_t{0xffff} << 32) | host_order;
    if constexpr (std::endian::native == std::endian::little) low = std::byteswap(low);
    IpAddress a;
    a.bytes = std::bit_cast<std::array<std::uint8_t, 16>>(std::array<std::uint64_t, 2>{0, low});
    return a;
  }
  /// 0.0.0.0, v4-mapped.
  static constexpr IpAddress AnyV4() { return V4(0); }
  /// `::`. On a listener it takes both families unless the socket is V6ONLY.
  static constexpr IpAddress AnyV6() { return {}; }

  /// Reads "192.0.2.1" or any RFC 4291 §2.2 form of IPv6 (no zone, no brackets); nullopt for
  /// anything else, including trailing characters.
  static std::optional<IpAddress> Parse(std::string_view text);

  /// The bytes as two words in this machine's order: for comparing and hashing.
  constexpr std::array<std::uint64_t, 2> words() const {
    return std::bit_cast<std::array<std::uint64_t, 2>>(bytes);
  }
  /// True for a v4-mapped address.
  constexpr bool is_v4() const {
    // Bytes 8 to 11: two zeros, ff, ff.
    constexpr bool kLittle = std::endian::native == std::endian::little;
    constexpr std::uint64_t kPart = kLittle ? 0xffffffffu : 0xffffffff00000000u;
    constexpr std::uint64_t kMapped = kLittle ? 0xffff0000u : 0x0000ffff00000000u;
    return words()[0] == 0 && (words()[1] & kPart) == kMapped;
  }
  /// The IPv4 address in host order; meaningful only if is_v4().
  constexpr std::uint32_t v4() const {
    std::uint64_t low = words()[1];
    if constexpr (std::endian::native == std::endian::little) low = std::byteswap(low);
    return static_cast<std::uint32_t>(low);
  }
  /// 0.0.0.0 or `::`.
  constexpr bool is_any() const { return *this == AnyV4() || *this == AnyV6(); }
  /// 224.0.0.0/4 or ff00::/8.
  constexpr bool is_multicast() const {
    return is_v4() ? (bytes[12] & 0xf0) == 0xe0 : bytes[0] == 0xff;
  }
  /// 255.255.255.255.
  constexpr bool is_limited_broadcast() const { return is_v4() && v4() == 0xffffffffu; }

  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;
  friend constexpr bool operator==(const IpAddress& a, const IpAddress& b) {
    return ((a.words()[0] ^ b.words()[0]) | (a.words()[1] ^ b.words()[1])) == 0;
  }
};

/// The longest text of an address: "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255".
inline constexpr std::size_t kAddressTextSize = 46;

/// Writes the canonical text (dotted quad, or RFC 5952 for IPv6) into `out` without a terminator
/// and returns the part written. Never allocates.
std::string_view FormatAddress(const IpAddress& address, std::array<char, kAddressTextSize>& out);

/// An address and a TCP port (host order). Port 0 means "none chosen".
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
  friend constexpr auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

/// "[2001:db8::1]:65535" and the like.
inline constexpr std::size_t kEndpointTextSize = kAddressTextSize + 8;

/// Writes "192.0.2.1:80" or "[2001:db8::1]:80" into `out` and returns the part written.
std::string_view FormatEndpoint(const Endpoint& endpoint, std::array<char, kEndpointTextSize>& out);

/// The two ends of a connection, from this host's point of view.
struct Tuple {
  Endpoint local;
  Endpoint remote;
  friend constexpr auto operator<=>(const Tuple&, const Tuple&) = default;
};

/// A prefix in CIDR form. `length` counts bits of the family's own address (0-32 or 0-128).
struct Prefix {
  IpAddress address;
  std::uint8_t length = 0;

  /// Reads "192.0.2.1/24" or "2001:db8::1/64"; a missing length means the whole address. Host bits
  /// are kept. nullopt for anything malformed, lengths out of range included.
  static std::optional<Prefix> Parse(std::string_view text);

  /// True if `a` is of the same family and shares the first `length` bits.
  constexpr bool Contains(const IpAddress& a) const {
    if (a.is_v4() != address.is_v4()) return false;
    const unsigned bits = length + (address.is_v4() ? 96u : 0u);
    const std::uint64_t high = Differing(a, 0) & LeadingOnes(bits < 64 ? bits : 64);
    const std::uint64_t low = Differing(a, 1) & LeadingOnes(bits < 64 ? 0 : bits - 64);
    return (high | low) == 0;
  }
  friend constexpr bool operator==(const Prefix&, const Prefix&) = default;

 private:
  // The bits of word `i` in which `a` differs, the first one of the address highest.
  constexpr std::uint64_t Differing(const IpAddress& a, std::size_t i) const {
    const std::uint64_t bits = a.words()[i] ^ address.words()[i];
    return std::endian::native == std::endian::little ? std::byteswap(bits) : bits;
  }
  static constexpr std::uint64_t LeadingOnes(unsigned count) {
    return count == 0 ? 0 : ~std::uint64_t{0} << (64 - count);
  }
};

}  // namespace estab
