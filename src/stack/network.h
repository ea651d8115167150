// Links, addresses and routes: small fixed tables, both families.
#pragma once

#include <array>
#include <cstdint>

#include "base/intrusive_list.h"
#include "estab/address.h"
#include "estab/error.h"
#include "estab/packet.h"
#include "stack/socket.h"

namespace estab::stack {

inline constexpr std::size_t kMaxLinks = 16;

/// One link, and the connections on it that may have something to send.
struct Link {
  std::uint32_t mtu = 0;
  IntrusiveList<Socket, OutputTag> output;
};

/// Where a destination is reached, and under which of our addresses.
struct Path {
  LinkId link = 0;
  IpAddress source;
};

class Network {
 public:
  Result<LinkId> AddLink(std::uint32_t mtu);
  Result<void> AddAddress(LinkId link, const Prefix& prefix);
  Result<void> AddRoute(LinkId link, const Prefix& destination, const IpAddress* via);

  /// The path to `destination` by the longest matching prefix; among equals the route added first.
  /// kNetworkUnreachable if there is no route, or no address of that family on its link.
  Result<Path> Find(const IpAddress& destination) const;
  /// Our address on `link` for packets to `destination`; nullptr if it has none of that family.
  const IpAddress* SourceOn(LinkId link, const IpAddress& destination) const;
  /// Whom on its link a packet to `destination` goes to: the route's next hop, or itself.
  IpAddress NextHop(const IpAddress& destination) const;
  /// Whether `address` lies in the prefix of one of our addresses.
  bool OnLink(const IpAddress& address) const;
  /// Whether `address` is one of ours.
  bool IsLocal(const IpAddress& address) const;
  /// Whether `address` is the directed broadcast address of one of our prefixes, or
  /// 255.255.255.255.
  bool IsBroadcast(const IpAddress& address) const;

  std::size_t link_count() const { return link_count_; }
  Link& link(LinkId id) { return links_[id]; }
  const Link& link(LinkId id) const { return links_[id]; }

 private:
  struct Address {
    Prefix prefix;
    LinkId link = 0;
  };
  struct Route {
    Prefix destination;
    LinkId link = 0;
    bool has_via = false;
    IpAddress via;
  };
  static constexpr std::size_t kMaxAddresses = 64;
  static constexpr std::size_t kMaxRoutes = 128;

  const Route* Best(const IpAddress& destination) const;
  const Address* SourceFor(LinkId link, const IpAddress& destination) const;

  std::array<Link, kMaxLinks> links_;
  std::array<Address, kMaxAddresses> addresses_;
  std::array<Route, kMaxRoutes> routes_;
  std::size_t link_count_ = 0;
  std::size_t address_count_ = 0;
  std::size_t route_count_ = 0;
};

}  // namespace estab::stack
