#include "tcp/rack.h"

#include <algorithm>

#include "tcp/rtt.h"
#include "tcp/timers.h"

namespace estab::tcp {
namespace {

constexpr std::uint8_t kRecoveriesToPersist = 16;
constexpr std::uint32_t kDuplicateThreshold = 3;

// Step 4: how much later than what was sent after it a segment may arrive.
Duration ReorderWindow(const Context& cx, const Tcb& tcb, const LossState& loss) {
  const bool adaptive = (cx.settings.recovery & kRackStaticWindow) == 0;
  if (!tcb.reordering_seen) {
    if (tcb.recovery >= Recovery::kFast) return Duration(0);
    const bool by_count = (cx.settings.recovery & kRackNoDuplicateThreshold) == 0;
    if (by_count && loss.flight.sacked_count() >= kDuplicateThreshold) return Duration(0);
  }
  const Duration quarter = Duration(std::chrono::microseconds(tcb.rtt.min)) / 4;
  const Duration most = std::chrono::microseconds(tcb.rtt.srtt8 / 8);
  return std::min(quarter * (adaptive ? loss.rack.steps : 1), most);
}

}  // namespace

void NoteRackDelivery(Context& cx, Tcb& tcb, LossState& loss, Flight::Index i) {
  const SentSegment& segment = loss.flight[i];
  const Duration rtt = cx.now - segment.sent_at;
  if (segment.repeats != 0) {
    // The ACK may be for the original: it came too soon for the repeat.
    if (rtt < std::chrono::microseconds(tcb.rtt.min)) return;
  }
  // The round trip is that of whatever has arrived, even if something sent later arrived before:
  // then the path reorders, or the originals of what was repeated come late. Of what one ACK tells
  // of, as on Linux, the highest number counts, where RFC 8985 takes the last sent: originals
  // behind a repeat would be lost anew.
  const bool first = loss.rack.rtt == Duration(0);
  loss.rack.rtt = std::max(rtt, Duration(1));
  if (first || !loss.flight.Overtaken(segment)) loss.flight.NoteLatest(i);
}

void WidenReorderWindow(Tcb& tcb, LossState& loss) {
  if (loss.rack.widened && tcb.snd.una < loss.rack.widened_until) return;
  loss.rack.widened = true;
  loss.rack.widened_until = tcb.snd.nxt;
  if (loss.rack.steps < UINT8_MAX) ++loss.rack.steps;
  loss.rack.persist = kRecoveriesToPersist;
}

void NoteRecoveryOver(LossState& loss) {
  if (loss.rack.persist == 0) return;
  if (--loss.rack.persist == 0) loss.rack.steps = 1;
}

Duration RackPatience(const Context& cx, const Tcb& tcb, const LossState& loss,
                      const SentSegment& segment) {
  return segment.sent_at + loss.rack.rtt + ReorderWindow(cx, tcb, loss) - cx.now;
}

void DetectLosses(Context& cx, Tcb& tcb, LossState& loss, AckNews& news) {
  DisarmReorder(cx, tcb, loss);
  if (loss.rack.rtt == Duration(0)) return;
  Flight& flight = loss.flight;
  const Duration window = ReorderWindow(cx, tcb, loss);
  const auto patience = [&](Flight::Index i) {
    return flight[i].sent_at + loss.rack.rtt + window - cx.now;
  };
  Flight::Index i;
  Flight::Index last;
  // In order of transmission the patience grows: what is lost comes first.
  while (flight.LastOvertaken(last) && flight.Oldest(i) && patience(i) <= Duration(0)) {
    news.lost += flight.SizeOf(i);
    if (flight[i].repeats != 0) news.lost_repeat = true;
    flight.MarkLost(i);
  }
  // As RFC 8985 has it, the deadline is for all of the rest at once.
  if (flight.LastOvertaken(last)) ArmReorder(cx, tcb, loss, patience(last));
}

}  // namespace estab::tcp
