#include "api/memory_link.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/bytes.h"
#include "wire/checksum.h"

namespace estab::api {

namespace {

constexpr std::size_t kFewPlaces = 16;      // to begin with
constexpr std::size_t kSparePlaces = 1024;  // that an empty queue keeps
// From so many bytes on a copy costs more than to hold a packet.
constexpr std::size_t kWorthHolding = 1024;

// Puts the payload behind the first `at` bytes of `packet`, which are there already, and fills in
// the checksum if that is left to us.
void Append(std::span<const Slice> payload, std::byte* packet, std::size_t at,
            std::uint16_t checksum_start, std::uint16_t checksum_offset) {
  wire::Checksum sum;
  if (checksum_start != 0) sum.Add({packet + checksum_start, at - checksum_start});
  for (const Slice& slice : payload) {
    sum.AddCopying({slice.data, slice.size}, packet + at);
    at += slice.size;
  }
  if (checksum_start != 0) Store16(packet + checksum_start + checksum_offset, sum.Finish());
}

}  // namespace

void MemoryLink::Write(const TxPacket& packet, std::byte* into) {
  std::memcpy(into, packet.header.data(), packet.header.size());
  Append(packet.payload, into, packet.header.size(), packet.checksum_start, packet.checksum_offset);
}

SinkResult MemoryLink::Push(Time now, const TxPacket& packet) {
  const std::size_t payload = packet.payload_size();
  const std::size_t size = packet.header.size() + payload;
  const bool hold = packet.token != 0 && payload >= kWorthHolding;
  if (count_ >= kMaxPackets || bytes_ + size > kMaxBytes) {
    refused_ = true;
    return SinkResult::kBusy;
  }
  try {
    if (count_ == places_.size()) MakeRoom();
    Place& place = At(count_);
    place.at = now;
    place.size = size;
    Store(place, packet, hold);
  } catch (const std::bad_alloc&) {
    refused_ = true;
    return SinkResult::kBusy;
  }
  bytes_ += size;
  ++count_;
  return hold ? SinkResult::kHeld : SinkResult::kSent;
}

void MemoryLink::Store(Place& place, const TxPacket& packet, bool hold) {
  const std::size_t headers = packet.header.size();
  place.stored = hold ? headers : place.size;
  if (place.bytes.size() < place.stored) place.bytes.resize(place.stored);
  place.token = 0;
  if (!hold) {
    Write(packet, place.bytes.data());
    return;
  }
  std::memcpy(place.bytes.data(), packet.header.data(), headers);
  place.payload.assign(packet.payload.begin(), packet.payload.end());
  place.token = packet.token;
  place.checksum_start = packet.checksum_start;
  place.checksum_offset = packet.checksum_offset;
}

void MemoryLink::MakeRoom() {
  std::vector<Place> more(std::max(kFewPlaces, 2 * places_.size()));
  for (std::size_t i = 0; i < count_; ++i) more[i] = std::move(At(i));
  places_ = std::move(more);
  mask_ = places_.size() - 1;
  first_ = 0;
}

// False without memory.
bool MemoryLink::Own(Place& place) {
  place.token = 0;
  try {
    place.bytes.resize(std::max(place.bytes.size(), place.size));
  } catch (const std::bad_alloc&) {
    return false;
  }
  Append(place.payload, place.bytes.data(), place.stored, place.checksum_start,
         place.checksum_offset);
  place.stored = place.size;
  return true;
}

std::uint64_t MemoryLink::Take(std::span<std::byte> into) {
  const Place& place = places_[first_];
  std::memcpy(into.data(), place.bytes.data(), place.stored);
  if (place.token != 0) {
    Append(place.payload, into.data(), place.stored, place.checksum_start, place.checksum_offset);
  }
  const std::uint64_t token = place.token;
  DropFirst();
  return token;
}

void MemoryLink::DropFirst() {
  bytes_ -= places_[first_].size;
  first_ = (first_ + 1) & mask_;
  if (--count_ != 0) return;
  first_ = 0;  // the same few places again, while there are few packets
  if (places_.size() > kSparePlaces) {
    places_.clear();  // what a burst needed goes back
    places_.shrink_to_fit();
  }
}

}  // namespace estab::api
