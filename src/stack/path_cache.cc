#include "stack/path_cache.h"

#include <algorithm>
#include <new>
#include <span>

namespace estab::stack {

PathCache::~PathCache() {
  if (sets_ != nullptr) memory_->Free(sets_, kSets * sizeof(Set));
}

std::size_t PathCache::SetOf(const SipKey& key, const IpAddress& destination) {
  return SipHash13(key, std::as_bytes(std::span(destination.bytes))) % kSets;
}

const PathMtu* PathCache::Find(const SipKey& key, const IpAddress& destination, Time now) const {
  if (sets_ == nullptr) return nullptr;
  for (const Entry& entry : sets_[SetOf(key, destination)]) {
    if (entry.path.mtu != 0 && entry.destination == destination) {
      return now < entry.until ? &entry.path : nullptr;
    }
  }
  return nullptr;
}

void PathCache::Store(const SipKey& key, const IpAddress& destination, const PathMtu& path,
                      Time until) {
  if (sets_ == nullptr) {
    void* memory = memory_->Allocate(kSets * sizeof(Set), alignof(Set));
    if (memory == nullptr) return;
    sets_ = new (memory) Set[kSets];
  }
  Set& set = sets_[SetOf(key, destination)];
  auto place = std::ranges::find(set, destination, &Entry::destination);
  if (place == set.end()) {
    --place;  // the oldest, or one that is free
    if (place->path.mtu == 0) ++size_;
  }
  std::move_backward(set.begin(), place, place + 1);
  set[0] = {destination, path, until};
}

}  // namespace estab::stack
