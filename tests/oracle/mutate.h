// Scripts with something wrong in them: changed flags, numbers, options, order.
#pragma once

#include <cstdint>
#include <vector>

#include "oracle/script.h"

namespace oracle {

/// The mutant `number` of `seed`: one of `bases` with one to three changes. The same arguments give
/// the same mutant.
Script Mutate(const std::vector<Script>& bases, std::uint64_t seed, std::uint64_t number);

}  // namespace oracle
