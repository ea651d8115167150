#include "stack/replies.h"

#include <cstring>
#include <new>

namespace estab::stack {

ReplyQueue::~ReplyQueue() {
  while (!empty()) Pop();
  if (ring_ != nullptr) memory_->Free(ring_, kCapacity * sizeof(Reply));
}

bool ReplyQueue::Push(LinkId link, std::span<const std::byte> packet) {
  if (ring_ == nullptr) {
    ring_ = static_cast<Reply*>(memory_->Allocate(kCapacity * sizeof(Reply), alignof(Reply)));
  }
  if (ring_ == nullptr || count_ == kCapacity) {
    ++dropped_;
    return false;
  }
  Chunk* large = nullptr;
  if (packet.size() > kInline) {
    large = chunks_->Allocate(packet.size());
    if (large == nullptr || large->capacity < packet.size()) {
      if (large != nullptr) chunks_->Unref(large);
      ++dropped_;
      return false;
    }
  }
  Reply* reply = ::new (ring_ + (first_ + count_) % kCapacity) Reply;
  reply->large = large;
  reply->link = link;
  reply->size = static_cast<std::uint16_t>(packet.size());
  std::memcpy(large != nullptr ? large->data : reply->bytes, packet.data(), packet.size());
  ++count_;
  return true;
}

std::span<const std::byte> ReplyQueue::front() const {
  const Reply& reply = ring_[first_];
  return {reply.large != nullptr ? reply.large->data : reply.bytes, reply.size};
}

LinkId ReplyQueue::front_link() const { return ring_[first_].link; }

void ReplyQueue::Pop() {
  if (ring_[first_].large != nullptr) chunks_->Unref(ring_[first_].large);
  first_ = (first_ + 1) % kCapacity;
  --count_;
}

void ReplyQueue::Rotate() {
  const Reply moved = ring_[first_];
  first_ = (first_ + 1) % kCapacity;
  ::new (ring_ + (first_ + count_ - 1) % kCapacity) Reply(moved);
}

}  // namespace estab::stack
