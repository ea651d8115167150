// A group of stacks that are one host to the world: what is ours, and what another's.
//
// Every packet of a connection, and what is said about one by ICMP, belongs to the stack that the
// keyed hash of the four-tuple says. Links need not know: what comes to the wrong stack finds no
// connection there, and only then is it asked whose it is, so that what comes to the right one pays
// nothing.
#include "stack/engine.h"

namespace estab {

bool Stack::Impl::HandOver(std::uint16_t owner, const wire::IpPacket& ip, const Arrival& arrival) {
  const RxPacket packet{.data = ip.whole(),
                        .link = arrival.link,
                        .checksum_ok = arrival.checksum_ok,
                        .gso_size = arrival.gso_size};
  if (shard.others == nullptr || !shard.others->HandOver(owner, packet)) {
    ++counters.hand_over_losses;
    return true;
  }
  ++counters.handed_over;
  --counters.packets_in;  // it counts where it belongs
  return true;
}

bool Stack::Impl::HandedOver(const Tuple& tuple, const wire::IpPacket& ip, const Arrival& arrival) {
  if (shard.count == 1 || arrival.from_us) return false;
  const std::uint16_t owner = ShardOf(Hash(tuple));
  return owner != shard.index && HandOver(owner, ip, arrival);
}

// The fragments of a datagram must meet, and only the first says whose it is: all that come from
// one host to one of our addresses meet in one stack, under its limit for that host.
bool Stack::Impl::FragmentHandedOver(const wire::IpPacket& ip, const Arrival& arrival) {
  if (shard.count == 1 || arrival.from_us) return false;
  const Tuple ends{{ip.destination, 0}, {ip.source, 0}};
  constexpr std::uint8_t kNoProtocol = 0;
  const std::uint16_t owner = ShardOf(stack::HashTuple(keys.table, kNoProtocol, ends));
  return owner != shard.index && HandOver(owner, ip, arrival);
}

std::uint32_t Stack::Impl::ShareOf(std::int32_t limit) const {
  return (static_cast<std::uint32_t>(limit) + shard.count - 1) / shard.count;
}

void Stack::Impl::SetMemoryLimit(std::uint64_t bytes) {
  memory_limit = bytes;
  memory.set_limit(bytes == UINT64_MAX ? bytes : (bytes + shard.count - 1) / shard.count);
}

}  // namespace estab
