#include "api/exchange.h"

#include <algorithm>
#include <utility>

namespace estab::api {

Result<std::shared_ptr<Exchange>> Exchange::Create(std::size_t count) {
  if (count < 1 || count > kMost) return std::unexpected(Error::kInvalid);
  const auto shards = static_cast<std::uint16_t>(count);
  std::shared_ptr<Exchange> exchange(new Exchange(shards));
  for (std::uint16_t i = 0; i < shards; ++i) {
    auto event = io::Event::Create();
    if (!event) return std::unexpected(event.error().error);
    exchange->ends_.push_back(std::make_unique<End>(*exchange, i, std::move(*event)));
    for (std::uint16_t to = 0; to < shards; ++to) {
      if (to != i) exchange->rings_[std::size_t{i} * count + to] = std::make_unique<PacketRing>();
    }
  }
  return exchange;
}

// Stacks with different secrets would send a packet to and fro for ever.
bool Exchange::End::HasComeFromAnother(const RxPacket& packet) const {
  return std::any_of(collecting_.begin(), collecting_.end(),
                     [&](const RxPacket& came) { return came.data.data() == packet.data.data(); });
}

bool Exchange::End::HandOver(std::uint16_t owner, const RxPacket& packet) {
  if (HasComeFromAnother(packet)) return false;
  if (!exchange_.Ring(index_, owner).Push(packet)) return false;
  owed_[owner] = 1;
  owes_ = true;
  return true;
}

void Exchange::End::Flush() {
  if (!std::exchange(owes_, false)) return;
  for (std::size_t i = 0; i < owed_.size(); ++i) {
    if (std::exchange(owed_[i], 0) != 0) exchange_.end(i).Wake();
  }
}

}  // namespace estab::api
