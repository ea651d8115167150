#include "stack/demux.h"

#include <cstring>

#include "base/bytes.h"

namespace estab::stack {

std::uint32_t HashTuple(const SipKey& key, std::uint8_t protocol, const Tuple& tuple) {
  std::byte message[37];
  std::byte* p = message;
  *p++ = static_cast<std::byte>(protocol);
  Store16(p, tuple.local.port);
  Store16(p + 2, tuple.remote.port);
  p += 4;
  const bool v4 = tuple.local.address.is_v4() && tuple.remote.address.is_v4();
  const std::size_t skip = v4 ? 12 : 0;
  for (const IpAddress* a : {&tuple.local.address, &tuple.remote.address}) {
    std::memcpy(p, a->bytes.data() + skip, 16 - skip);
    p += 16 - skip;
  }
  const auto size = static_cast<std::size_t>(p - message);
  return static_cast<std::uint32_t>(SipHash13(key, {message, size}));
}

}  // namespace estab::stack
