// The TCP header and its options, from and to bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

#include "estab/address.h"
#include "estab/packet.h"
#include "wire/ip.h"
#include "wire/segment.h"

namespace estab::wire {

inline constexpr std::size_t kTcpHeaderSize = 20;     // without options
inline constexpr std::size_t kMaxTcpHeaderSize = 60;  // with all that fit
/// Where the checksum lies in the header.
inline constexpr std::size_t kTcpSequenceOffset = 4;
inline constexpr std::size_t kTcpChecksumOffset = 16;

/// Decodes a TCP header, its options and the payload behind it (RFC 9293 §3.1). The checksum is not
/// looked at. Only kTooShort and kBadHeaderLength can be wrong with it.
///
/// Options are read as Linux reads them: unknown ones are skipped by their length, one whose length
/// is wrong for its kind is skipped too, one with a length below 2 or beyond the end stops the
/// reading and what came before it counts; of two of a kind the last counts. They are reported on
/// any segment and with the value sent, zero included: what a SYN alone may carry is for the caller
/// to ignore elsewhere. A Fast Open cookie counts if it is empty or has an even number of 4 to 16
/// bytes (RFC 7413 §4.1.1).
std::expected<Segment, DecodeError> DecodeTcp(std::span<const std::byte> tcp);

/// Reads what lies before the options of a TCP segment of at least 20 bytes: no more than that.
void ReadFixedHeader(std::span<const std::byte> tcp, Segment& segment);

/// The ends of the TCP segment in the packet that begins at bytes[0], as its receiver sees them, at
/// a glance: nothing but what this takes has been looked at. False for fragments, for IPv6
/// extension headers, and for whatever else is no plain segment.
bool PeekTuple(std::span<const std::byte> bytes, Tuple& tuple);

/// True if the TCP checksum over the payload of `packet` is right.
bool TcpChecksumValid(const IpPacket& packet);

/// The size of the header that EncodeTcp writes for `segment`: 20 to 60, a multiple of 4.
std::size_t TcpHeaderSize(const Segment& segment);

/// Writes the header with its options, not the payload, and returns its size. The checksum field is
/// zero. `out` must have room for TcpHeaderSize(segment).
///
/// Options have the order and padding of Linux: MSS; SACK-permitted and timestamps together, each
/// alone behind two NOPs; NOP, window scale; two NOPs, SACK blocks; Fast Open cookie, padded with
/// NOPs. As many SACK blocks are written as fit the 40 bytes (3 with timestamps, 4 without). A
/// cookie that does not fit, or whose size is none that RFC 7413 allows, is left out.
std::size_t EncodeTcp(std::span<std::byte> out, const Segment& segment);

/// Makes the header of another segment of it: with this number and these flags (TcpFlag bits), and
/// zero for a checksum.
void RenumberTcp(std::span<std::byte> header, std::uint32_t seq, std::uint16_t flags);

/// The checksum to store for `header` and `payload` between these addresses. The field in `header`
/// must be zero.
std::uint16_t TcpChecksum(const IpAddress& source, const IpAddress& destination,
                          std::span<const std::byte> header, std::span<const Slice> payload);

/// What a link that fills in checksums wants in the field: the sum of the pseudo-header of a TCP
/// segment of `length` bytes, header included.
std::uint16_t TcpPartialChecksum(const IpAddress& source, const IpAddress& destination,
                                 std::uint32_t length);

/// Writes `checksum` (host order) into its field. `tcp_header` has at least 20 bytes.
void StoreTcpChecksum(std::span<std::byte> tcp_header, std::uint16_t checksum);

}  // namespace estab::wire
