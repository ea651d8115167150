// What has arrived and what was lost, of one connection.
#pragma once

#include <cstdint>

#include "estab/time.h"

namespace estab::tcp {

/// In bytes modulo 2^32 (delivery.h).
struct Deliveries {
  std::uint32_t delivered = 0;
  std::uint32_t lost = 0;
  std::uint32_t limited_until = 0;  // with app_limited: until so much is delivered
  bool app_limited = false;         // samples say what the user gives us, not what the path takes
  Time delivered_at{};              // the last delivery
  Time began_at{};                  // when the last sampled segment was sent
};

}  // namespace estab::tcp
