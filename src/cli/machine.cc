#include "cli/machine.h"

#include <errno.h>

#include <algorithm>
#include <cstring>

#include "cli/failure.h"
#include "cli/settings.h"
#include "io/clock.h"
#include "observe/ladder_text.h"

namespace estab::cli {
namespace {

// Packets sent before the links are read again: enough to keep them busy, few enough not to sit on
// acknowledgements.
constexpr std::size_t kBurst = 256;
constexpr unsigned kTurnsWithoutPoll = 8;
constexpr unsigned kTurnsOfBusyPoll = 64;

Stack MakeStack(const Share& share) {
  StackConfig config;
  config.secret = share.secret;
  if (share.end) config.shard = share.end->shard();
  auto stack = Stack::Create(config);
  if (!stack) Failed("{}", Describe(stack.error()));
  return std::move(*stack);
}

timespec ToTimespec(Duration span) {
  const auto ns = std::max(span, Duration::zero()).count();
  return {static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
}

}  // namespace

Machine::Machine(const LinkOptions& options, Share share)
    : share_(std::move(share)), stack_(MakeStack(share_)), busy_poll_(options.busy_poll) {
  for (const LinkOptions::Setting& s : options.settings) ApplySetting(stack_, s.name, s.value);
  AddLinks(options);
  if (!options.ladder.empty()) OpenLadder(options);
  now_ = io::MonotonicNow();
}

void Machine::AddLinks(const LinkOptions& options) {
  for (std::size_t i = 0; i < options.links.size(); ++i) {
    const LinkOptions::Link& link = options.links[i];
    const auto mtu = share_.devices[i]->Mtu();
    if (!mtu) Failed("--link {}: {}", link.text, mtu.error().message);
    if (!stack_.AddLink({*mtu})) {
      Failed(
          "--link {}: its MTU of {} will not do; set one from 576 to 65535 (ip link set {} mtu "
          "1500)",
          link.text, *mtu, link.spec.device);
    }
    ports_.push_back(std::make_unique<io::Port>(std::move(share_.devices[i])));
  }
  for (const LinkOptions::Address& a : options.addresses) {
    const auto added = stack_.AddAddress(static_cast<LinkId>(a.link), a.prefix);
    if (!added) Misused("--address {}: {}", a.text, Describe(added.error()));
    ports_[a.link]->AddAddress(a.prefix);
  }
  for (const LinkOptions::Route& r : options.routes) {
    const IpAddress* via = r.via ? &*r.via : nullptr;
    const auto added = stack_.AddRoute(static_cast<LinkId>(r.link), r.destination, via);
    if (!added) Misused("--route {}: {}", r.text, Describe(added.error()));
    ports_[r.link]->AddRoute(r.destination, via);
  }
}

void Machine::OpenLadder(const LinkOptions& options) {
  ladder_file_ = options.ladder == "-" ? stdout : std::fopen(options.ladder.c_str(), "we");
  if (ladder_file_ == nullptr) {
    Failed("--ladder {}: cannot write it: {}", options.ladder, std::strerror(errno));
  }
  observe::LadderBuilder::Options kind;
  kind.one_sided = true;
  kind.first_connection_only = true;
  kind.calls = false;
  ladder_ = std::make_unique<observe::LadderBuilder>(kind);
  ladder_->SetHost(observe::Side::kA, "estab");
  ladder_->SetHost(observe::Side::kB, "peer");
  observers_.Add(*ladder_->Of(observe::Side::kA));
  stack_.SetObserver(&observers_);
}

void Machine::KeepJournal() {
  journal_.emplace();
  observers_.Add(*journal_);
  stack_.SetObserver(&observers_);
}

void Machine::WriteLadder() {
  if (ladder_ == nullptr) return;
  stack_.SetObserver(nullptr);
  observe::Ladder ladder = ladder_->Build();
  observe::Shorten(ladder, 40, 25);
  const std::string text =
      ladder.rows.empty() ? "no connection was seen\n" : observe::LadderToText(ladder);
  std::fwrite(text.data(), 1, text.size(), ladder_file_);
  if (std::fflush(ladder_file_) != 0) {
    fmt::print(stderr, "estab: --ladder: cannot write it: {}\n", std::strerror(errno));
  }
  if (ladder_file_ != stdout) std::fclose(ladder_file_);
  ladder_.reset();
}

SinkCapabilities Machine::Capabilities(LinkId link) const {
  return ports_[link]->device().Capabilities();
}

SinkResult Machine::Send(const TxPacket& packet) {
  const SinkResult result = ports_[packet.link]->Send(now_, packet);
  if (share_.pcap && result != SinkResult::kBusy)
    share_.pcap->Add(now_, packet.header, packet.payload);
  return result;
}

void Machine::Flush() {
  stack_.Transmit(now_, *this);
  FlushLinks();
}

void Machine::FlushLinks() {
  for (const auto& port : ports_) port->Flush();
}

std::size_t Machine::ReceiveFrom(std::size_t link) {
  io::Port& port = *ports_[link];
  const auto packets = port.Read(now_, static_cast<LinkId>(link));
  if (port.device().gone()) {
    Failed("link {} was removed under us; make the device again and start anew",
           port.device().Describe());
  }
  if (packets.empty()) return 0;
  if (share_.pcap) {
    for (const RxPacket& packet : packets) share_.pcap->Add(now_, packet.data, {});
  }
  stack_.Receive(now_, packets);
  return packets.size();
}

// What came to a link of another machine's and is ours.
std::size_t Machine::ReceiveFromOthers(bool polled) {
  if (!share_.end) return 0;
  const std::size_t count =
      share_.end->Collect(polled, [this](auto packets) { stack_.Receive(now_, packets); });
  share_.end->Flush();
  return count;
}

void Machine::Turn(std::span<pollfd> others, Time until) {
  now_ = std::max(now_, io::MonotonicNow());
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    ports_[i]->Advance(now_, static_cast<LinkId>(i), stack_);
  }
  stack_.Advance(now_);
  const bool more = stack_.Transmit(now_, *this, kBurst) == kBurst;
  FlushLinks();
  // While packets keep coming the links are not asked whether they do, but for the others' sake.
  const bool look = busy_poll_ ? ++turns_ % kTurnsOfBusyPoll == 0
                               : !busy_ || more || ++turns_ % kTurnsWithoutPoll == 0;
  Time wake = std::min(until, stack_.NextDeadline());
  for (const auto& port : ports_) wake = std::min(wake, port->NextDeadline());
  if (busy_ || more || busy_poll_) wake = now_;
  if (look) {
    Wait(others, wake);
    now_ = std::max(now_, io::MonotonicNow());
  } else {
    for (pollfd& other : others) other.revents = 0;
  }
  busy_ = false;
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    if (look && !busy_poll_ && polled_[2 * i].revents == 0 && polled_[2 * i + 1].revents == 0) {
      continue;
    }
    if (ReceiveFrom(i) != 0) busy_ = true;
  }
  const bool handed_over = look && polled_[2 * ports_.size()].revents != 0;
  if (ReceiveFromOthers(handed_over) != 0) busy_ = true;
}

void Machine::Wait(std::span<pollfd> others, Time until) {
  polled_.clear();
  for (const auto& port : ports_) {
    const io::Device& device = port->device();
    const int events = POLLIN | (device.wants_write() ? POLLOUT : 0);
    polled_.push_back({device.fd(), static_cast<short>(events), 0});
    polled_.push_back({device.trouble_fd(), POLLIN, 0});  // -1 is passed over
  }
  polled_.push_back({share_.end ? share_.end->fd() : -1, POLLIN, 0});
  polled_.insert(polled_.end(), others.begin(), others.end());
  const timespec limit = ToTimespec(until == kNever ? Duration::zero() : until - now_);
  const int n = ppoll(polled_.data(), polled_.size(), until == kNever ? nullptr : &limit, nullptr);
  if (n < 0) {
    for (pollfd& p : polled_) p.revents = 0;
  }
  for (std::size_t i = 0; i < others.size(); ++i) {
    others[i].revents = polled_[2 * ports_.size() + 1 + i].revents;
  }
}

}  // namespace estab::cli
