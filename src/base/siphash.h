// Keyed hashes: SipHash, which an outsider cannot steer without the key.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace estab {

using SipKey = std::array<std::uint8_t, 16>;

/// SipHash-1-3: for tables.
std::uint64_t SipHash13(const SipKey& key, std::span<const std::byte> message);
/// SipHash-2-4: for what the wire shows (ISNs, timestamps, cookies).
std::uint64_t SipHash24(const SipKey& key, std::span<const std::byte> message);

}  // namespace estab
