#include "api/links.h"

#include <utility>

namespace estab::api {

Links::Link& Links::Place(LinkId id) {
  if (links_.size() <= id) links_.resize(std::size_t{id} + 1);
  return links_[id];
}

void Links::Add(LinkId id, MemoryLink link) { Place(id) = std::move(link); }

void Links::Add(LinkId id, std::unique_ptr<io::Device> device) {
  Place(id) = std::move(device);
  ++devices_;
}

MemoryLink* Links::Memory(int id) {
  const auto index = static_cast<std::size_t>(id);
  return id < 0 || index >= links_.size() ? nullptr : std::get_if<MemoryLink>(&links_[index]);
}

io::Tun* Links::Tun(int id) {
  const auto index = static_cast<std::size_t>(id);
  return id < 0 || index >= links_.size() ? nullptr
                                          : dynamic_cast<io::Tun*>(DeviceOf(links_[index]));
}

void Links::Watch(std::vector<pollfd>& fds) const {
  for (const Link& link : links_) {
    const io::Device* device = DeviceOf(link);
    if (device == nullptr || device->gone()) continue;
    const int events = POLLIN | (device->wants_write() ? POLLOUT : 0);
    fds.push_back({device->fd(), static_cast<short>(events), 0});
  }
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
  const io::Device* device = id < links_.size() ? DeviceOf(links_[id]) : nullptr;
  return device == nullptr ? SinkCapabilities{} : device->Capabilities();
}

SinkResult Links::Send(const TxPacket& packet) {
  if (packet.link >= links_.size()) return SinkResult::kSent;
  Link& link = links_[packet.link];
  SinkResult result = SinkResult::kSent;
  if (auto* memory = std::get_if<MemoryLink>(&link)) {
    result = memory->Push(now_, packet);
  } else if (io::Device* device = DeviceOf(link)) {
    result = device->Write(packet);
  }
  if (result == SinkResult::kSent) ++sent_;
  return result;
}

}  // namespace estab::api
