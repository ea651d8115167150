// Between the stacks of a group: where packets change over that came to the wrong one.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "api/packet_ring.h"
#include "estab/error.h"
#include "estab/stack.h"
#include "io/event.h"

namespace estab::api {

/// A ring of packets from every stack of a group to every other, and what wakes the thread that
/// they are for. Nothing is shared while packets come to the right stack.
class Exchange {
 public:
  /// Stacks of one group, at most.
  static constexpr std::size_t kMost = 64;

  /// One stack's end; for the one thread that is in that stack at a time.
  class End final : public ShardSink {
   public:
    End(Exchange& exchange, std::uint16_t index, io::Event event)
        : exchange_(exchange), index_(index), event_(std::move(event)), owed_(exchange.count_) {}

    /// Who the stack is; for its making.
    Shard shard() { return {.index = index_, .count = exchange_.count_, .others = this}; }
    /// To be polled for input: something has come.
    int fd() const { return event_.fd(); }

    bool HandOver(std::uint16_t owner, const RxPacket& packet) override;
    /// Wakes those who have been handed something since the last time. After each Receive, before
    /// anything that waits.
    void Flush();
    /// Hands what has come to `receive(span<const RxPacket>)`, and returns how many packets those
    /// were. `polled`: fd() was found to be readable.
    template <class Receive>
    std::size_t Collect(bool polled, Receive&& receive) {
      if (polled) event_.Clear();
      if (!waiting_.load(std::memory_order_relaxed)) return 0;
      // Whoever finds it false from now on wakes us again; what others have handed us is to be
      // seen.
      waiting_.exchange(false, std::memory_order_acq_rel);
      std::size_t count = 0;
      for (std::uint16_t from = 0; from < exchange_.count_; ++from) {
        if (from != index_) count += CollectFrom(exchange_.Ring(from, index_), receive);
      }
      collecting_ = {};
      return count;
    }

   private:
    static constexpr std::size_t kBatch = 64;
    static constexpr int kBatches = 4;  // from one ring, before the links have their turn again

    template <class Receive>
    std::size_t CollectFrom(PacketRing& ring, Receive&& receive) {
      std::array<RxPacket, kBatch> room;
      std::size_t count = 0;
      for (int i = 0; i < kBatches; ++i) {
        collecting_ = ring.Peek(room);
        if (collecting_.empty()) return count;
        receive(collecting_);
        count += collecting_.size();
        ring.Pop();
      }
      Wake();  // there may be more
      return count;
    }
    /// Any thread.
    void Wake() {
      if (!waiting_.exchange(true, std::memory_order_acq_rel)) event_.Signal();
    }
    bool HasComeFromAnother(const RxPacket& packet) const;

    Exchange& exchange_;
    std::uint16_t index_;
    io::Event event_;
    std::vector<std::uint8_t> owed_;  // by stack: something was handed to it since Flush
    bool owes_ = false;
    std::span<const RxPacket> collecting_;
    // By the others: there is something to collect, and the event says so.
    std::atomic<bool> waiting_{false};
  };

  /// For `count` stacks, 1 to kMost. kInvalid, kNoBuffers (no descriptor left).
  static Result<std::shared_ptr<Exchange>> Create(std::size_t count);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  std::size_t size() const { return ends_.size(); }
  End& end(std::size_t index) { return *ends_[index]; }

 private:
  explicit Exchange(std::uint16_t count) : count_(count), rings_(std::size_t{count} * count) {}
  PacketRing& Ring(std::uint16_t from, std::uint16_t to) {
    return *rings_[std::size_t{from} * count_ + to];
  }

  std::uint16_t count_;
  std::vector<std::unique_ptr<PacketRing>> rings_;  // [from][to]; none from a stack to itself
  std::vector<std::unique_ptr<End>> ends_;
};

}  // namespace estab::api
