// Several hosts that are one to the world: a stack for each core.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "estab/error.h"
#include "estab/host.h"
#include "estab/stack.h"

namespace estab {

/// A group of hosts with the same links, addresses and settings, each with a stack, a lock and a
/// queue of every link of its own, and so each for a core of its own. Every connection belongs to
/// one of them, by a keyed hash of its four-tuple, from its first packet to its last. A packet that
/// comes to another one is handed over, through rings without locks; otherwise they share nothing.
///
/// A program gives every host a thread, and in it does with that host what it would do with one
/// alone: listens at the same port, accepts, reads and writes. What the hash gives a host is only
/// served while some call on that host waits, or calls PollIo. A host that connects takes a port
/// with which the connection is its own; one that is bound to a port of another's cannot
/// (Stack::Connect). Limits are the group's: each stack has its share. Settings, and what concerns
/// links, are to be set here, so that they are the same for all.
///
/// The group's own members may be called from every thread. Move-only.
class HostGroup {
 public:
  /// Hosts of one group, at most.
  static constexpr std::size_t kMost = 64;

  /// Makes `count` hosts, 1 to kMost. An observer, who would be told by many threads at once, and
  /// the virtual clock are for one host alone: kInvalid. As Host::Create otherwise.
  static Result<HostGroup> Create(std::size_t count, const HostOptions& options = {});
  HostGroup(HostGroup&&) noexcept;
  HostGroup& operator=(HostGroup&&) noexcept;
  /// Ends the hosts, one after the other.
  ~HostGroup();

  std::size_t size() const { return hosts_.size(); }
  /// One of them, for the use of one thread or many.
  Host& operator[](std::size_t index) { return hosts_[index]; }

  // --- For all of them ---------------------------------------------------------------------------

  /// Adds a link over the TUN device `name`, with a queue of it for each. A device that exists must
  /// have been made for that (ip tuntap add ... multi_queue). As Host::AddTun otherwise.
  Result<LinkId> AddTun(std::string_view name, std::string* message = nullptr);
  /// Adds a link that has a wire at each host: what arrives there may belong to any of them.
  Result<LinkId> AddMemoryLink(std::uint32_t mtu = 1500);
  Result<void> BringUp(LinkId link, std::span<const std::string_view> kernel_addresses,
                       std::string* message = nullptr);
  Result<void> AddAddress(LinkId link, std::string_view cidr);
  Result<void> AddRoute(LinkId link, std::string_view cidr, std::string_view via = {});
  Result<void> Set(std::string_view name, std::string_view value);
  Result<std::string> Get(std::string_view name);

  // --- Asking ------------------------------------------------------------------------------------

  /// Which host a connection lives in or, if there is none, would belong to.
  std::size_t HostOf(const Tuple& tuple);
  /// Host::Why of that host.
  std::string Why(const Tuple& tuple) { return hosts_[HostOf(tuple)].Why(tuple); }
  /// The sums of what they have counted.
  StackCounters Counters();

 private:
  explicit HostGroup(std::vector<Host> hosts) : hosts_(std::move(hosts)) {}
  std::vector<Host> hosts_;
};

}  // namespace estab
