#include "sim/delay_line.h"

#include "sim/packet_view.h"

namespace estab::sim {

void DelayLine::Send(Time now, std::span<const std::byte> packet) {
  const Fate fate = path_.Offer(now, packet.size(), IsEcnCapable(packet));
  for (std::size_t i = 0; i < fate.copies; ++i) {
    const auto copy =
        waiting_.emplace(fate.at[i], std::vector<std::byte>(packet.begin(), packet.end()));
    if (fate.marked) MarkCongestion(copy->second);
    if (fate.corrupt) path_.Corrupt(copy->second);
  }
}

void DelayLine::Deliver(Time now, const std::function<void(std::span<const std::byte>)>& to) {
  while (next() <= now) {
    to(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
  }
}

}  // namespace estab::sim
