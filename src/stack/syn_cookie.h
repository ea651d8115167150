// SYN cookies (RFC 4987 §3.6): a SYN|ACK that is its own record. Everything that the final ACK must
// bring back lies in its sequence number and in the low bits of its timestamp.
#pragma once

#include <cstdint>
#include <optional>

#include "base/siphash.h"
#include "estab/address.h"
#include "estab/time.h"
#include "tcp/half_open.h"
#include "wire/segment.h"

namespace estab::stack {

/// How long after the last cookie a final ACK is still looked at; a cookie itself is good for one
/// minute at least and two at most.
constexpr Duration kCookieTime = std::chrono::seconds(120);

/// The sequence number of the SYN|ACK: which of four MSS values, the minute's lowest bit, and 29
/// bits of SipHash-2-4 over the four-tuple, the peer's sequence number, the minute and the MSS.
std::uint32_t MakeSynCookie(const SipKey& key, const Tuple& tuple, std::uint32_t peer_iss, Time now,
                            std::uint16_t peer_mss);

/// The peer's MSS (the next lower of the four) if `cookie` was made for this tuple and number
/// within this minute or the last.
std::optional<std::uint16_t> CheckSynCookie(const SipKey& key, const Tuple& tuple,
                                            std::uint32_t peer_iss, Time now, std::uint32_t cookie);

/// The timestamp clock with what was agreed on in its lowest six bits, as Linux packs it: never
/// later than `now`, and at most 127 ms earlier.
tcp::Stamp PackOptions(tcp::Stamp now, const tcp::HalfOpen& half);

/// The options of the SYN that `packed`, the timestamp come back (offset taken off), stands for.
wire::TcpOptions UnpackOptions(std::uint32_t packed);
/// Whether that SYN asked for ECN, and was to have it.
bool UnpackEcn(std::uint32_t packed);

}  // namespace estab::stack
