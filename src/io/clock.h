// The machine's clock.
#pragma once

#include "estab/time.h"

namespace estab::io {

/// CLOCK_MONOTONIC: nanoseconds since an epoch of the machine's own (its start, mostly). It never
/// runs backwards and does not notice when somebody sets the date.
Time MonotonicNow();

}  // namespace estab::io
