#include "api/links.h"

#include <utility>

namespace estab::api {

Links::Link& Links::Place(LinkId id) {
  if (links_.size() <= id) links_.resize(std::size_t{id} + 1);
  return links_[id];
}

void Links::Add(LinkId id, MemoryLink link) { Place(id) = std::move(link); }

void Links::Add(LinkId id, io::Tun tun) {
  Place(id) = std::move(tun);
  ++tuns_;
}

MemoryLink* Links::Memory(int id) {
  const auto index = static_cast<std::size_t>(id);
  return id < 0 || index >= links_.size() ? nullptr : std::get_if<MemoryLink>(&links_[index]);
}

io::Tun* Links::Tun(int id) {
  const auto index = static_cast<std::size_t>(id);
  return id < 0 || index >= links_.size() ? nullptr : std::get_if<io::Tun>(&links_[index]);
}

void Links::Watch(std::vector<pollfd>& fds) const {
  for (const Link& link : links_) {
    const auto* tun = std::get_if<io::Tun>(&link);
    if (tun == nullptr || tun->gone()) continue;
    const int events = POLLIN | (tun->wants_write() ? POLLOUT : 0);
    fds.push_back({tun->fd(), static_cast<short>(events), 0});
  }
}

const io::Tun* Links::Gone() const {
  for (const Link& link : links_) {
    const auto* tun = std::get_if<io::Tun>(&link);
    if (tun != nullptr && tun->gone()) return tun;
  }
  return nullptr;
}

bool Links::wants_write() const {
  for (const Link& link : links_) {
    const auto* tun = std::get_if<io::Tun>(&link);
    if (tun != nullptr && tun->wants_write()) return true;
  }
  return false;
}

SinkResult Links::Send(const TxPacket& packet) {
  if (packet.link >= links_.size()) return SinkResult::kSent;
  Link& link = links_[packet.link];
  SinkResult result = SinkResult::kSent;
  if (auto* memory = std::get_if<MemoryLink>(&link)) {
    result = memory->Push(now_, packet);
  } else if (auto* tun = std::get_if<io::Tun>(&link)) {
    result = tun->Write(packet);
  }
  if (result == SinkResult::kSent) ++sent_;
  return result;
}

}  // namespace estab::api
