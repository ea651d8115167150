// Time as the engine knows it: an argument of every call, never something it asks for.
#pragma once

#include <chrono>
#include <cstdint>

namespace estab {

/// The engine's clock. It has no `now()` on purpose: whoever drives a stack brings the time along,
/// real or virtual, and the engine is a function of it.
struct CoreClock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<CoreClock>;
  static constexpr bool is_steady = true;
};

/// A span of time in nanoseconds.
using Duration = CoreClock::duration;

/// A moment in nanoseconds since the driver's own epoch. It must never run backwards between two
/// calls into the same stack; equal times are fine.
using Time = CoreClock::time_point;

/// "No deadline": later than every moment.
inline constexpr Time kNever = Time::max();

}  // namespace estab
