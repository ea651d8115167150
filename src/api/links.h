// The links of one stack, and the sink that hands each packet to its own.
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "api/memory_link.h"
#include "estab/packet.h"
#include "estab/time.h"
#include "io/tun.h"

namespace estab::api {

/// Memory links and TUN devices under the ids that the stack gave them. Links are only ever added.
class Links final : public PacketSink {
 public:
  void Add(LinkId id, MemoryLink link);
  void Add(LinkId id, io::Tun tun);

  /// The memory link of that id; nullptr if it is none.
  MemoryLink* Memory(int id);
  /// The TUN device of that id; nullptr if it is none.
  io::Tun* Tun(int id);
  bool has_tun() const { return tuns_ > 0; }

  /// The time with which packets are stamped that are sent from here on.
  void set_now(Time now) { now_ = now; }
  /// Appends what poll is to watch: input always, room where a device was full.
  void Watch(std::vector<pollfd>& fds) const;
  /// The first TUN device that was removed under us; nullptr if all are there.
  const io::Tun* Gone() const;
  /// Whether a device is full.
  bool wants_write() const;

  /// Reads one batch from every TUN device and gives each to `receive(span<const RxPacket>)`;
  /// returns how many packets that were.
  template <class ReceiveBatch>
  std::size_t Read(ReceiveBatch&& receive) {
    std::size_t packets = 0;
    for (std::size_t id = 0; id < links_.size(); ++id) {
      auto* tun = std::get_if<io::Tun>(&links_[id]);
      if (tun == nullptr) continue;
      const auto batch = tun->ReadBatch(static_cast<LinkId>(id));
      if (!batch.empty()) receive(batch);
      packets += batch.size();
    }
    return packets;
  }

  /// Packets sent over all links since the start.
  std::uint64_t sent() const { return sent_; }

  SinkCapabilities Capabilities(LinkId) const override { return {}; }
  SinkResult Send(const TxPacket& packet) override;

 private:
  using Link = std::variant<std::monostate, MemoryLink, io::Tun>;
  Link& Place(LinkId id);

  std::vector<Link> links_;  // by id
  std::size_t tuns_ = 0;
  std::uint64_t sent_ = 0;
  Time now_{};
};

}  // namespace estab::api
