// Who is where on an Ethernet: addresses of IP and the stations that have them, found out by asking
// and asked again now and then (RFC 4861 §7.3, and for ARP the same, as Linux does it).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/prng.h"
#include "base/siphash.h"
#include "estab/address.h"
#include "estab/time.h"
#include "wire/ethernet.h"

namespace estab::stack {

/// What has been heard of a neighbour.
enum class Hearsay : std::uint8_t {
  kAnswer,    // to a question of ours: it is there, and hears us
  kQuestion,  // it asks us: it will want an answer
  kMention,   // anything else: only news about somebody who is known already
};

/// The neighbours of one link. Bounded: of kMost the one that was not used for longest makes way.
/// Addresses are hashed under a key, so that nobody can aim at one chain.
///
/// Times are Linux's: a question is asked three times, a second apart; an answer holds for 15 to 45
/// s; then the address is still used, and asked for again 5 s later, unless a packet answers that.
class Neighbours {
 public:
  static constexpr std::uint32_t kMost = 1024;
  static constexpr std::uint32_t kNone = UINT32_MAX;

  enum class Reach : std::uint8_t {
    kFree,
    kIncomplete,  // asked for, not known
    kReachable,
    kStale,  // known, but for how long?
    kDelay,  // stale and in use: it is asked soon
    kProbe,  // being asked
  };
  struct Neighbour {
    IpAddress address;
    wire::MacAddress mac;
    Reach reach = Reach::kFree;
    std::uint8_t asked = 0;
    std::uint32_t next = kNone;  // in its chain, or among the free
    Time until = kNever;         // of what the state waits for
    Time updated{};
    Time used{};
  };
  /// What is to be done about a neighbour.
  enum class Action : std::uint8_t { kNothing, kAskAll, kAskIt, kGiveUp };

  explicit Neighbours(const SipKey& key);

  /// The neighbour of that address, made if it was not there: then `*action` says that it must be
  /// asked for. It can be sent to if Known. Its number holds until the next call that makes one.
  std::uint32_t Use(Time now, const IpAddress& address, Action* action);
  /// kNone if there is none.
  std::uint32_t Find(const IpAddress& address) const;
  const Neighbour& operator[](std::uint32_t i) const { return neighbours_[i]; }
  static bool Known(const Neighbour& n) { return n.reach > Reach::kIncomplete; }

  /// What is heard; returns the neighbour if it has become known by that, else kNone. `overrides`:
  /// even if another station was known to have the address.
  std::uint32_t Hear(Time now, const IpAddress& address, const wire::MacAddress& mac, Hearsay what,
                     bool overrides = true);

  /// The earliest time at which Next has something to do; kNever.
  Time NextDeadline() const { return deadline_; }
  /// The next neighbour about which something is to be done at `now`, and what; kNone: no more.
  /// After kGiveUp it is gone with the next call, whatever that is.
  std::uint32_t Next(Time now, Action* action);

  std::uint32_t count() const { return count_; }

 private:
  static constexpr std::uint32_t kChains = 512;

  std::uint32_t ChainOf(const IpAddress& address) const;
  std::uint32_t Make(Time now, const IpAddress& address);
  void Remove(std::uint32_t i);
  std::uint32_t LeastUsed() const;
  void Confirm(Time now, Neighbour& n);
  void Await(Neighbour& n, Time until);
  void FindDeadline();

  SipKey key_;
  Prng prng_;
  std::array<Neighbour, kMost> neighbours_{};
  std::array<std::uint32_t, kChains> chains_;
  std::uint32_t free_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t given_up_ = kNone;
  Time deadline_ = kNever;
};

}  // namespace estab::stack
