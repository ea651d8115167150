#include "stack/ports.h"

#include <new>

namespace estab::stack {
namespace {

// Whether two local addresses can mean the same packet.
bool Overlap(const Binding& a, const Binding& b) {
  if (a.local.address == b.local.address) return true;
  const auto covers = [](const Binding& any, const IpAddress& other) {
    if (any.local.address == IpAddress::AnyV4()) return other.is_v4();
    return any.local.address == IpAddress::AnyV6() && (!other.is_v4() || !any.v6_only);
  };
  return covers(a, b.local.address) || covers(b, a.local.address);
}

}  // namespace

PortTable::~PortTable() {
  for (Page* page : pages_) {
    if (page != nullptr) memory_->Free(page, sizeof(Page));
  }
}

const PortTable::Use* PortTable::Find(std::uint16_t port) const {
  const Page* page = pages_[port / kPage];
  return page == nullptr ? nullptr : &(*page)[port % kPage];
}

PortTable::Use* PortTable::Make(std::uint16_t port) {
  Page*& page = pages_[port / kPage];
  if (page == nullptr) {
    void* memory = memory_->Allocate(sizeof(Page), alignof(Page));
    if (memory == nullptr) return nullptr;
    page = ::new (memory) Page{};
  }
  return &(*page)[port % kPage];
}

std::uint32_t PortTable::Bind(const Binding& binding) {
  Use* use = Make(binding.local.port);
  if (use == nullptr) return kNoSlot;
  const std::uint32_t slot = bindings_.Create(binding);
  if (slot == kNoSlot) return kNoSlot;
  bindings_[slot].next = use->first;
  use->first = slot;
  return slot;
}

void PortTable::Unbind(std::uint32_t slot) {
  std::uint32_t* link = &Make(bindings_[slot].local.port)->first;
  while (*link != slot) link = &bindings_[*link].next;
  *link = bindings_[slot].next;
  bindings_.Destroy(slot);
}

bool PortTable::Conflicts(const Binding& wanted, std::uint32_t except) const {
  const Use* use = Find(wanted.local.port);
  if (use == nullptr) return false;
  for (std::uint32_t slot = use->first; slot != kNoSlot; slot = bindings_[slot].next) {
    const Binding& other = bindings_[slot];
    if (slot == except || !Overlap(wanted, other)) continue;
    const bool share = wanted.reuse_address && other.reuse_address && !other.listening;
    if (!share) return true;
  }
  return false;
}

bool PortTable::IsBound(std::uint16_t port) const {
  const Use* use = Find(port);
  return use != nullptr && use->first != kNoSlot;
}

bool PortTable::Hold(std::uint16_t port, bool reuse_address) {
  Use* use = Make(port);
  if (use == nullptr) return false;
  ++use->held;
  if (!reuse_address) ++use->exclusive;
  return true;
}

void PortTable::Release(std::uint16_t port, bool reuse_address) {
  Use* use = Make(port);
  --use->held;
  if (!reuse_address) --use->exclusive;
}

std::uint32_t PortTable::Held(std::uint16_t port) const {
  const Use* use = Find(port);
  return use == nullptr ? 0 : use->held;
}

std::uint32_t PortTable::HeldExclusively(std::uint16_t port) const {
  const Use* use = Find(port);
  return use == nullptr ? 0 : use->exclusive;
}

}  // namespace estab::stack
