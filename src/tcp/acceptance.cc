#include "tcp/acceptance.h"

#include <algorithm>

namespace estab::tcp {

bool Acceptable(const ReceiveWindow& window, RcvSeq seq, std::uint32_t length) {
  const std::int32_t first = seq - window.nxt;
  const auto size = static_cast<std::int64_t>(window.size);
  if (first == 0) return true;
  if (length == 0) return first > 0 && first <= size;
  const std::int64_t last = std::int64_t{first} + length - 1;
  return (first >= 0 && first < size) || (last >= 0 && last < size);
}

void TrimToWindow(const ReceiveWindow& window, Arriving& segment) {
  const std::int32_t early = window.nxt - segment.seq;
  if (early > 0) {
    auto cut = static_cast<std::uint32_t>(early);
    if (segment.Has(kSyn)) --cut;  // a SYN occupies the first number, before the data
    if (cut > segment.data.size()) segment.fin = false;
    segment.data = segment.data.subspan(std::min<std::size_t>(cut, segment.data.size()));
    segment.seq = window.nxt;
  }
  const auto offset = static_cast<std::uint32_t>(segment.seq - window.nxt);
  const std::size_t room = window.size > offset ? window.size - offset : 0;
  const bool beyond = segment.fin && offset != 0 && offset >= window.size;
  if (segment.data.size() > room || beyond) {
    segment.data = segment.data.first(std::min(room, segment.data.size()));
    segment.fin = false;
  }
}

bool PawsRejects(std::uint32_t recent, Stamp age, const wire::Segment& segment) {
  constexpr Stamp kOutdated = 24u * 24 * 3600 * 1000;
  if (!segment.options.has_timestamp || segment.Has(kRst)) return false;
  return Precedes(segment.options.ts_value, recent) && age < kOutdated;
}

}  // namespace estab::tcp
