// A router in the middle of a path: what it does with packets that its next link does not take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "estab/address.h"
#include "sim/path.h"

namespace estab::sim {

/// Whether the path can pass `packet`, a whole IP packet: it is small enough, or may be fragmented.
bool FitsPath(const PathConfig& path, std::span<const std::byte> packet);
/// What a packet that is too big, but may be fragmented, is behind the router.
std::vector<std::vector<std::byte>> FragmentsOf(const PathConfig& path,
                                                std::span<const std::byte> packet);
/// What the router tells the sender of one that does not fit: "fragmentation needed" or "packet too
/// big". Nothing from one that is silent.
std::vector<std::byte> TooBigMessage(const PathConfig& path, std::span<const std::byte> packet);

}  // namespace estab::sim
