#include "tcp/acceptance.h"

#include <algorithm>

namespace estab::tcp {

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

}  // namespace estab::tcp
