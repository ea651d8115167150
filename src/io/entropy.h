// Randomness from the operating system.
#pragma once

#include <cstddef>
#include <span>

namespace estab::io {

/// Fills `bytes` with numbers that nobody can guess (getrandom). Blocks only on a machine that has
/// just started and has none yet. False, with errno set, if the system has none to give.
bool FillRandom(std::span<std::byte> bytes);

}  // namespace estab::io
