// The links of one stack, and the sink that hands each packet to its own.
#pragma once

#include <poll.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "api/memory_link.h"
#include "estab/packet.h"
#include "estab/time.h"
#include "io/port.h"
#include "io/tun.h"
#include "stack/network.h"

namespace estab::api {

/// Memory links and devices under the ids that the stack gave them. Links are only ever added.
class Links final : public PacketSink {
 public:
  void Add(LinkId id, MemoryLink link);
  void Add(LinkId id, std::unique_ptr<io::Device> device);
  /// What the stack was told of a link's address or route is for its device too.
  void AddAddress(LinkId id, const Prefix& prefix);
  void AddRoute(LinkId id, const Prefix& destination, const IpAddress* via);

  /// The memory link of that id; nullptr if it is none.
  MemoryLink* Memory(int id) {
    const auto index = static_cast<std::size_t>(id);
    return index < links_.size() ? std::get_if<MemoryLink>(&links_[index]) : nullptr;
  }
  /// Whether NoteOutput was not called since NoteEmpty of that memory link. Asks without the lock:
  /// what another thread does meanwhile is before or after it.
  bool KnownEmpty(int id) const {
    const auto index = static_cast<std::size_t>(id);
    constexpr auto kRelaxed = std::memory_order_relaxed;
    return index < empty_at_.size() && empty_at_[index].load(kRelaxed) == outputs_.load(kRelaxed);
  }
  /// There is nothing to collect from that memory link.
  void NoteEmpty(int id) {
    empty_at_[static_cast<std::size_t>(id)].store(outputs_.load(std::memory_order_relaxed),
                                                  std::memory_order_relaxed);
  }
  /// There may be something to collect.
  void NoteOutput() {
    outputs_.store(outputs_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  /// The TUN device of that id; nullptr if it is none.
  io::Tun* Tun(int id);
  bool has_device() const { return devices_ > 0; }

  /// The time with which packets are stamped that are sent from here on.
  void set_now(Time now) { now_ = now; }
  /// Appends what poll is to watch: input always, room where a device was full.
  void Watch(std::vector<pollfd>& fds) const;
  /// Tells every device, up to the first that refuses.
  io::OsResult<void> SetBusyPoll(bool on);
  /// The first device that was removed under us; nullptr if all are there.
  const io::Device* Gone() const;
  /// Whether a device is full.
  bool wants_write() const;

  /// What one round of reading came to.
  struct ReadResult {
    std::size_t packets = 0;
    bool drained = true;  // there was nothing more to read on any of them
  };
  /// Reads one batch from every device and gives each to `receive(span<const RxPacket>)`.
  template <class ReceiveBatch>
  ReadResult Read(Time now, ReceiveBatch&& receive) {
    ReadResult result;
    for (std::size_t id = 0; id < links_.size(); ++id) {
      io::Port* port = PortOf(links_[id]);
      if (port == nullptr) continue;
      const auto batch = port->Read(now, static_cast<LinkId>(id));
      if (!batch.empty()) receive(batch);
      result.packets += batch.size();
      result.drained = result.drained && port->device().drained();
    }
    return result;
  }
  /// Memory links copy what they hold; calls `complete(token)` for each packet.
  template <class Complete>
  void OwnHeld(Complete&& complete) {
    for (Link& link : links_) {
      if (auto* memory = std::get_if<MemoryLink>(&link)) memory->Own(complete);
    }
  }
  /// The earliest moment at which Advance has something to do: neighbours that do not answer.
  Time NextDeadline() const;
  void Advance(Time now, Stack& stack);

  /// Sends what devices have kept to send it together. To be called behind every Transmit.
  void Flush() {
    if (devices_ != 0) FlushDevices();
  }

  /// Packets sent over all links since the start.
  std::uint64_t sent() const { return sent_; }

  SinkCapabilities Capabilities(LinkId id) const override;
  SinkResult Send(const TxPacket& packet) override;

 private:
  using Link = std::variant<std::monostate, MemoryLink, std::unique_ptr<io::Port>>;
  Link& Place(LinkId id);
  void FlushDevices();
  static io::Port* PortOf(const Link& link) {
    const auto* port = std::get_if<std::unique_ptr<io::Port>>(&link);
    return port == nullptr ? nullptr : port->get();
  }
  io::Port* PortOf(LinkId id) const { return id < links_.size() ? PortOf(links_[id]) : nullptr; }
  static io::Device* DeviceOf(const Link& link) {
    io::Port* port = PortOf(link);
    return port == nullptr ? nullptr : &port->device();
  }

  std::vector<Link> links_;  // by id
  // Written under the lock only.
  std::atomic<std::uint64_t> outputs_{1};                                // how often NoteOutput ...
  std::array<std::atomic<std::uint64_t>, stack::kMaxLinks> empty_at_{};  // ... by NoteEmpty; by id
  std::size_t devices_ = 0;
  std::uint64_t sent_ = 0;
  Time now_{};
};

}  // namespace estab::api
