#include "observe/isn_book.h"

#include <algorithm>

namespace estab::observe {
namespace {

// Numbers farther than this from every ISN belong to none of them.
constexpr std::uint32_t kFarthest = 1u << 30;

std::uint32_t Distance(std::uint32_t a, std::uint32_t b) { return std::min(a - b, b - a); }

}  // namespace

std::optional<IsnBase> IsnBook::Nearest(const Key& key, std::uint32_t number) const {
  const auto it = isns_.find(key);
  if (it == isns_.end()) return std::nullopt;
  std::optional<IsnBase> best;
  for (std::size_t i = 0; i < it->second.size(); ++i) {
    const std::uint32_t isn = it->second[i];
    const std::uint32_t distance = Distance(number, isn);
    if (distance >= kFarthest || (best && Distance(number, best->isn) < distance)) continue;
    best = {isn, static_cast<std::uint8_t>(std::min<std::size_t>(i, 9))};
  }
  return best;
}

SegmentBases IsnBook::Look(const SegmentSummary& segment, const Endpoint& sender,
                           const Endpoint& receiver, bool remember) {
  const Key own{sender, receiver};
  if ((segment.flags & kSyn) != 0) {
    std::vector<std::uint32_t>& isns = isns_[own];
    const bool known = std::find(isns.begin(), isns.end(), segment.seq) != isns.end();
    if (!known && (remember || isns.empty())) isns.push_back(segment.seq);
  }
  SegmentBases bases;
  // The reset that answers a segment without ACK has sequence number 0, whatever went before.
  const bool zero = (segment.flags & kRst) != 0 && segment.seq == 0;
  if (!zero) bases.seq = Nearest(own, segment.seq);
  bases.ack = Nearest({receiver, sender}, segment.ack);
  return bases;
}

}  // namespace estab::observe
