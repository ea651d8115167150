#include "stack/isn.h"

#include <cstring>

#include "base/bytes.h"

namespace estab::stack {
namespace {

std::uint64_t HashWith(const SipKey& key, const Tuple& tuple, std::uint8_t purpose) {
  std::byte message[37];
  message[0] = static_cast<std::byte>(purpose);
  std::memcpy(message + 1, tuple.local.address.bytes.data(), 16);
  std::memcpy(message + 17, tuple.remote.address.bytes.data(), 16);
  Store16(message + 33, tuple.local.port);
  Store16(message + 35, tuple.remote.port);
  return SipHash24(key, message);
}

}  // namespace

SndSeq InitialSequence(const SipKey& key, const Tuple& tuple, Time now, std::int64_t tick_ns) {
  const auto ticks = static_cast<std::uint32_t>(now.time_since_epoch().count() / tick_ns);
  return SndSeq(static_cast<std::uint32_t>(HashWith(key, tuple, 0)) + ticks);
}

std::uint32_t TimestampOffset(const SipKey& key, const Tuple& tuple) {
  return static_cast<std::uint32_t>(HashWith(key, tuple, 1));
}

}  // namespace estab::stack
