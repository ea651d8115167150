#include "api/links.h"

#include <algorithm>
#include <utility>

namespace estab::api {

Links::Link& Links::Place(LinkId id) {
  if (links_.size() <= id) links_.resize(std::size_t{id} + 1);
  return links_[id];
}

void Links::Add(LinkId id, MemoryLink link) { Place(id) = std::move(link); }

void Links::Add(LinkId id, std::unique_ptr<io::Device> device) {
  Place(id) = std::make_unique<io::Port>(std::move(device));
  ++devices_;
}

void Links::AddAddress(LinkId id, const Prefix& prefix) {
  if (io::Port* port = PortOf(id)) port->AddAddress(prefix);
}

void Links::AddRoute(LinkId id, const Prefix& destination, const IpAddress* via) {
  if (io::Port* port = PortOf(id)) port->AddRoute(destination, via);
}

Time Links::NextDeadline() const {
  Time next = kNever;
  for (const Link& link : links_) {
    if (const io::Port* port = PortOf(link)) next = std::min(next, port->NextDeadline());
  }
  return next;
}

void Links::Advance(Time now, Stack& stack) {
  for (std::size_t id = 0; id < links_.size(); ++id) {
    if (io::Port* port = PortOf(links_[id])) port->Advance(now, static_cast<LinkId>(id), stack);
  }
}

io::Tun* Links::Tun(int id) {
  const auto index = static_cast<std::size_t>(id);
  return id < 0 || index >= links_.size() ? nullptr
                                          : dynamic_cast<io::Tun*>(DeviceOf(links_[index]));
}

void Links::FlushDevices() {
  for (const Link& link : links_) {
    if (io::Port* port = PortOf(link)) port->Flush();
  }
}

void Links::Watch(std::vector<pollfd>& fds) const {
  for (const Link& link : links_) {
    const io::Device* device = DeviceOf(link);
    if (device == nullptr || device->gone()) continue;
    const int events = POLLIN | (device->wants_write() ? POLLOUT : 0);
    fds.push_back({device->fd(), static_cast<short>(events), 0});
    if (device->trouble_fd() >= 0) fds.push_back({device->trouble_fd(), POLLIN, 0});
  }
}

io::OsResult<void> Links::SetBusyPoll(bool on) {
  for (const Link& link : links_) {
    io::Device* device = DeviceOf(link);
    if (device == nullptr) continue;
    if (auto set = device->SetBusyPoll(on); !set) return set;
  }
  return {};
}

const io::Device* Links::Gone() const {
  for (const Link& link : links_) {
    const io::Device* device = DeviceOf(link);
    if (device != nullptr && device->gone()) return device;
  }
  return nullptr;
}

bool Links::wants_write() const {
  for (const Link& link : links_) {
    const io::Device* device = DeviceOf(link);
    if (device != nullptr && device->wants_write()) return true;
  }
  return false;
}

SinkCapabilities Links::Capabilities(LinkId id) const {
  if (id < links_.size() && std::holds_alternative<MemoryLink>(links_[id])) {
    return MemoryLink::kCapabilities;
  }
  const io::Device* device = id < links_.size() ? DeviceOf(links_[id]) : nullptr;
  return device == nullptr ? SinkCapabilities{} : device->Capabilities();
}

SinkResult Links::Send(const TxPacket& packet) {
  if (packet.link >= links_.size()) return SinkResult::kSent;
  Link& link = links_[packet.link];
  SinkResult result = SinkResult::kSent;
  if (auto* memory = std::get_if<MemoryLink>(&link)) {
    result = memory->Push(now_, packet);
    NoteOutput();
  } else if (io::Port* port = PortOf(link)) {
    result = port->Send(now_, packet);
  }
  if (result != SinkResult::kBusy) ++sent_;
  return result;
}

}  // namespace estab::api
