// Remembers initial sequence numbers, so that others can be written relative to them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "estab/address.h"
#include "estab/observer.h"

namespace estab::observe {

/// An ISN, and how many its sender had chosen for the same two ends before it: 0 for x, 1 for x'.
struct IsnBase {
  std::uint32_t isn = 0;
  std::uint8_t nth = 0;
};

/// What sequence numbers a segment's own are counted from.
struct SegmentBases {
  std::optional<IsnBase> seq;  // nullopt: not known, or too far from every known one
  std::optional<IsnBase> ack;
};

/// The ISNs of every pair of ends. When a connection opens again on the same four-tuple, numbers
/// of the old one and of the new one are told apart by which ISN they are nearer to.
class IsnBook {
 public:
  /// Takes note of a SYN and says what the segment's numbers count from. Unless `remember`, a SYN
  /// counts only if its sender has no ISN yet: forged and old segments.
  SegmentBases Look(const SegmentSummary& segment, const Endpoint& sender, const Endpoint& receiver,
                    bool remember);

 private:
  using Key = std::pair<Endpoint, Endpoint>;  // sender, receiver
  std::optional<IsnBase> Nearest(const Key& key, std::uint32_t number) const;

  std::map<Key, std::vector<std::uint32_t>> isns_;
};

}  // namespace estab::observe
