// What is known of the paths to other hosts: their MTUs, as routers told them.
#pragma once

#include <array>
#include <cstdint>

#include "base/memory.h"
#include "base/siphash.h"
#include "estab/address.h"
#include "estab/time.h"

namespace estab::stack {

/// A path's MTU.
struct PathMtu {
  std::uint32_t mtu = 0;
  bool locked = false;  // less than we go down to: packets go without DF (Linux: ip_mtu_locked)
};

/// By destination: a fixed number of places, found by a keyed hash. A destination has kWays of
/// them; who needs one when all are taken gets the one that was told of longest ago. Only messages
/// about what is in flight come here, so nobody can fill it who is not talked to.
class PathCache {
 public:
  /// Takes nothing from `memory` before the first Store. `memory` must outlive the cache.
  explicit PathCache(Memory& memory) : memory_(&memory) {}
  ~PathCache();
  PathCache(const PathCache&) = delete;
  PathCache& operator=(const PathCache&) = delete;

  /// How many are kept, those included that have expired since.
  std::uint32_t size() const { return size_; }
  /// nullptr if nothing is known, or not any more.
  const PathMtu* Find(const SipKey& key, const IpAddress& destination, Time now) const;
  /// Keeps it until `until`, if there is memory.
  void Store(const SipKey& key, const IpAddress& destination, const PathMtu& path, Time until);

 private:
  struct Entry {
    IpAddress destination;
    PathMtu path;
    Time until{};
  };
  static constexpr std::size_t kSets = 256;
  static constexpr std::size_t kWays = 4;
  using Set = std::array<Entry, kWays>;  // the newest first
  static std::size_t SetOf(const SipKey& key, const IpAddress& destination);

  Memory* memory_;
  Set* sets_ = nullptr;
  std::uint32_t size_ = 0;
};

}  // namespace estab::stack
