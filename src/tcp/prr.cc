#include "tcp/prr.h"

#include <algorithm>

#include "tcp/congestion/congestion.h"
#include "tcp/recovery.h"

namespace estab::tcp {
namespace {

// What fits `delivered` in the proportion of the reduction; in whole segments, rounded up.
std::int64_t Proportional(const Tcb& tcb, const LossState& loss) {
  const std::uint64_t share = std::uint64_t{loss.prr_delivered} * tcb.ssthresh;
  const std::uint64_t whole = std::max<std::uint64_t>(loss.prior_cwnd, 1) * tcb.send_mss;
  return static_cast<std::int64_t>((share + whole - 1) / whole * tcb.send_mss);
}

// RFC 8511 §3.1: a queue that marks is a short one, and drains after less.
std::uint32_t ThresholdAfterMark(const Tcb& tcb) {
  const std::uint64_t share = std::uint64_t{tcb.cwnd} * Control(tcb).marked_percent / 100;
  return static_cast<std::uint32_t>(share / tcb.send_mss * tcb.send_mss);
}

}  // namespace

void BeginReduction(Context& cx, Tcb& tcb, LossState& loss, Evidence found) {
  tcb.recover = tcb.snd.nxt;
  loss.probe.out = false;
  loss.prior_cwnd = tcb.cwnd;
  loss.prr_delivered = 0;
  loss.prr_out = 0;
  tcb.ssthresh = Control(tcb).reduced(cx, tcb);
  if (found == Evidence::kMark && cx.settings.abe != 0) {
    tcb.ssthresh = std::max(tcb.ssthresh, ThresholdAfterMark(tcb));
  }
  tcb.cwr_owed = tcb.ecn;
}

void Reduce(const Context& cx, Tcb& tcb, LossState& loss, const AckNews& news) {
  if (news.delivered == 0 && news.lost == 0 && loss.prr_out != 0) return;
  if (loss.prior_cwnd == 0) loss.prior_cwnd = tcb.cwnd;  // begun by a flight before this one
  const std::int64_t pipe = Pipe(cx, tcb);
  const std::int64_t mss = tcb.send_mss;
  loss.prr_delivered += news.delivered;
  const std::int64_t above = std::int64_t{tcb.ssthresh} - pipe;
  std::int64_t send;
  if (above < 0) {
    send = Proportional(tcb, loss) - loss.prr_out;
  } else {
    // The pipe has run below ssthresh: slow start fills it again, but only on good news.
    send = std::max<std::int64_t>(std::int64_t{loss.prr_delivered} - loss.prr_out, news.delivered);
    if (news.advanced && news.lost == 0) send += mss;
    send = std::min(send, above);
  }
  // The first repeat goes at once; and without SACK that of the next hole (RFC 6582 §3.2 step 3),
  // which on Linux waits until the window has room.
  const bool next_hole =
      !tcb.sack && news.advanced && news.lost != 0 && !cx.settings.policy.repairs_as_linux;
  send = std::max<std::int64_t>(send, loss.prr_out == 0 || next_hole ? mss : 0);
  // After a tail loss probe nothing has been on the way for a round trip: no ACKs are there that
  // could pace what leaves, and none are needed for as much as may begin after a pause (RFC 6928).
  if (loss.tail_lost && loss.prr_out == 0 && !cx.settings.policy.probes_as_linux) {
    send = std::max(send, std::min<std::int64_t>(above, InitialWindow(tcb)));
  }
  tcb.cwnd = static_cast<std::uint32_t>(pipe + send);
}

void EndReduction(Tcb& tcb, const LossState& loss) {
  if (OwnsWindow(tcb)) return;
  const bool reduced = tcb.recovery == Recovery::kReduced || loss.may_undo;
  if (tcb.ssthresh != UINT32_MAX && reduced) tcb.cwnd = tcb.ssthresh;
}

}  // namespace estab::tcp
