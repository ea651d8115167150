// The C++ door: groups of hosts.
#include "estab/group.h"

#include <utility>

#include "api/exchange.h"
#include "api/host_state.h"
#include "observe/metrics.h"

namespace estab {

using api::Driver;
using api::Exchange;
using api::Sockets;

static_assert(HostGroup::kMost == Exchange::kMost);

HostGroup::HostGroup(HostGroup&&) noexcept = default;
HostGroup& HostGroup::operator=(HostGroup&&) noexcept = default;
HostGroup::~HostGroup() = default;

Result<HostGroup> HostGroup::Create(std::size_t count, const HostOptions& options) {
  if (options.virtual_clock || options.observer != nullptr) return std::unexpected(Error::kInvalid);
  const auto seed =
      options.seed ? Result<std::array<std::uint8_t, 32>>(*options.seed) : RandomSeed();
  if (!seed) return std::unexpected(seed.error());
  const auto exchange = Exchange::Create(count);
  if (!exchange) return std::unexpected(exchange.error());
  std::vector<Host> hosts;
  for (std::size_t i = 0; i < count; ++i) {
    // An end keeps the whole exchange.
    std::shared_ptr<Exchange::End> end(*exchange, &(*exchange)->end(i));
    auto sockets = Sockets::Create(*seed, std::move(end));
    if (!sockets) return std::unexpected(sockets.error());
    hosts.push_back(Host(std::make_shared<HostState>(std::move(*sockets))));
  }
  return HostGroup(std::move(hosts));
}

Result<LinkId> HostGroup::AddTun(std::string_view name, std::string* message) {
  auto queues = io::Tun::OpenQueues(name, size(), {.offload = true});
  if (!queues) {
    if (message != nullptr) *message = queues.error().message;
    return std::unexpected(queues.error().error);
  }
  Result<LinkId> link = std::unexpected(Error::kInvalid);
  for (std::size_t i = 0; i < size(); ++i) {
    Driver& driver = hosts_[i].state_->sockets().driver();
    link = driver.AddDevice(std::make_unique<io::Tun>(std::move((*queues)[i])), message);
    if (!link) break;
  }
  return link;
}

Result<LinkId> HostGroup::AddMemoryLink(std::uint32_t mtu) {
  Result<LinkId> link = std::unexpected(Error::kInvalid);
  for (Host& host : hosts_) {
    link = host.AddMemoryLink(mtu);
    if (!link) break;
  }
  return link;
}

Result<void> HostGroup::BringUp(LinkId link, std::span<const std::string_view> kernel_addresses,
                                std::string* message) {
  return hosts_.front().BringUp(link, kernel_addresses, message);
}

Result<void> HostGroup::AddAddress(LinkId link, std::string_view cidr) {
  Result<void> done;
  for (Host& host : hosts_) {
    if (done) done = host.AddAddress(link, cidr);
  }
  return done;
}

Result<void> HostGroup::AddRoute(LinkId link, std::string_view cidr, std::string_view via) {
  Result<void> done;
  for (Host& host : hosts_) {
    if (done) done = host.AddRoute(link, cidr, via);
  }
  return done;
}

Result<void> HostGroup::Set(std::string_view name, std::string_view value) {
  Result<void> done;
  for (Host& host : hosts_) {
    if (done) done = host.Set(name, value);
  }
  return done;
}

Result<std::string> HostGroup::Get(std::string_view name) { return hosts_.front().Get(name); }

std::size_t HostGroup::HostOf(const Tuple& tuple) {
  std::size_t owner = 0;
  for (std::size_t i = 0; i < size(); ++i) {
    Driver& driver = hosts_[i].state_->sockets().driver();
    const Driver::Lock lock = driver.Enter();
    if (driver.stack().GetInfo(driver.Now(), tuple)) return i;
    owner = driver.stack().ShardOf(tuple);
  }
  return owner;
}

StackCounters HostGroup::Counters() {
  StackCounters sum;
  for (Host& host : hosts_) observe::Accumulate(sum, host.Counters());
  return sum;
}

}  // namespace estab
