// Fragments that wait for the rest of their datagrams (RFC 791 §3.2, RFC 8200 §4.5, RFC 5722).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/chunk.h"
#include "base/hash_index.h"
#include "base/intrusive_list.h"
#include "base/memory.h"
#include "base/siphash.h"
#include "base/slab.h"
#include "estab/address.h"
#include "estab/time.h"
#include "stack/timer_wheel.h"
#include "wire/ip.h"

namespace estab::stack {

struct AgeTag;
struct GroupTag;

/// A datagram of which a part has come.
struct Datagram final : TimerNode, ListNode<AgeTag>, ListNode<GroupTag> {
  IpAddress source;
  IpAddress destination;
  std::uint32_t identification = 0;
  std::uint32_t hash = 0;
  std::uint32_t self = kNoSlot;
  std::uint32_t group = 0;
  std::uint32_t charge = 0;    // bytes of memory
  std::uint32_t length = 0;    // of the whole payload, once the last fragment has come
  std::uint32_t end = 0;       // of what has come
  std::uint32_t received = 0;  // bytes of payload
  std::uint32_t first_piece = kNoSlot;
  std::uint32_t last_piece = kNoSlot;
  std::uint32_t header_position = 0;  // where in `bytes` the first fragment's header lies
  std::uint16_t header_size = 0;      // 0: the first fragment has not come
  std::uint16_t first_size = 0;       // of the first fragment's payload
  std::uint16_t pieces = 0;
  std::uint16_t fragment_at = 0;  // IPv6: FragmentPlace::header_at and ::named_at of the first
  std::uint16_t named_at = 0;     // fragment
  LinkId link = 0;
  std::uint8_t protocol = 0;
  std::uint8_t ecn_seen = 0;  // a bit for every ECN codepoint
  bool has_last = false;
  bool dead = false;  // two fragments overlapped: the others are dropped as they come
  ByteQueue bytes;    // payloads and the first header, in the order in which they came
};

/// How much may wait, and for how long. Bytes include all overhead; 0: nothing is put together.
struct FragmentLimits {
  std::uint64_t memory = 0;
  Duration time{};
};

/// What came of a fragment.
struct FragmentResult {
  enum class Step : std::uint8_t {
    kWaiting,   // kept, or a duplicate
    kComplete,  // the datagram is whole
    kDropped,   // it cannot be part of a datagram, or there was no room for it
  };
  Step step = Step::kDropped;
  std::size_t size = 0;  // kComplete: of the whole packet
};

/// Puts the datagrams of one family together. Memory is bounded in all, and for each source by a
/// quarter of that (sources whose keyed hashes share a group share the quarter): whoever needs room
/// beyond a bound drops the oldest datagram under it. So a flood of first fragments costs honest
/// senders nothing but their stragglers.
class FragmentTable {
 public:
  FragmentTable(Memory& memory, ChunkPool& chunks, TimerWheel& wheel)
      : chunks_(&chunks), wheel_(&wheel), datagrams_(memory), pieces_(memory), index_(memory) {}
  ~FragmentTable();
  FragmentTable(const FragmentTable&) = delete;
  FragmentTable& operator=(const FragmentTable&) = delete;

  /// Takes a fragment that JudgeFragment found nothing wrong with. When it completes its datagram
  /// the whole packet is written into `whole`, which has room for 65535 bytes behind an IPv6
  /// header. `timer_kind` marks the timer of a new datagram.
  FragmentResult Add(Time now, const wire::IpPacket& fragment, LinkId link, const SipKey& key,
                     const FragmentLimits& limits, std::int8_t timer_kind,
                     std::span<std::byte> whole);
  /// The first fragment of `datagram` as it came, or as much of it as fits `out`; an empty packet
  /// if it has not come, or if the datagram is dead. For the report about its time-out.
  wire::IpPacket FirstFragment(const Datagram& datagram, std::span<std::byte> out) const;
  /// Drops a datagram, whether its timer is armed or not.
  void Drop(Datagram& datagram);

  /// Datagrams that wait, dead ones too.
  std::uint32_t size() const { return datagrams_.live(); }
  /// What they cost, as limits count it.
  std::uint64_t memory() const { return memory_; }
  /// Dropped for overlaps or lengths that cannot be, or for want of room.
  std::uint64_t failures() const { return failures_; }

 private:
  // A run of payload: in the datagram [begin, end), in its `bytes` from `position` on.
  struct Piece {
    std::uint32_t begin;
    std::uint32_t end;
    std::uint32_t position;
    std::uint32_t next;
  };
  struct Group {
    std::uint64_t memory = 0;
    IntrusiveList<Datagram, GroupTag> datagrams;  // oldest first
  };
  // Where a fragment belongs among the pieces.
  struct Gap {
    enum class Fit : std::uint8_t { kFree, kDuplicate, kOverlap };
    Fit fit = Fit::kFree;
    std::uint32_t before = kNoSlot;
    std::uint32_t after = kNoSlot;
  };
  // More pieces are not kept of one datagram; fragments that come in order are one piece.
  static constexpr std::uint16_t kMaxPieces = 128;
  static constexpr std::size_t kGroups = 64;

  Datagram* Find(const wire::IpPacket& fragment, LinkId link, std::uint32_t hash);
  Datagram* Make(Time now, const wire::IpPacket& fragment, LinkId link, std::uint32_t hash,
                 const SipKey& key, const FragmentLimits& limits, std::int8_t timer_kind);
  bool MakeRoom(std::uint64_t bytes, std::uint32_t group, const Datagram* keep,
                std::uint64_t limit);
  Gap FindGap(const Datagram& datagram, std::uint32_t begin, std::uint32_t end) const;
  bool Store(Datagram& datagram, const wire::IpPacket& fragment, std::size_t size, const Gap& gap,
             std::uint64_t limit);
  bool Append(Datagram& datagram, std::span<const std::byte> bytes);
  bool AddPiece(Datagram& datagram, const Gap& gap, std::uint32_t begin, std::uint32_t end,
                std::uint32_t position);
  void Charge(Datagram& datagram, std::int64_t bytes);
  void FreeContents(Datagram& datagram);
  void Kill(Datagram& datagram);
  bool EcnAgrees(const Datagram& datagram) const;
  std::size_t Assemble(const Datagram& datagram, std::span<std::byte> whole) const;

  ChunkPool* chunks_;
  TimerWheel* wheel_;
  Slab<Datagram> datagrams_;
  Slab<Piece, 256> pieces_;
  HashIndex index_;
  IntrusiveList<Datagram, AgeTag> by_age_;  // oldest first
  std::array<Group, kGroups> groups_;
  std::uint64_t memory_ = 0;
  std::uint64_t failures_ = 0;
};

}  // namespace estab::stack
