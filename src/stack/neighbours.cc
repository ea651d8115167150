#include "stack/neighbours.h"

#include <algorithm>
#include <cstring>

namespace estab::stack {
namespace {

constexpr std::uint8_t kQuestions = 3;
constexpr Duration kBetweenQuestions = std::chrono::seconds(1);
constexpr Duration kBeforeProbing = std::chrono::seconds(5);
constexpr Duration kLeastReachable = std::chrono::seconds(15);
constexpr std::uint64_t kReachableSpread = 30'000;  // milliseconds
// Two stations that both claim an address do not change it with every packet (Linux: locktime).
constexpr Duration kLock = std::chrono::seconds(1);

std::uint64_t SeedFrom(const SipKey& key) {
  std::uint64_t seed;
  std::memcpy(&seed, key.data(), sizeof(seed));
  return seed;
}

}  // namespace

Neighbours::Neighbours(const SipKey& key) : key_(key), prng_(SeedFrom(key)) {
  chains_.fill(kNone);
  for (std::uint32_t i = 0; i < kMost; ++i) neighbours_[i].next = i + 1 < kMost ? i + 1 : kNone;
}

std::uint32_t Neighbours::ChainOf(const IpAddress& address) const {
  return static_cast<std::uint32_t>(SipHash13(key_, std::as_bytes(std::span(address.bytes)))) %
         kChains;
}

std::uint32_t Neighbours::Find(const IpAddress& address) const {
  std::uint32_t i = chains_[ChainOf(address)];
  while (i != kNone && neighbours_[i].address != address) i = neighbours_[i].next;
  return i;
}

std::uint32_t Neighbours::LeastUsed() const {
  // Packets may wait for those that are asked for: their turn comes last.
  std::uint32_t least = 0;
  for (std::uint32_t i = 1; i < kMost; ++i) {
    const Neighbour& a = neighbours_[i];
    const Neighbour& b = neighbours_[least];
    if (Known(a) != Known(b) ? Known(a) : a.used < b.used) least = i;
  }
  return least;
}

std::uint32_t Neighbours::Make(Time now, const IpAddress& address) {
  if (free_ == kNone) Remove(LeastUsed());
  const std::uint32_t i = free_;
  Neighbour& n = neighbours_[i];
  free_ = n.next;
  n = Neighbour{};
  n.address = address;
  n.reach = Reach::kIncomplete;
  n.used = now;
  std::uint32_t& chain = chains_[ChainOf(address)];
  n.next = chain;
  chain = i;
  ++count_;
  return i;
}

void Neighbours::Remove(std::uint32_t i) {
  Neighbour& n = neighbours_[i];
  std::uint32_t* link = &chains_[ChainOf(n.address)];
  while (*link != i) link = &neighbours_[*link].next;
  *link = n.next;
  n = Neighbour{};
  n.next = free_;
  free_ = i;
  --count_;
  if (given_up_ == i) given_up_ = kNone;
}

void Neighbours::Await(Neighbour& n, Time until) {
  n.until = until;
  deadline_ = std::min(deadline_, until);
}

void Neighbours::Confirm(Time now, Neighbour& n) {
  n.reach = Reach::kReachable;
  n.asked = 0;
  // Not awaited: it is looked at when the neighbour is used.
  n.until = now + kLeastReachable +
            std::chrono::milliseconds(static_cast<std::int64_t>(prng_.Below(kReachableSpread)));
}

std::uint32_t Neighbours::Use(Time now, const IpAddress& address, Action* action) {
  *action = Action::kNothing;
  std::uint32_t i = Find(address);
  if (i == kNone || i == given_up_) {
    if (i != kNone) Remove(i);
    i = Make(now, address);
    neighbours_[i].asked = 1;
    Await(neighbours_[i], now + kBetweenQuestions);
    *action = Action::kAskAll;
    return i;
  }
  Neighbour& n = neighbours_[i];
  n.used = now;
  if (n.reach == Reach::kReachable && n.until <= now) n.reach = Reach::kStale;
  if (n.reach == Reach::kStale) {
    n.reach = Reach::kDelay;
    Await(n, now + kBeforeProbing);
  }
  return i;
}

std::uint32_t Neighbours::Hear(Time now, const IpAddress& address, const wire::MacAddress& mac,
                               Hearsay what, bool overrides) {
  std::uint32_t i = Find(address);
  if (i == kNone) {
    if (what != Hearsay::kQuestion) return kNone;
    i = Make(now, address);
  }
  Neighbour& n = neighbours_[i];
  const bool was_known = Known(n);
  const bool moved = was_known && n.mac != mac;
  if (moved && (!overrides || now < n.updated + kLock)) return kNone;
  // An answer that nobody waits for says no more than any other mention.
  const bool answers = what == Hearsay::kAnswer && n.reach != Reach::kStale;
  n.mac = mac;
  if (!was_known || moved) n.updated = now;
  if (answers) {
    Confirm(now, n);
  } else if (!was_known || moved) {
    n.reach = Reach::kStale;
    n.until = kNever;
    n.asked = 0;
  }
  if (given_up_ == i) given_up_ = kNone;
  return was_known ? kNone : i;
}

void Neighbours::FindDeadline() {
  deadline_ = kNever;
  for (const Neighbour& n : neighbours_) {
    const bool waits =
        n.reach == Reach::kIncomplete || n.reach == Reach::kDelay || n.reach == Reach::kProbe;
    if (waits) deadline_ = std::min(deadline_, n.until);
  }
}

std::uint32_t Neighbours::Next(Time now, Action* action) {
  if (given_up_ != kNone) Remove(given_up_);
  *action = Action::kNothing;
  if (deadline_ > now) return kNone;
  for (std::uint32_t i = 0; i < kMost; ++i) {
    Neighbour& n = neighbours_[i];
    const bool waits =
        n.reach == Reach::kIncomplete || n.reach == Reach::kDelay || n.reach == Reach::kProbe;
    if (!waits || n.until > now) continue;
    if (n.asked == kQuestions) {
      given_up_ = i;
      *action = Action::kGiveUp;
      return i;
    }
    ++n.asked;
    *action = n.reach == Reach::kIncomplete ? Action::kAskAll : Action::kAskIt;
    if (n.reach == Reach::kDelay) n.reach = Reach::kProbe;
    n.until = now + kBetweenQuestions;
    return i;
  }
  FindDeadline();
  return kNone;
}

}  // namespace estab::stack
