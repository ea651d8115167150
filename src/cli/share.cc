#include "cli/share.h"

#include <errno.h>

#include <cstring>
#include <utility>

#include "cli/failure.h"
#include "cli/kernel_side.h"
#include "cli/settings.h"
#include "io/entropy.h"
#include "io/link_spec.h"
#include "io/tun.h"

namespace estab::cli {
namespace {

// A word that is wrong is told of before anything is opened.
void CheckSettings(const LinkOptions& options) {
  auto stack = Stack::Create({});
  if (!stack) Failed("{}", Describe(stack.error()));
  for (const LinkOptions::Setting& s : options.settings) ApplySetting(*stack, s.name, s.value);
}

// What one thread can do and several cannot.
void CheckForMany(const LinkOptions& options) {
  if (!options.ladder.empty()) Misused("--ladder draws what one thread sees; leave --threads out");
  for (const LinkOptions::Link& link : options.links) {
    if (link.spec.kind == io::LinkKind::kTun) continue;
    Misused("--link {}: only TUN links are served by several threads; leave --threads out",
            link.text);
  }
}

void CheckAddresses(const LinkOptions& options) {
  for (const LinkOptions::Address& a : options.addresses) {
    const std::string device = KernelDeviceOf(a.prefix.address);
    if (!device.empty()) {
      Misused("--address {}: {} is the kernel's own address on {}; take another of its network",
              a.text, a.text.substr(0, a.text.find('/')), device);
    }
  }
}

// One device for one machine, or a queue of it for each of many.
void OpenDevices(const LinkOptions::Link& link, std::vector<Share>& shares) {
  if (shares.size() == 1) {
    auto opened = io::OpenLink(link.spec);
    if (!opened) Failed("--link {}: {}", link.text, opened.error().message);
    return shares[0].devices.push_back(std::move(*opened));
  }
  auto queues = io::Tun::OpenQueues(link.spec.device, shares.size(), {.offload = true});
  if (!queues) Failed("--link {}: {}", link.text, queues.error().message);
  for (std::size_t i = 0; i < shares.size(); ++i) {
    shares[i].devices.push_back(std::make_unique<io::Tun>(std::move((*queues)[i])));
  }
}

void OpenLink(const LinkOptions::Link& link, bool busy_poll, std::vector<Share>& shares) {
  OpenDevices(link, shares);
  for (const Share& share : shares) {
    if (!busy_poll) break;
    const auto set = share.devices.back()->SetBusyPoll(true);
    if (!set) Failed("--busy-poll: {}", set.error().message);
  }
  if (link.spec.kind == io::LinkKind::kXdp) {
    fmt::print(stderr, "estab: {}\n", shares[0].devices.back()->Describe());
  }
  const std::string& name = link.spec.device;
  if (link.spec.kind == io::LinkKind::kPacket && Forwards(name)) {
    fmt::print(stderr,
               "estab: the kernel forwards what comes by {0}, and would send on what is for estab: "
               "sysctl net.ipv4.conf.{0}.forwarding=0 net.ipv6.conf.{0}.forwarding=0\n",
               name);
  }
  if (IsDown(name)) fmt::print(stderr, "estab: {0} is down: ip link set {0} up\n", name);
}

}  // namespace

std::vector<Share> MakeShares(const LinkOptions& options, std::size_t count) {
  CheckSettings(options);
  if (count > 1) CheckForMany(options);
  std::vector<Share> shares(count);
  if (!io::FillRandom(std::as_writable_bytes(std::span(shares[0].secret)))) {
    Failed("the system has no randomness to give: {}", std::strerror(errno));
  }
  const auto exchange = api::Exchange::Create(count);
  if (!exchange) Failed("--threads {}: {}", count, Describe(exchange.error()));
  for (std::size_t i = 0; i < count; ++i) {
    shares[i].secret = shares[0].secret;
    if (count > 1) shares[i].end = {*exchange, &(*exchange)->end(i)};
  }
  CheckAddresses(options);
  for (const LinkOptions::Link& link : options.links) OpenLink(link, options.busy_poll, shares);
  if (!options.pcap.empty()) {
    const auto pcap = std::make_shared<PcapFile>(options.pcap);
    for (Share& share : shares) share.pcap = pcap;
  }
  return shares;
}

}  // namespace estab::cli
