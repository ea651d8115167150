#include "observe/ladder.h"

#include <algorithm>
#include <utility>

#include "observe/format.h"
#include "observe/text.h"

namespace estab::observe {
namespace {

// `value` in the chosen style; `letter` stands for the ISN, with `nth` primes.
std::string Number(Numbers style, std::uint32_t value, std::optional<std::uint32_t> base,
                   char letter, std::uint8_t nth) {
  if (style == Numbers::kAbsolute || !base) return fmt::format("{}", value);
  const auto offset = static_cast<std::int32_t>(value - *base);
  if (style == Numbers::kRelative) return fmt::format("{}", offset);
  const std::string symbol = letter + std::string(nth, '\'');
  return offset == 0 ? symbol : fmt::format("{}{:+}", symbol, offset);
}

int DecimalsOf(Time at, Time origin) {
  const std::int64_t ns = (at - origin).count();
  if (ns % 1'000'000 == 0) return 3;
  return ns % 1'000 == 0 ? 6 : 9;
}

}  // namespace

void SortRows(Ladder& ladder) {
  std::vector<std::size_t> order(ladder.rows.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const Time at = ladder.rows[a].at;
    const Time other = ladder.rows[b].at;
    return at != other ? at < other : a < b;
  });
  std::vector<LadderRow> sorted;
  sorted.reserve(order.size());
  for (const std::size_t i : order) sorted.push_back(std::move(ladder.rows[i]));
  ladder.rows = std::move(sorted);
}

State InitialState(const Ladder& ladder, Side side) {
  for (const LadderRow& row : ladder.rows) {
    const auto* state = std::get_if<LadderState>(&row.what);
    if (state != nullptr && state->side == side) return state->from;
  }
  return State::kClosed;
}

void Shorten(Ladder& ladder, std::size_t head, std::size_t tail) {
  if (ladder.rows.size() <= head + tail + 1) return;
  std::vector<LadderRow> kept;
  std::size_t missing = 0;
  const std::size_t tail_begin = ladder.rows.size() - tail;
  const auto mention = [&](Time at) {
    if (missing == 0) return;
    kept.push_back({at, LadderNote{std::nullopt, Counted(missing, "row") + " left out"}});
    missing = 0;
  };
  for (std::size_t i = 0; i < ladder.rows.size(); ++i) {
    LadderRow& row = ladder.rows[i];
    const auto* state = std::get_if<LadderState>(&row.what);
    const bool keep = i < head || i >= tail_begin || (state != nullptr && state->from != state->to);
    if (!keep) {
      ++missing;
      continue;
    }
    mention(row.at);
    kept.push_back(std::move(row));
  }
  ladder.rows = std::move(kept);
}

std::string SegmentLabel(const Ladder& ladder, const LadderSegment& row, bool brief, bool window) {
  const SegmentSummary& s = row.segment;
  const char own = row.from == Side::kA ? 'x' : 'y';
  const char peer = row.from == Side::kA ? 'y' : 'x';
  std::string out = row.apart;
  if (!out.empty()) out += " ";
  out += FlagsText(s.flags, brief);
  out += " seq=" + Number(ladder.numbers, s.seq, row.seq_base, own, row.seq_nth);
  if ((s.flags & kAck) != 0) {
    out += " ack=" + Number(ladder.numbers, s.ack, row.ack_base, peer, row.ack_nth);
  }
  if (s.length != 0) out += fmt::format(" len={}", s.length);
  if (window || row.window_matters) out += fmt::format(" win={}", s.window);
  return out;
}

std::string StateLabel(const LadderState& state) {
  const bool gone = state.listener && state.to == State::kClosed;
  return std::string(StateName(state.to)) + (gone ? " (listener)" : "");
}

// Timers tick in milliseconds; what a segment took of one on its way is not worth saying.
std::string TimerLabel(const LadderTimer& timer) {
  const Duration span = timer.ended - timer.armed;
  const auto rounded = std::chrono::round<std::chrono::milliseconds>(span);
  return fmt::format("{} timer, {}", TimerName(timer.kind),
                     SpanText(rounded.count() != 0 ? Duration(rounded) : span));
}

int TimeDecimals(const Ladder& ladder) {
  int most = 3;
  for (const LadderRow& row : ladder.rows) {
    most = std::max(most, DecimalsOf(row.at, ladder.origin));
    const auto* segment = std::get_if<LadderSegment>(&row.what);
    if (segment != nullptr && segment->arrived) {
      most = std::max(most, DecimalsOf(*segment->arrived, ladder.origin));
    }
  }
  return std::min(most, 6);
}

}  // namespace estab::observe
