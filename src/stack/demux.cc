#include "stack/demux.h"

namespace estab::stack {

std::uint32_t HashTuple(const SipKey& key, std::uint8_t protocol, const Tuple& tuple) {
  const Endpoint& local = tuple.local;
  const Endpoint& remote = tuple.remote;
  const std::uint64_t rest = (std::uint64_t{protocol} << 32) | (std::uint64_t{local.port} << 16) |
                             std::uint64_t{remote.port};
  if (local.address.is_v4() && remote.address.is_v4()) {
    const std::uint64_t addresses = (std::uint64_t{local.address.v4()} << 32) | remote.address.v4();
    return static_cast<std::uint32_t>(SipHash13(key, std::array{addresses, rest}));
  }
  const auto [l0, l1] = local.address.words();
  const auto [r0, r1] = remote.address.words();
  return static_cast<std::uint32_t>(SipHash13(key, std::array{l0, l1, r0, r1, rest}));
}

}  // namespace estab::stack
