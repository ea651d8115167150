// Counters and gauges of a stack, for people and in the Prometheus text format.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "estab/stack.h"

namespace estab::observe {

/// What lives, by state; filled by a walk (Stack::List), which may be shared out.
class Census {
 public:
  /// Connections that the peer has closed and our application has not, at one local port.
  struct Leak {
    std::uint64_t count = 0;
    Duration oldest{};  // how long the peer of the oldest has been silent
  };

  void Add(const ConnectionInfo& info);

  std::uint64_t Of(State state) const { return counts_[static_cast<std::size_t>(state)]; }
  std::uint64_t total() const { return total_; }
  /// CLOSE_WAIT by local port.
  const std::map<std::uint16_t, Leak>& close_wait() const { return close_wait_; }

 private:
  std::array<std::uint64_t, 12> counts_{};
  std::uint64_t total_ = 0;
  std::map<std::uint16_t, Leak> close_wait_;
};

/// The stack's counters by name, in the order of their declaration.
std::vector<std::pair<const char*, std::uint64_t>> CounterList(const StackCounters& counters);

/// Adds the figures of another stack of a group.
void Accumulate(StackCounters& sum, const StackCounters& more);

/// All of it in the Prometheus text format, version 0.0.4. `rules` as Stack::RuleCounters gives
/// them; those that never fired are there with 0.
std::string MetricsText(const StackCounters& counters, std::span<const std::uint64_t> rules,
                        const Census& census);

}  // namespace estab::observe
