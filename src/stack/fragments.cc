#include "stack/fragments.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "wire/checksum.h"

namespace estab::stack {
namespace {

using Step = FragmentResult::Step;

constexpr std::size_t kMostBytes = 65535;   // what the length fields of both families hold
constexpr std::uint64_t kShareOfGroup = 4;  // a quarter

// ECN codepoints as bits (RFC 3168 §5).
constexpr unsigned kNotEct = 1u << 0;
constexpr unsigned kCe = 1u << 3;

std::uint32_t HashOf(const SipKey& key, const wire::IpPacket& fragment) {
  std::byte message[37];
  std::memcpy(message, fragment.source.bytes.data(), 16);
  std::memcpy(message + 16, fragment.destination.bytes.data(), 16);
  Store32(message + 32, fragment.place.identification);
  // Of IPv4 the protocol is part of a datagram's name (RFC 791); of IPv6 it is not.
  message[36] = fragment.source.is_v4() ? std::byte{fragment.protocol} : std::byte{0};
  return static_cast<std::uint32_t>(SipHash13(key, message));
}

// What the datagram's length field counts besides the payload.
std::size_t CountedHeader(const wire::IpPacket& fragment) {
  return fragment.source.is_v4() ? fragment.header.size()
                                 : fragment.place.header_at - wire::kIpv6HeaderSize;
}

}  // namespace

FragmentTable::~FragmentTable() {
  datagrams_.ForEach([&](std::uint32_t, Datagram& d) { d.bytes.Clear(*chunks_); });
}

Datagram* FragmentTable::Find(const wire::IpPacket& fragment, LinkId link, std::uint32_t hash) {
  const std::uint32_t slot = index_.Find(hash, [&](std::uint32_t value) {
    const Datagram& d = datagrams_[value];
    return d.identification == fragment.place.identification && d.source == fragment.source &&
           d.destination == fragment.destination && d.link == link &&
           (!d.source.is_v4() || d.protocol == fragment.protocol);
  });
  return slot == HashIndex::kNone ? nullptr : &datagrams_[slot];
}

Datagram* FragmentTable::Make(Time now, const wire::IpPacket& fragment, LinkId link,
                              std::uint32_t hash, const SipKey& key, const FragmentLimits& limits,
                              std::int8_t timer_kind) {
  const std::uint64_t source_hash = SipHash13(key, std::as_bytes(std::span(fragment.source.bytes)));
  const auto group = static_cast<std::uint32_t>(source_hash % kGroups);
  if (!MakeRoom(sizeof(Datagram), group, nullptr, limits.memory)) return nullptr;
  const std::uint32_t slot = datagrams_.Create();
  if (slot == kNoSlot) return nullptr;
  if (!index_.Insert(hash, slot)) {
    datagrams_.Destroy(slot);
    return nullptr;
  }
  Datagram& d = datagrams_[slot];
  d.self = slot;
  d.source = fragment.source;
  d.destination = fragment.destination;
  d.identification = fragment.place.identification;
  d.protocol = fragment.protocol;
  d.link = link;
  d.hash = hash;
  d.group = group;
  d.TimerNode::kind = timer_kind;
  by_age_.PushBack(d);
  groups_[group].datagrams.PushBack(d);
  Charge(d, sizeof(Datagram));
  wheel_->Arm(d, now + limits.time);
  return &d;
}

void FragmentTable::Charge(Datagram& datagram, std::int64_t bytes) {
  datagram.charge = static_cast<std::uint32_t>(datagram.charge + bytes);
  memory_ += static_cast<std::uint64_t>(bytes);
  groups_[datagram.group].memory += static_cast<std::uint64_t>(bytes);
}

// Drops the oldest, but not `keep`, until so many bytes more are within both bounds.
bool FragmentTable::MakeRoom(std::uint64_t bytes, std::uint32_t group, const Datagram* keep,
                             std::uint64_t limit) {
  const auto drop = [&](Datagram* oldest) {
    if (oldest == nullptr || oldest == keep) return false;
    ++failures_;
    Drop(*oldest);
    return true;
  };
  while (groups_[group].memory + bytes > limit / kShareOfGroup) {
    if (!drop(groups_[group].datagrams.front())) return false;
  }
  while (memory_ + bytes > limit) {
    if (!drop(by_age_.front())) return false;
  }
  return true;
}

void FragmentTable::FreeContents(Datagram& datagram) {
  datagram.bytes.Clear(*chunks_);
  for (std::uint32_t piece = datagram.first_piece; piece != kNoSlot;) {
    const std::uint32_t next = pieces_[piece].next;
    pieces_.Destroy(piece);
    piece = next;
  }
  datagram.first_piece = datagram.last_piece = kNoSlot;
  datagram.pieces = 0;
  datagram.header_size = 0;
}

void FragmentTable::Drop(Datagram& datagram) {
  FreeContents(datagram);
  Charge(datagram, -std::int64_t{datagram.charge});
  wheel_->Cancel(datagram);
  IntrusiveList<Datagram, AgeTag>::Remove(datagram);
  IntrusiveList<Datagram, GroupTag>::Remove(datagram);
  index_.Erase(datagram.hash, datagram.self);
  datagrams_.Destroy(datagram.self);
}

// RFC 5722 §4: the whole datagram, and what of it is still to come. The record stays for that.
void FragmentTable::Kill(Datagram& datagram) {
  ++failures_;
  FreeContents(datagram);
  Charge(datagram, static_cast<std::int64_t>(sizeof(Datagram)) - datagram.charge);
  datagram.dead = true;
}

// Linux's rules (inet_frag_queue_insert): what lies within one run is a duplicate; what touches a
// run otherwise overlaps it.
FragmentTable::Gap FragmentTable::FindGap(const Datagram& datagram, std::uint32_t begin,
                                          std::uint32_t end) const {
  Gap gap;
  const bool behind_all =
      datagram.last_piece != kNoSlot && begin >= pieces_[datagram.last_piece].end;
  if (behind_all) {
    gap.before = datagram.last_piece;
    return gap;
  }
  gap.after = datagram.first_piece;
  while (gap.after != kNoSlot && pieces_[gap.after].end <= begin) {
    gap.before = gap.after;
    gap.after = pieces_[gap.after].next;
  }
  if (gap.after == kNoSlot || end <= pieces_[gap.after].begin) return gap;
  const Piece& other = pieces_[gap.after];
  const bool within = begin >= other.begin && end <= other.end;
  gap.fit = within ? Gap::Fit::kDuplicate : Gap::Fit::kOverlap;
  return gap;
}

// No chunk is larger than it must be: a whole one may be charged for a few bytes.
bool FragmentTable::Append(Datagram& datagram, std::span<const std::byte> bytes) {
  const std::uint64_t before = chunks_->live_bytes();
  bool all = true;
  while (!bytes.empty() && all) {
    const std::span<const std::byte> part = bytes.first(std::min(bytes.size(), Chunk::kSmall));
    all = datagram.bytes.Append(*chunks_, part) == part.size();
    bytes = bytes.subspan(part.size());
  }
  Charge(datagram, static_cast<std::int64_t>(chunks_->live_bytes() - before));
  return all;
}

bool FragmentTable::AddPiece(Datagram& datagram, const Gap& gap, std::uint32_t begin,
                             std::uint32_t end, std::uint32_t position) {
  if (gap.before != kNoSlot) {
    Piece& before = pieces_[gap.before];
    const bool continues =
        before.end == begin && before.position + (before.end - before.begin) == position;
    if (continues) {
      before.end = end;
      return true;
    }
  }
  if (datagram.pieces == kMaxPieces) return false;
  const std::uint32_t slot = pieces_.Create();
  if (slot == kNoSlot) return false;
  pieces_[slot] = {begin, end, position, gap.after};
  (gap.before == kNoSlot ? datagram.first_piece : pieces_[gap.before].next) = slot;
  if (gap.after == kNoSlot) datagram.last_piece = slot;
  ++datagram.pieces;
  Charge(datagram, sizeof(Piece));
  return true;
}

// False without room: the datagram cannot be completed any more.
bool FragmentTable::Store(Datagram& datagram, const wire::IpPacket& fragment, std::size_t size,
                          const Gap& gap, std::uint64_t limit) {
  const std::uint32_t begin = fragment.place.offset;
  const bool is_first = begin == 0;
  const std::size_t bytes = size + (is_first ? fragment.header.size() : 0);
  const std::uint64_t most = bytes + 2 * Chunk::kSmall + sizeof(Piece);
  if (!MakeRoom(most, datagram.group, &datagram, limit)) return false;
  const std::uint32_t position = datagram.bytes.size();
  if (!Append(datagram, fragment.payload.first(size))) return false;
  if (!AddPiece(datagram, gap, begin, begin + static_cast<std::uint32_t>(size), position)) {
    return false;
  }
  datagram.received += static_cast<std::uint32_t>(size);
  if (!is_first) return true;
  datagram.header_position = datagram.bytes.size();
  if (!Append(datagram, fragment.header)) return false;
  datagram.header_size = static_cast<std::uint16_t>(fragment.header.size());
  datagram.first_size = static_cast<std::uint16_t>(size);
  datagram.fragment_at = fragment.place.header_at;
  datagram.named_at = fragment.place.named_at;
  datagram.protocol = fragment.protocol;
  return true;
}

// RFC 3168 §5.3, and Linux's table: Not-ECT goes with nothing else.
bool FragmentTable::EcnAgrees(const Datagram& datagram) const {
  return (datagram.ecn_seen & kNotEct) == 0 || datagram.ecn_seen == kNotEct;
}

FragmentResult FragmentTable::Add(Time now, const wire::IpPacket& fragment, LinkId link,
                                  const SipKey& key, const FragmentLimits& limits,
                                  std::int8_t timer_kind, std::span<std::byte> whole) {
  const wire::FragmentPlace& place = fragment.place;
  // All but the last carry a multiple of 8 bytes; Linux, too, takes what is beyond that off.
  const std::size_t size =
      fragment.payload.size() & (place.more ? ~std::size_t{7} : ~std::size_t{0});
  if (limits.memory == 0 || size == 0) return {};
  const std::uint32_t hash = HashOf(key, fragment);
  Datagram* d = Find(fragment, link, hash);
  if (d == nullptr) d = Make(now, fragment, link, hash, key, limits, timer_kind);
  if (d == nullptr || d->dead) return {};

  const std::uint32_t begin = place.offset;
  const auto end = begin + static_cast<std::uint32_t>(size);
  const bool last = !place.more;
  const bool impossible = CountedHeader(fragment) + end > kMostBytes ||
                          (last && d->has_last && end != d->length) || (last && end < d->end) ||
                          (d->has_last && end > d->length);
  const Gap gap = impossible ? Gap{Gap::Fit::kOverlap} : FindGap(*d, begin, end);
  if (gap.fit == Gap::Fit::kOverlap) return Kill(*d), FragmentResult{};
  if (gap.fit == Gap::Fit::kDuplicate) return {Step::kWaiting};
  if (!Store(*d, fragment, size, gap, limits.memory)) return Kill(*d), FragmentResult{};
  d->ecn_seen |= static_cast<std::uint8_t>(1u << (fragment.tos & 3));
  d->end = std::max(d->end, end);
  if (last) {
    d->has_last = true;
    d->length = end;
  }
  if (!d->has_last || d->received != d->length) return {Step::kWaiting};
  const std::size_t counted =
      d->source.is_v4() ? d->header_size : d->fragment_at - wire::kIpv6HeaderSize;
  if (counted + d->length > kMostBytes || !EcnAgrees(*d)) return Kill(*d), FragmentResult{};
  const std::size_t total = Assemble(*d, whole);
  Drop(*d);
  return {Step::kComplete, total};
}

// The first fragment's header, without what made it a fragment, and all payload.
std::size_t FragmentTable::Assemble(const Datagram& datagram, std::span<std::byte> whole) const {
  datagram.bytes.CopyOut(datagram.header_position, whole.first(datagram.header_size));
  const bool v4 = datagram.source.is_v4();
  // IPv6: the fragment header is the last one; the header before it, or the fixed one, named it.
  const std::size_t header_size = v4 ? datagram.header_size : datagram.fragment_at;
  const bool congested = (datagram.ecn_seen & kCe) != 0;
  if (v4) {
    if (congested) whole[1] |= std::byte{3};
    Store16(&whole[2], static_cast<std::uint16_t>(header_size + datagram.length));
    Store16(&whole[6], 0);
    Store16(&whole[10], 0);
    wire::Checksum checksum;
    checksum.Add(whole.first(header_size));
    Store16(&whole[10], checksum.Finish());
  } else {
    if (congested) whole[1] |= std::byte{0x30};
    const std::size_t size = header_size - wire::kIpv6HeaderSize + datagram.length;
    Store16(&whole[4], static_cast<std::uint16_t>(size));
    whole[datagram.named_at] = std::byte{datagram.protocol};
  }
  for (std::uint32_t slot = datagram.first_piece; slot != kNoSlot; slot = pieces_[slot].next) {
    const Piece& piece = pieces_[slot];
    datagram.bytes.CopyOut(piece.position,
                           whole.subspan(header_size + piece.begin, piece.end - piece.begin));
  }
  return header_size + datagram.length;
}

wire::IpPacket FragmentTable::FirstFragment(const Datagram& datagram,
                                            std::span<std::byte> out) const {
  wire::IpPacket packet;
  if (datagram.header_size == 0) return packet;
  packet.source = datagram.source;
  packet.destination = datagram.destination;
  packet.protocol = datagram.protocol;
  packet.fragment = true;
  const std::size_t header_size = std::min<std::size_t>(datagram.header_size, out.size());
  const std::size_t size = std::min<std::size_t>(datagram.first_size, out.size() - header_size);
  datagram.bytes.CopyOut(datagram.header_position, out.first(header_size));
  datagram.bytes.CopyOut(pieces_[datagram.first_piece].position, out.subspan(header_size, size));
  packet.header = out.first(header_size);
  packet.payload = out.subspan(header_size, size);
  return packet;
}

}  // namespace estab::stack
