// One direction of a path through a network: how long it takes and what it does to packets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/prng.h"
#include "estab/time.h"

namespace estab::sim {

/// Parts per million; a million is always.
using Ppm = std::uint32_t;
inline constexpr Ppm kAlways = 1'000'000;

/// What a router says about a packet that is too big for its next link.
enum class Router : std::uint8_t {
  kTells,   // how much it takes
  kOld,     // that it is too big (IPv4, before RFC 1191)
  kSilent,  // nothing: a black hole
};

/// What a path is like. The default is perfect: no delay, no limit, no harm.
struct PathConfig {
  Duration delay{};               // from the last bit sent to its arrival
  Duration jitter{};              // up to this much more, even; packets keep their order
  std::uint64_t rate_bps = 0;     // bits of IP packets per second; 0: without limit
  std::uint32_t queue_bytes = 0;  // waiting or being sent; what does not fit is lost; 0: no limit
  /// What finds more than this waiting is marked, if its sender can take it (RFC 3168); 0: never.
  std::uint32_t mark_bytes = 0;
  /// Of the narrowest link, which is in the middle; 0: it takes everything.
  std::uint32_t mtu = 0;
  Router router = Router::kTells;
  Ppm loss_ppm = 0;
  Ppm duplicate_ppm = 0;  // comes a second time, right behind the first
  Ppm corrupt_ppm = 0;    // one bit flips
  Ppm reorder_ppm = 0;    // takes `reorder_delay` longer and may be overtaken
  Duration reorder_delay{};
  Duration reorder_spread{};  // up to this much longer still, even
};

/// Why a packet did not arrive.
enum class Loss : std::uint8_t { kNone, kRandom, kQueueFull, kFault, kTooBig };
/// "", "lost", "queue full", "lost by fault", "too big". Static storage.
const char* LossText(Loss loss);

/// What becomes of one packet.
struct Fate {
  static constexpr std::size_t kMostCopies = 4;
  Loss loss = Loss::kNone;
  std::uint8_t copies = 0;  // how many arrive; 0 if it is lost
  bool corrupt = false;     // all of them with a flipped bit
  bool reordered = false;
  bool marked = false;      // congestion experienced (CE)
  bool fragmented = false;  // a router cut it up
  std::array<Time, kMostCopies> at{};

  /// One more arrival, if there is room.
  void AddCopy(Time when) {
    if (copies < kMostCopies) at[copies++] = when;
  }
};

/// What a path has done so far, in packets.
struct PathCounters {
  std::uint64_t offered = 0;
  std::uint64_t lost = 0;        // by chance
  std::uint64_t queue_full = 0;  // no room
  std::uint64_t marked = 0;      // waited behind more than mark_bytes
  std::uint64_t bytes_sent = 0;  // through the rate limit, those lost by chance behind it included
};

/// Decides the fate of packets in the order in which they are offered. The same seed and the same
/// packets have the same fates. Holds no packets.
class Path {
 public:
  Path(const PathConfig& config, std::uint64_t seed) : config_(config), prng_(seed) {}

  /// A packet of `bytes` bytes is sent at `now`, which never goes backwards. `ecn_capable`: it may
  /// be marked.
  Fate Offer(Time now, std::size_t bytes, bool ecn_capable = false);
  /// Flips one bit of `packet`, anywhere. A single flip never escapes an Internet checksum.
  void Corrupt(std::span<std::byte> packet);

  const PathConfig& config() const { return config_; }
  const PathCounters& counters() const { return counters_; }
  /// Takes effect with the next packet; what is on its way stays so.
  void set_config(const PathConfig& config) { config_ = config; }

 private:
  Duration UpTo(Duration most);  // by chance, even

  PathConfig config_;
  PathCounters counters_;
  Prng prng_;
  Time free_at_{};  // when the sender has sent all that it took
  Time last_{};     // the latest arrival in order
};

}  // namespace estab::sim
