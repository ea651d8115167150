#include "stack/network.h"

#include <algorithm>

namespace estab::stack {
namespace {

constexpr std::uint32_t kMinMtu = 576;
constexpr std::uint32_t kMaxMtu = 65535;

bool ValidPrefix(const Prefix& prefix) {
  return prefix.length <= (prefix.address.is_v4() ? 32 : 128);
}

}  // namespace

Result<LinkId> Network::AddLink(std::uint32_t mtu) {
  if (mtu < kMinMtu || mtu > kMaxMtu) return std::unexpected(Error::kInvalid);
  if (link_count_ == kMaxLinks) return std::unexpected(Error::kNoBuffers);
  links_[link_count_].mtu = mtu;
  return static_cast<LinkId>(link_count_++);
}

Result<void> Network::AddAddress(LinkId link, const Prefix& prefix) {
  const IpAddress& address = prefix.address;
  if (link >= link_count_ || !ValidPrefix(prefix)) return std::unexpected(Error::kInvalid);
  if (address.is_any() || address.is_multicast() || address.is_limited_broadcast()) {
    return std::unexpected(Error::kInvalid);
  }
  if (IsLocal(address)) return std::unexpected(Error::kAddressInUse);
  if (address_count_ == kMaxAddresses) return std::unexpected(Error::kNoBuffers);
  if (auto added = AddRoute(link, prefix, nullptr); !added) return added;
  addresses_[address_count_++] = {prefix, link};
  return {};
}

Result<void> Network::AddRoute(LinkId link, const Prefix& destination, const IpAddress* via) {
  if (link >= link_count_ || !ValidPrefix(destination)) return std::unexpected(Error::kInvalid);
  if (via != nullptr && via->is_v4() != destination.address.is_v4()) {
    return std::unexpected(Error::kInvalid);
  }
  if (route_count_ == kMaxRoutes) return std::unexpected(Error::kNoBuffers);
  routes_[route_count_++] = {destination, link, via != nullptr,
                             via != nullptr ? *via : IpAddress{}};
  return {};
}

const Network::Address* Network::SourceFor(LinkId link, const IpAddress& destination) const {
  const Address* first = nullptr;
  for (std::size_t i = 0; i < address_count_; ++i) {
    const Address& a = addresses_[i];
    if (a.link != link || a.prefix.address.is_v4() != destination.is_v4()) continue;
    if (a.prefix.Contains(destination)) return &a;
    if (first == nullptr) first = &a;
  }
  return first;
}

const IpAddress* Network::SourceOn(LinkId link, const IpAddress& destination) const {
  const Address* source = SourceFor(link, destination);
  return source == nullptr ? nullptr : &source->prefix.address;
}

const Network::Route* Network::Best(const IpAddress& destination) const {
  const Route* best = nullptr;
  for (std::size_t i = 0; i < route_count_; ++i) {
    const Route& r = routes_[i];
    if (!r.destination.Contains(destination)) continue;
    if (best == nullptr || r.destination.length > best->destination.length) best = &r;
  }
  return best;
}

IpAddress Network::NextHop(const IpAddress& destination) const {
  const Route* best = Best(destination);
  return best != nullptr && best->has_via ? best->via : destination;
}

bool Network::OnLink(const IpAddress& address) const {
  return std::any_of(addresses_.begin(),
                     addresses_.begin() + static_cast<std::ptrdiff_t>(address_count_),
                     [&](const Address& a) { return a.prefix.Contains(address); });
}

Result<Path> Network::Find(const IpAddress& destination) const {
  const Route* best = Best(destination);
  const Address* source = best == nullptr ? nullptr : SourceFor(best->link, destination);
  if (source == nullptr) return std::unexpected(Error::kNetworkUnreachable);
  return Path{best->link, source->prefix.address};
}

bool Network::IsLocal(const IpAddress& address) const {
  return std::any_of(addresses_.begin(),
                     addresses_.begin() + static_cast<std::ptrdiff_t>(address_count_),
                     [&](const Address& a) { return a.prefix.address == address; });
}

bool Network::IsBroadcast(const IpAddress& address) const {
  if (!address.is_v4()) return false;
  if (address.is_limited_broadcast()) return true;
  for (std::size_t i = 0; i < address_count_; ++i) {
    const Prefix& prefix = addresses_[i].prefix;
    if (!prefix.Contains(address) || prefix.length >= 31) continue;
    const std::uint32_t host_bits = 0xffffffffu >> prefix.length;
    const std::uint32_t host = address.v4() & host_bits;
    if (host == host_bits || host == 0) return true;  // all ones, and the old all zeros
  }
  return false;
}

}  // namespace estab::stack
