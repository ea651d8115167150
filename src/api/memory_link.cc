#include "api/memory_link.h"

#include <utility>

namespace estab::api {

namespace {
constexpr std::size_t kSpareBuffers = 256;
}

SinkResult MemoryLink::Push(Time now, const TxPacket& packet) {
  const std::size_t size = packet.size();
  if (queue_.size() >= kMaxPackets || bytes_ + size > kMaxBytes) {
    refused_ = true;
    return SinkResult::kBusy;
  }
  std::vector<std::byte> bytes;
  if (!spare_.empty()) {
    bytes = std::move(spare_.back());
    spare_.pop_back();
  }
  bytes.assign(packet.header.begin(), packet.header.end());
  for (const Slice& slice : packet.payload) {
    bytes.insert(bytes.end(), slice.data, slice.data + slice.size);
  }
  bytes_ += size;
  queue_.push_back({now, std::move(bytes)});
  return SinkResult::kSent;
}

void MemoryLink::Pop() {
  bytes_ -= queue_.front().bytes.size();
  if (spare_.size() < kSpareBuffers) spare_.push_back(std::move(queue_.front().bytes));
  queue_.pop_front();
}

bool MemoryLink::TakeRefused() { return std::exchange(refused_, false); }

}  // namespace estab::api
