// Does a script to a host and writes down what happens.
#pragma once

#include <vector>

#include "oracle/trace.h"
#include "oracle/world.h"

namespace oracle {

/// Runs a script. `times`, if given, says when each step is to begin: what the kernel was done at
/// those moments is done to estab at the very same ones, so a late scheduler makes no difference.
Trace Run(const Script& script, World& world, const std::vector<Micros>* times);

}  // namespace oracle
