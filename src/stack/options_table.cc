#include "stack/options_table.h"

#include <array>
#include <cstring>
#include <type_traits>

namespace estab::stack {
namespace {

// Options are the user's own choice, not the wire's: a plain mix of the fields is enough.
std::uint32_t HashOptions(const SocketOptions& o) {
  std::uint64_t h = 0x9e3779b97f4a7c15u;
  const auto mix = [&h](std::uint64_t value) {
    h = (h ^ value) * 0xff51afd7ed558ccdu;
    h ^= h >> 32;
  };
  mix((std::uint64_t{o.reuse_port} << 7) | (std::uint64_t{o.cork} << 6) |
      (std::uint64_t{o.urgent_inline} << 5) | (std::uint64_t{o.reuse_address} << 4) |
      (std::uint64_t{o.keepalive} << 3) | (std::uint64_t{o.no_delay} << 2) |
      (std::uint64_t{o.v6_only} << 1) | std::uint64_t{o.linger});
  mix((std::uint64_t{o.hop_limit} << 40) | (std::uint64_t{o.traffic_class} << 32) |
      (std::uint64_t{o.tos} << 24) | (std::uint64_t{o.ttl} << 16) |
      (std::uint64_t{o.syn_count} << 8) | o.keepalive_count);
  mix((std::uint64_t{static_cast<std::uint8_t>(o.congestion)} << 48) |
      (std::uint64_t{o.max_segment} << 32) | o.linger_seconds);
  mix((std::uint64_t{o.fast_open_queue} << 16) | (std::uint64_t{o.defer_accept} << 8) |
      (std::uint64_t{o.fast_open_connect} << 1) | std::uint64_t{o.fast_open_no_cookie});
  mix((std::uint64_t{o.port_min} << 32) | (std::uint64_t{o.port_max} << 16) |
      (std::uint64_t{o.fast_open_keys} << 1) | std::uint64_t{o.bind_address_only});
  std::array<std::uint64_t, 4> secrets;
  static_assert(sizeof(secrets) == sizeof(o.fast_open_key));
  std::memcpy(secrets.data(), o.fast_open_key.data(), sizeof(secrets));
  for (const std::uint64_t part : secrets) mix(part);
  mix((std::uint64_t{o.send_buffer} << 32) | o.receive_buffer);
  mix((std::uint64_t{o.keepalive_idle} << 32) | o.keepalive_interval);
  mix((std::uint64_t{static_cast<std::uint32_t>(o.fin_wait2_seconds)} << 32) | o.user_timeout_ms);
  mix((std::uint64_t{o.receive_low_water} << 32) | o.unsent_low_water);
  mix((std::uint64_t{o.window_clamp} << 32) | o.rto_max_ms);
  mix(o.max_pacing_rate ^ std::uint64_t{o.paced});
  return static_cast<std::uint32_t>(h);
}

}  // namespace

OptionsTable::Block* OptionsTable::BlockOf(const SocketOptions* options) {
  static_assert(std::is_standard_layout_v<Block>);
  return reinterpret_cast<Block*>(const_cast<SocketOptions*>(options));
}

bool OptionsTable::Begin() {
  default_ = Intern(SocketOptions{});
  return default_ != nullptr;
}

const SocketOptions* OptionsTable::Intern(const SocketOptions& options) {
  const std::uint32_t hash = HashOptions(options);
  const std::uint32_t found =
      index_.Find(hash, [&](std::uint32_t slot) { return blocks_[slot].options == options; });
  if (found != HashIndex::kNone) return Ref(&blocks_[found].options);
  const std::uint32_t slot = blocks_.Create();
  if (slot == kNoSlot) return nullptr;
  Block& block = blocks_[slot];
  block = {options, 1, slot, hash};
  if (!index_.Insert(hash, slot)) {
    blocks_.Destroy(slot);
    return nullptr;
  }
  return &block.options;
}

const SocketOptions* OptionsTable::Ref(const SocketOptions* block) {
  ++BlockOf(block)->references;
  return block;
}

void OptionsTable::Unref(const SocketOptions* options) {
  Block* block = BlockOf(options);
  if (--block->references != 0) return;
  index_.Erase(block->hash, block->slot);
  blocks_.Destroy(block->slot);
}

}  // namespace estab::stack
