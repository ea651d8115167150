#include "tcp/delivery.h"

#include <algorithm>

#include "tcp/congestion/congestion.h"
#include "tcp/recovery.h"
#include "tcp/send_queue.h"

namespace estab::tcp {
namespace {

// What TCP_INFO tells: the last rate, but one that the user has kept low does not replace a higher.
void KeepRate(Tcb& tcb, const RateSample& sample) {
  const std::uint64_t rate =
      std::min<std::uint64_t>(RateOf(sample.delivered, sample.interval) / kRateUnit, UINT32_MAX);
  if (sample.app_limited && rate < tcb.delivery_rate) return;
  tcb.delivery_rate = static_cast<std::uint32_t>(rate);
  tcb.rate_limited = sample.app_limited;
}

}  // namespace

void MarkSent(const Context& cx, const Tcb& tcb, LossState& loss, Flight::Index i) {
  const bool samples = Control(tcb).wants_samples;
  if (!samples && loss.marks.Taken(i) && loss.flight.count() != 1) return;
  Deliveries& d = loss.deliveries;
  const bool first = loss.flight.count() == 1 && loss.flight[i].repeats == 0;
  if (first) d.delivered_at = d.began_at = cx.now;
  if (samples) loss.marks.Follow(cx.buffers.rings, loss.flight);
  loss.marks.Put(i, {true, d.app_limited, d.delivered, d.delivered_at, d.began_at});
}

void NoteArrival(const Context& cx, Tcb& tcb, LossState& loss, Flight::Index i, AckNews& news) {
  const SentSegment& segment = loss.flight[i];
  RateSample& sample = news.sample;
  ++tcb.delivered;
  const Duration trip = cx.now - segment.sent_at;
  if (segment.repeats == 0 && (sample.rtt < Duration(0) || trip < sample.rtt)) sample.rtt = trip;
  SentMark* mark = loss.marks.Of(i);
  if (mark == nullptr) return;
  mark->known = false;
  // What was sent last says most of what the path is like now.
  if (sample.marked && Precedes(segment.turn, sample.turn)) return;
  sample.marked = true;
  sample.turn = segment.turn;
  sample.app_limited = mark->app_limited;
  sample.prior_delivered = mark->delivered;
  sample.prior_at = mark->delivered_at;
  sample.interval = segment.sent_at - mark->began_at;
  loss.deliveries.began_at = segment.sent_at;
}

void FinishSample(const Context& cx, Tcb& tcb, LossState& loss, AckNews& news) {
  Deliveries& d = loss.deliveries;
  RateSample& sample = news.sample;
  d.delivered += news.delivered;
  d.lost += news.lost;
  if (d.app_limited && Precedes(d.limited_until, d.delivered)) d.app_limited = false;
  if (news.delivered != 0) d.delivered_at = cx.now;
  // What was SACKed, given up as thrown away, and acknowledged after all counts twice: that makes
  // no rate, up to the ACK that ends the repair (Linux: is_sack_reneg).
  const bool reneged = loss.reneged;
  if (tcb.recovery <= Recovery::kDisorder) loss.reneged = false;
  if (!sample.marked || reneged) return;
  sample.delivered = d.delivered - sample.prior_delivered;
  sample.interval = std::max(sample.interval, cx.now - sample.prior_at);
  // Less than a round trip: what was delivered was sent before the mark, and arrived in a bunch.
  if (sample.interval <= Duration(0) || tcb.rtt.srtt8 == 0) return;
  if (sample.interval < std::chrono::microseconds(tcb.rtt.min)) return;
  sample.valid = true;
  KeepRate(tcb, sample);
}

void NoteAppLimit(const Context& cx, const Tcb& tcb, LossState& loss) {
  const std::uint32_t pipe = Pipe(cx, tcb);
  if (Unsent(cx, tcb) >= tcb.send_mss || pipe >= tcb.cwnd || loss.flight.lost_count() != 0) return;
  loss.deliveries.app_limited = true;
  loss.deliveries.limited_until = loss.deliveries.delivered + pipe;
}

}  // namespace estab::tcp
