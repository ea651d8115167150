// Faults by meaning: what is to happen to which segment, in words or as values.
//
//   faults := fault { ";" fault }
//   fault  := action which what { condition }
//   action := "drop" | "delay" | "duplicate" | "corrupt" | "mark"
//   which  := ["the"] ordinal | ["the"] "first" number | "every" | "all" | nothing (every)
//   what   := flags | "data" | "segment"
//   flags  := name { "|" name }                 SYN, ACK, FIN, RST, PSH, URG, ECE, CWR
//   condition := "from" ("A" | "B")
//              | "after" ["the"] ordinal        only those beyond that one; with "every" or "all"
//              | "seq" number | "ack" number    relative to the ISN, as ladders show them
//              | "len" number                   bytes of payload
//              | "by" time                      with "delay", which needs it: "500ms", "2s", "10us"
//   ordinal := "1st", "2nd", "3rd", "4th" ... | "first" ... "tenth"
//
// Case does not matter. Flags mean what people mean by them: "SYN" is a SYN without ACK, "ACK" is
// a bare one (no payload, no SYN, FIN or RST), "FIN" and "RST" are with or without ACK, "data" is
// anything with payload. Ordinals count the segments that match all the rest, in both directions
// together unless "from" says which. Examples:
//   drop the 2nd SYN|ACK          drop every ACK after 3rd         delay the 1st SYN by 500ms
//   drop the 1st FIN from B       duplicate the 1st data           drop data seq 1000
// "mark" is what a router does that is congested: only to packets that may be marked (RFC 3168).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "estab/observer.h"
#include "estab/time.h"
#include "observe/ladder.h"
#include "sim/packet_view.h"

namespace estab::sim {

using observe::Side;

/// Which segments are meant.
struct SegmentMatch {
  enum class Payload : std::uint8_t { kAny, kNone, kSome };
  std::uint16_t required = 0;   // flags that must be set
  std::uint16_t forbidden = 0;  // flags that must not
  Payload payload = Payload::kAny;
  std::optional<std::uint32_t> seq;     // relative to the ISN of the sender's last SYN
  std::optional<std::uint32_t> ack;     // relative to the ISN of the other side's last SYN
  std::optional<std::uint32_t> length;  // bytes of payload

  /// What people mean by these flags; see the head of this file.
  static SegmentMatch Flags(std::uint16_t flags);
  /// Anything with payload.
  static SegmentMatch Data();
  /// Every segment.
  static SegmentMatch Any() { return {}; }
};

/// One fault. Counting is its own: two faults count the same segments independently.
struct Fault {
  enum class Action : std::uint8_t { kDrop, kDelay, kDuplicate, kCorrupt, kMark };
  Action action = Action::kDrop;
  SegmentMatch match;
  std::optional<Side> from;  // nullopt: either side's segments
  std::uint32_t first = 1;   // the first match that is hit, counted from 1
  std::uint32_t last = UINT32_MAX;
  Duration delay{};  // of kDelay
  std::string text;  // as given, for ladders and messages

  /// Reads one fault. The error is a sentence that says what is wrong with which word.
  static std::expected<Fault, std::string> Parse(std::string_view text);
};

/// Reads "500ms", "2s", "1.5s", "10us", "100ns"; nullopt for anything else.
std::optional<Duration> ParseDuration(std::string_view text);

/// What the faults do to one segment.
struct FaultEffect {
  bool drop = false;
  bool corrupt = false;
  bool mark = false;
  std::uint8_t copies = 0;  // additional ones
  Duration delay{};
  const Fault* cause = nullptr;  // the first that hit
};

/// The faults in force, with their counters.
class FaultSet {
 public:
  void Add(Fault fault) { armed_.push_back({std::move(fault), 0}); }
  /// Reads and adds all faults of `text`; nothing is added if one of them is wrong.
  std::expected<void, std::string> Add(std::string_view text);
  void Clear() { armed_.clear(); }
  bool empty() const { return armed_.empty(); }

  /// `packet` leaves `from`: every counter it matches goes on, and what is due happens. All faults
  /// that hit it add up; a drop beats the rest.
  FaultEffect Apply(Side from, const PacketView& packet);

  /// Those that never hit anything, as text: a scenario with such a fault is likely mistaken.
  std::vector<std::string> Unused() const;

 private:
  struct Armed {
    Fault fault;
    std::uint32_t matched;
  };
  bool Matches(const Fault& fault, Side from, const PacketView& packet) const;

  std::vector<Armed> armed_;
  std::array<std::optional<std::uint32_t>, 2> isn_;  // by side
};

}  // namespace estab::sim
