#include "api/memory_link.h"

#include <cstring>
#include <new>
#include <utility>

#include "base/bytes.h"
#include "wire/checksum.h"

namespace estab::api {

namespace {

constexpr std::size_t kSpareBuffers = 256;
// From so many bytes on a copy costs more than to hold a packet.
constexpr std::size_t kWorthHolding = 1024;

}  // namespace

SinkResult MemoryLink::Push(Time now, const TxPacket& packet) {
  const std::size_t payload = packet.payload_size();
  const std::size_t size = packet.header.size() + payload;
  if (queue_.size() >= kMaxPackets || bytes_ + size > kMaxBytes) {
    refused_ = true;
    return SinkResult::kBusy;
  }
  Queued queued;
  if (!spare_.empty()) {
    queued = std::move(spare_.back());
    spare_.pop_back();
  }
  queued.at = now;
  queued.size = size;
  queued.checksum_start = packet.checksum_start;
  queued.checksum_offset = packet.checksum_offset;
  queued.bytes.assign(packet.header.begin(), packet.header.end());
  queued.payload.assign(packet.payload.begin(), packet.payload.end());
  queued.token = packet.token;
  const bool holds = packet.token != 0 && payload >= kWorthHolding;
  if (!holds && !Own(queued)) {
    refused_ = true;
    return SinkResult::kBusy;
  }
  bytes_ += size;
  queue_.push_back(std::move(queued));
  return holds ? SinkResult::kHeld : SinkResult::kSent;
}

// Puts the payload behind the headers, which `packet` has already, and fills in the checksum.
void MemoryLink::Fill(const Queued& queued, std::byte* packet) {
  std::size_t at = queued.size;
  for (const Slice& slice : queued.payload) at -= slice.size;
  const std::size_t start = queued.checksum_start;
  wire::Checksum sum;
  if (start != 0) sum.Add({packet + start, at - start});
  for (const Slice& slice : queued.payload) {
    sum.AddCopying({slice.data, slice.size}, packet + at);
    at += slice.size;
  }
  if (start != 0) Store16(packet + start + queued.checksum_offset, sum.Finish());
}

// False without memory.
bool MemoryLink::Own(Queued& queued) {
  queued.token = 0;
  try {
    queued.bytes.resize(queued.size);
  } catch (const std::bad_alloc&) {
    return false;
  }
  Fill(queued, queued.bytes.data());
  queued.payload.clear();
  queued.checksum_start = 0;
  return true;
}

void MemoryLink::DropLost() {
  for (const Queued& queued : queue_) bytes_ -= queued.lost ? queued.size : 0;
  std::erase_if(queue_, [](const Queued& queued) { return queued.lost; });
}

std::uint64_t MemoryLink::Take(std::span<std::byte> into) {
  Queued& front = queue_.front();
  std::memcpy(into.data(), front.bytes.data(), front.bytes.size());
  Fill(front, into.data());
  bytes_ -= front.size;
  const std::uint64_t token = front.token;
  if (spare_.size() < kSpareBuffers) spare_.push_back(std::move(front));
  queue_.pop_front();
  return token;
}

bool MemoryLink::TakeRefused() { return std::exchange(refused_, false); }

}  // namespace estab::api
