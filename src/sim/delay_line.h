// A path that keeps its packets until they arrive: for real time, and for any clock but a world's.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <vector>

#include "sim/path.h"

namespace estab::sim {

/// One direction of a path, with the packets that are on their way.
class DelayLine {
 public:
  DelayLine(const PathConfig& config, std::uint64_t seed) : path_(config, seed) {}

  /// A packet is sent at `now`, which never goes backwards. It is copied, as often as it arrives.
  void Send(Time now, std::span<const std::byte> packet);
  /// Hands every packet that has arrived by `now` to `to`, in order of arrival.
  void Deliver(Time now, const std::function<void(std::span<const std::byte>)>& to);
  /// When the next packet arrives; kNever if none is on its way.
  Time next() const { return waiting_.empty() ? kNever : waiting_.begin()->first; }
  const Path& path() const { return path_; }

 private:
  Path path_;
  std::multimap<Time, std::vector<std::byte>> waiting_;  // by arrival
};

}  // namespace estab::sim
