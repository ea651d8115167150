#include "stack/syn_cookie.h"

#include <array>
#include <cstring>

#include "base/bytes.h"

namespace estab::stack {
namespace {

// What links have in common; a peer's MSS is rounded down to one of them. As Linux.
constexpr std::array<std::uint16_t, 4> kMssV4 = {536, 1300, 1440, 1460};
constexpr std::array<std::uint16_t, 4> kMssV6 = {1220, 1420, 1440, 8940};

const std::array<std::uint16_t, 4>& MssTable(const Tuple& tuple) {
  return tuple.remote.address.is_v4() ? kMssV4 : kMssV6;
}

std::uint32_t MinuteOf(Time now) {
  return static_cast<std::uint32_t>(now.time_since_epoch() / std::chrono::minutes(1));
}

constexpr unsigned kHashBits = 29;
constexpr std::uint32_t kHashMask = (1u << kHashBits) - 1;

std::uint32_t Compose(const SipKey& key, const Tuple& tuple, std::uint32_t peer_iss,
                      std::uint32_t minute, std::uint32_t mss_index) {
  std::byte message[45];
  std::memcpy(message, tuple.local.address.bytes.data(), 16);
  std::memcpy(message + 16, tuple.remote.address.bytes.data(), 16);
  Store16(message + 32, tuple.local.port);
  Store16(message + 34, tuple.remote.port);
  Store32(message + 36, peer_iss);
  Store32(message + 40, minute);
  message[44] = static_cast<std::byte>(mss_index);
  const auto hash = static_cast<std::uint32_t>(SipHash24(key, message)) & kHashMask;
  return (minute & 1) << 31 | mss_index << kHashBits | hash;
}

// The lowest six bits of the timestamp.
constexpr std::uint32_t kScaleMask = 0xf;  // all ones: no window scaling
constexpr std::uint32_t kSack = 0x10;
constexpr std::uint32_t kEcn = 0x20;
constexpr std::uint32_t kAllBits = 0x3f;

}  // namespace

std::uint32_t MakeSynCookie(const SipKey& key, const Tuple& tuple, std::uint32_t peer_iss, Time now,
                            std::uint16_t peer_mss) {
  const auto& table = MssTable(tuple);
  auto index = static_cast<std::uint32_t>(table.size() - 1);
  while (index != 0 && table[index] > peer_mss) --index;
  return Compose(key, tuple, peer_iss, MinuteOf(now), index);
}

std::optional<std::uint16_t> CheckSynCookie(const SipKey& key, const Tuple& tuple,
                                            std::uint32_t peer_iss, Time now,
                                            std::uint32_t cookie) {
  const std::uint32_t this_minute = MinuteOf(now);
  const std::uint32_t minute = this_minute - ((this_minute ^ cookie >> 31) & 1);
  const std::uint32_t index = cookie >> kHashBits & 3;
  if (Compose(key, tuple, peer_iss, minute, index) != cookie) return std::nullopt;
  return MssTable(tuple)[index];
}

tcp::Stamp PackOptions(tcp::Stamp now, const tcp::HalfOpen& half) {
  std::uint32_t bits = half.window_scaling ? half.send_scale : kScaleMask;
  if (half.sack) bits |= kSack;
  if (half.ecn) bits |= kEcn;
  const tcp::Stamp packed = (now & ~kAllBits) | bits;
  return Precedes(now, packed) ? packed - (kAllBits + 1) : packed;
}

wire::TcpOptions UnpackOptions(std::uint32_t packed) {
  wire::TcpOptions options;
  options.has_timestamp = true;
  options.sack_permitted = (packed & kSack) != 0;
  options.has_window_scale = (packed & kScaleMask) != kScaleMask;
  if (options.has_window_scale) {
    options.window_scale = static_cast<std::uint8_t>(packed & kScaleMask);
  }
  return options;
}

bool UnpackEcn(std::uint32_t packed) { return (packed & kEcn) != 0; }

}  // namespace estab::stack
