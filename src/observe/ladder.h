// The model of a ladder: what two hosts did and what went between them, ready to be drawn.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "estab/observer.h"
#include "estab/rule.h"
#include "estab/time.h"

namespace estab::observe {

/// The two columns: A is drawn on the left.
enum class Side : std::uint8_t { kA = 0, kB = 1 };
constexpr Side Other(Side side) { return side == Side::kA ? Side::kB : Side::kA; }
constexpr std::size_t Index(Side side) { return static_cast<std::size_t>(side); }
/// "A" or "B".
constexpr const char* SideName(Side side) { return side == Side::kA ? "A" : "B"; }

/// How sequence numbers are written.
enum class Numbers : std::uint8_t {
  kRelative,  // to the ISN of the side whose numbers they are: its SYN is 0
  kAbsolute,  // as on the wire
  kSymbolic,  // as in textbooks: x, x+1 for A's numbers, y, y+1 for B's
};

/// A segment on its way.
struct LadderSegment {
  Side from = Side::kA;
  Time sent{};
  std::optional<Time>
      arrived;  // nullopt: lost; where only one end is observed, the time seen there
  SegmentSummary segment;
  // The ISNs that `segment.seq` and `.ack` count from; nullopt: not known, numbers stay absolute.
  std::optional<std::uint32_t> seq_base;
  std::optional<std::uint32_t> ack_base;
  std::uint8_t seq_nth = 0;  // which ISN of these two ends that is: 0 is x, 1 is x'
  std::uint8_t ack_nth = 0;
  std::string options;  // "mss 1460, sackOK, wscale 7"; may be empty
  std::string note;     // "lost by fault", "duplicate"; may be empty
  // ":40001", "-:81": the ends that are not those in the columns' heads; may be empty.
  std::string apart;
  bool window_matters = false;  // it closes here, is closed, or opens again
};

/// A rule fired. If `from` is `to`, it is a verdict that changed no state.
struct LadderState {
  Side side = Side::kA;
  State from = State::kClosed;
  State to = State::kClosed;
  std::string rule;     // its name; empty where the host is not observed
  std::string section;  // "RFC 9293 §3.10.7.3"; may be empty
  std::string gist;
  ConnectionNumber number = 0;
  bool listener = false;
};

/// A user's call.
struct LadderCall {
  Side side = Side::kA;
  std::string text;    // "connect(192.0.2.2:80)"
  std::string result;  // "EINPROGRESS", "5 bytes"; may be empty
};

/// A timer from its setting to its end.
struct LadderTimer {
  Side side = Side::kA;
  TimerKind kind = TimerKind::kNone;
  Time armed{};
  Time ended{};
  bool fired = false;  // false: cancelled, or replaced
};

/// Something worth saying, about one side or, without one, about both.
struct LadderNote {
  std::optional<Side> side;
  std::string text;
};

/// One row. `at` is the moment at which it begins (a segment's sending, a timer's end).
struct LadderRow {
  Time at{};
  std::variant<LadderSegment, LadderState, LadderCall, LadderTimer, LadderNote> what;
};

/// One column's head.
struct LadderHost {
  std::string name;       // "A", "client"
  std::string endpoint;   // "192.0.2.1:40000"; may be empty
  bool inferred = false;  // not observed: states are guessed from its segments
};

/// The whole figure. Rows are in the order of time; equal times in the order of happening.
struct Ladder {
  std::string title;
  std::array<LadderHost, 2> hosts;
  std::vector<LadderRow> rows;
  Time origin{};  // drawn as 0
  Numbers numbers = Numbers::kRelative;
  std::uint64_t left_out = 0;  // rows that were not recorded because there were too many

  const LadderHost& host(Side side) const { return hosts[Index(side)]; }
};

/// Sorts the rows by time, keeping the order of equals.
void SortRows(Ladder& ladder);

/// The state `side` is in before the first row: that of the first change's `from`, else CLOSED.
State InitialState(const Ladder& ladder, Side side);

/// Replaces the middle of a long ladder by one note that says how much is missing, keeping the
/// first `head` and the last `tail` rows and every change of state between. Nothing if there are
/// fewer rows.
void Shorten(Ladder& ladder, std::size_t head, std::size_t tail);

/// "SYN|ACK seq=0 ack=1 len=0 win=65535": what is written at an arrow. `len` only if there is
/// payload, `win` only if `window`, or if the window is closed or opens again. In front stand ends
/// other than those in the heads. `brief` writes flags as "S.".
std::string SegmentLabel(const Ladder& ladder, const LadderSegment& segment, bool brief = false,
                         bool window = false);

/// "CLOSED", "CLOSED (listener)": the state that a change leads to, and whose end it is if that is
/// not a connection's.
std::string StateLabel(const LadderState& state);

/// "retransmit timer, 1 s": what is written where a timer ends.
std::string TimerLabel(const LadderTimer& timer);

/// Digits behind the point that the ladder's times need: 3, or 6 where milliseconds do not tell.
int TimeDecimals(const Ladder& ladder);

}  // namespace estab::observe
