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

std::size_t Kind(Sharing sharing) { return (sharing.address ? 1u : 0u) + (sharing.port ? 2u : 0u); }

}  // namespace

PortTable::PortTable(Memory& memory) : memory_(&memory), bindings_(memory) {
  unused_.Begin(unused_words_.data(), kPorts);
  unused_.Fill();
}

PortTable::~PortTable() {
  for (Page* page : pages_) {
    if (page != nullptr) memory_->Free(page, sizeof(Page));
  }
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
  unused_.Remove(binding.local.port);
  return slot;
}

void PortTable::Unbind(std::uint32_t slot) {
  const std::uint16_t port = bindings_[slot].local.port;
  Use& use = *Make(port);
  std::uint32_t* link = &use.first;
  while (*link != slot) link = &bindings_[*link].next;
  *link = bindings_[slot].next;
  bindings_.Destroy(slot);
  NoteLess(port, use);
}

void PortTable::NoteLess(std::uint16_t port, const Use& use) {
  const std::uint32_t held = use.held[0] | use.held[1] | use.held[2] | use.held[3];
  if (held == 0 && use.first == kNoSlot) unused_.Add(port);
}

std::uint16_t PortTable::NextUnused(std::uint32_t start, std::uint32_t first,
                                    std::uint32_t count) const {
  std::uint32_t port = unused_.Next(start);
  if (port >= first + count) port = unused_.Next(first);
  return port < first + count ? static_cast<std::uint16_t>(port) : std::uint16_t{0};
}

bool PortTable::Conflicts(const Binding& wanted, std::uint32_t except) const {
  const Use* use = Find(wanted.local.port);
  if (use == nullptr) return false;
  for (std::uint32_t slot = use->first; slot != kNoSlot; slot = bindings_[slot].next) {
    const Binding& other = bindings_[slot];
    if (slot == except || !Overlap(wanted, other)) continue;
    const bool by_address = wanted.sharing.address && other.sharing.address && !other.listening;
    const bool by_port = wanted.sharing.port && other.sharing.port;
    if (!by_address && !by_port) return true;
  }
  return false;
}

bool PortTable::IsBound(std::uint16_t port) const {
  if (bindings_.live() == 0) return false;  // as in a host that only opens connections
  const Use* use = Find(port);
  return use != nullptr && use->first != kNoSlot;
}

bool PortTable::Hold(std::uint16_t port, Sharing sharing) {
  Use* use = Make(port);
  if (use == nullptr) return false;
  ++use->held[Kind(sharing)];
  unused_.Remove(port);
  return true;
}

void PortTable::Release(std::uint16_t port, Sharing sharing) {
  Use& use = *Make(port);
  --use.held[Kind(sharing)];
  NoteLess(port, use);
}

std::uint32_t PortTable::Held(std::uint16_t port) const { return Hindering(port, {}); }

std::uint32_t PortTable::Hindering(std::uint16_t port, Sharing wanted) const {
  const Use* use = Find(port);
  std::uint32_t count = 0;
  for (std::size_t kind = 0; use != nullptr && kind < use->held.size(); ++kind) {
    if ((kind & Kind(wanted)) == 0) count += use->held[kind];
  }
  return count;
}

}  // namespace estab::stack
