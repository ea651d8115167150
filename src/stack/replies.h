// Packets that belong to no connection's queue: resets, SYN|ACKs of half-open records, echo
// replies.
#pragma once

#include <cstdint>
#include <span>

#include "base/chunk.h"
#include "base/memory.h"
#include "estab/packet.h"

namespace estab::stack {

/// A bounded queue of finished packets. When it is full the newest is dropped, as a network would:
/// whoever provokes replies faster than the link takes them gains nothing.
class ReplyQueue {
 public:
  ReplyQueue(Memory& memory, ChunkPool& chunks) : memory_(&memory), chunks_(&chunks) {}
  ~ReplyQueue();
  ReplyQueue(const ReplyQueue&) = delete;
  ReplyQueue& operator=(const ReplyQueue&) = delete;

  /// Queues a copy of `packet`; false if it was dropped.
  bool Push(LinkId link, std::span<const std::byte> packet);

  bool empty() const { return count_ == 0; }
  std::uint32_t size() const { return count_; }
  /// Packets that there is still room for.
  std::uint32_t room() const { return kCapacity - count_; }
  std::uint64_t dropped() const { return dropped_; }

  /// The oldest packet; the queue must not be empty.
  std::span<const std::byte> front() const;
  LinkId front_link() const;
  void Pop();
  /// Moves the oldest packet behind the others (its link is busy).
  void Rotate();

 private:
  static constexpr std::uint32_t kCapacity = 1024;
  static constexpr std::size_t kInline = 116;
  struct Reply {
    Chunk* large = nullptr;  // holds the packet if it is longer than `bytes`
    LinkId link = 0;
    std::uint16_t size = 0;
    std::byte bytes[kInline];
  };
  static_assert(sizeof(Reply) == 128);

  Memory* memory_;
  ChunkPool* chunks_;
  Reply* ring_ = nullptr;
  std::uint32_t first_ = 0;
  std::uint32_t count_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace estab::stack
