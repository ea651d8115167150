#include "stack/isn.h"

namespace estab::stack {

Origins OriginsOf(const SipKey& key, const Tuple& tuple) {
  const Endpoint& local = tuple.local;
  const Endpoint& remote = tuple.remote;
  const std::uint64_t ports = (std::uint64_t{local.port} << 16) | std::uint64_t{remote.port};
  std::uint64_t hash = 0;
  if (local.address.is_v4() && remote.address.is_v4()) {
    const std::uint64_t addresses = (std::uint64_t{local.address.v4()} << 32) | remote.address.v4();
    hash = SipHash24(key, std::array{addresses, ports});
  } else {
    const auto [l0, l1] = local.address.words();
    const auto [r0, r1] = remote.address.words();
    hash = SipHash24(key, std::array{l0, l1, r0, r1, ports});
  }
  return {static_cast<std::uint32_t>(hash), static_cast<std::uint32_t>(hash >> 32)};
}

SndSeq InitialSequence(const Origins& origins, Time now, std::int64_t tick_ns) {
  const auto ticks = static_cast<std::uint32_t>(now.time_since_epoch().count() / tick_ns);
  return SndSeq(origins.sequence + ticks);
}

}  // namespace estab::stack
