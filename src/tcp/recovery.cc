#include "tcp/recovery.h"

#include <algorithm>

#include "tcp/congestion/congestion.h"
#include "tcp/delivery.h"
#include "tcp/path_mtu.h"
#include "tcp/prr.h"
#include "tcp/rack.h"
#include "tcp/rtt.h"
#include "tcp/sack.h"
#include "tcp/send_queue.h"
#include "tcp/sender.h"
#include "tcp/timers.h"
#include "tcp/undo.h"
#include "tcp/window_use.h"

namespace estab::tcp {
namespace {

void KeepOpen(Tcb& tcb, const LossState& loss) {
  const bool holes =
      loss.flight.sacked_count() != 0 || loss.flight.lost_count() != 0 || loss.duplicates != 0;
  tcb.recovery = holes ? Recovery::kDisorder : Recovery::kOpen;
}

bool AnyRepeatOut(const LossState& loss) { return loss.flight.repeated_count() != 0; }

void EnterFastRecovery(Context& cx, Tcb& tcb, LossState& loss, const AckNews& news) {
  loss.tail_lost = loss.probe.out;
  loss.prior_ssthresh = 0;
  BeginUndo(tcb, loss);
  if (tcb.recovery != Recovery::kReduced && tcb.recovery != Recovery::kFast) {
    loss.prior_ssthresh = news.ece ? 0 : CurrentSsthresh(tcb);
    BeginReduction(cx, tcb, loss, Evidence::kLoss);
  }
  tcb.recovery = Recovery::kFast;
}

// RFC 3168 §6.1.2: once a round trip, however many marks it brings, and never besides a loss.
void EnterReduced(Context& cx, Tcb& tcb, LossState& loss) {
  if (tcb.recovery >= Recovery::kReduced) return;
  loss.may_undo = false;
  BeginReduction(cx, tcb, loss, Evidence::kMark);
  tcb.recovery = Recovery::kReduced;
}

// RFC 6582, for a peer without SACK: three duplicates, or an ACK that stops at the next hole.
void MarkHeadLost(const Tcb& tcb, LossState& loss, AckNews& news) {
  const bool partial = tcb.recovery == Recovery::kFast && news.advanced;
  const bool enough = tcb.recovery < Recovery::kFast && loss.duplicates >= tcb.reordering;
  Flight& flight = loss.flight;
  if (flight.empty() || (!partial && !enough)) return;
  const Flight::Index head = flight.first();
  if (flight[head].where != SentSegment::Where::kInFlight) return;
  if (flight[head].repeats != 0) return;
  news.lost += flight.SizeOf(head);
  flight.MarkLost(head);
}

void FindLosses(Context& cx, Tcb& tcb, LossState& loss, AckNews& news) {
  if (!tcb.sack) return MarkHeadLost(tcb, loss, news);
  DetectLosses(cx, tcb, loss, news);
}

// No more can have arrived beyond a hole than was sent (Linux: tcp_limit_reno_sacked): a peer that
// sends duplicates without end gets nothing for them.
std::uint32_t MostDuplicates(const LossState& loss) {
  const Flight& flight = loss.flight;
  const std::uint32_t holes = std::max(flight.lost_count() + flight.repeated_count(), 1u);
  return flight.count() - std::min(flight.count(), holes);
}

// A peer without SACK tells by duplicates that something beyond a hole has arrived.
void CountDuplicates(const Tcb& tcb, LossState& loss, AckNews& news) {
  if (tcb.sack) return;
  // After a time-out duplicates answer what was repeated for nothing, until F-RTO has sent new
  // data.
  const bool repeats_only = tcb.recovery == Recovery::kLoss && tcb.snd.nxt <= tcb.recover;
  if (news.duplicate) {
    if (repeats_only || loss.duplicates >= MostDuplicates(loss)) return;
    ++loss.duplicates;
    news.delivered += tcb.send_mss;
  } else if (news.advanced) {
    // What the duplicates stood for is acknowledged now: it was counted as delivered then.
    const std::uint32_t segments = (news.acked + tcb.send_mss - 1) / tcb.send_mss;
    const std::uint32_t counted =
        std::min(loss.duplicates, segments > 0 ? segments - 1 : 0) * tcb.send_mss;
    news.delivered -= std::min(news.delivered, counted);
    if (tcb.recovery >= Recovery::kFast && !repeats_only && segments != 0) {
      loss.duplicates -= std::min(loss.duplicates, segments - 1);
    } else {
      loss.duplicates = 0;
    }
  }
}

// RFC 6582 §4: duplicates of what is just acknowledged must not begin the recovery anew, so that it
// goes on until something beyond is acknowledged.
bool HoldsForPlainPeer(const Tcb& tcb) {
  return !tcb.sack && tcb.recovery >= Recovery::kFast && tcb.snd.una == tcb.recover;
}

// Everything sent before the reduction is acknowledged.
bool TryUndoRecovery(Context& cx, Tcb& tcb, LossState& loss, const AckNews& news) {
  if (MayUndo(tcb, loss, news)) Undo(cx, tcb, loss, false);
  if (HoldsForPlainPeer(tcb)) {
    if (!AnyRepeatOut(loss)) loss.repeated = false;
    return true;
  }
  tcb.recovery = Recovery::kOpen;
  loss.repeated = false;
  return false;
}

// Part of it is acknowledged, and by the original: nothing was lost, it was only late.
bool TryUndoPartial(Context& cx, Tcb& tcb, LossState& loss, const AckNews& news) {
  if (!loss.may_undo || !AnswersOriginal(tcb, loss, news)) return false;
  NoteLateArrival(tcb, loss, news.prior_una);
  if (AnyRepeatOut(loss)) return true;  // wait until the repeats are explained as well
  loss.repeated = false;
  Undo(cx, tcb, loss, true);
  KeepOpen(tcb, loss);
  return true;
}

bool TryUndoByDsack(Context& cx, Tcb& tcb, LossState& loss) {
  if (!AllRepeatsNeedless(loss)) return false;
  Undo(cx, tcb, loss, false);
  return true;
}

bool TryUndoLoss(Context& cx, Tcb& tcb, LossState& loss, const AckNews& news, bool frto) {
  if (!frto && !MayUndo(tcb, loss, news)) return false;
  Undo(cx, tcb, loss, true);
  tcb.rtt.repeats = 0;
  if (frto || tcb.sack) {
    tcb.recovery = Recovery::kOpen;
    loss.repeated = false;
  }
  return true;
}

// RFC 5682 §3.1: after a time-out, does what comes back belong to the originals? True: it does, or
// new data has to go out before that can be told.
bool WatchForSpurious(Context& cx, Tcb& tcb, LossState& loss, const AckNews& news, bool recovered) {
  if (news.original && TryUndoLoss(cx, tcb, loss, news, true)) return true;
  if (tcb.snd.nxt > tcb.recover) {
    if (news.sacked != 0 || news.duplicate) loss.frto = false;  // step 3a: it was real
    return false;
  }
  if (!news.advanced || recovered) return false;
  tcb.recover = tcb.snd.nxt;
  const bool new_data = SendEnd(cx, tcb) > tcb.snd.nxt && UsableWindow(tcb) != 0;
  if (!new_data) loss.frto = false;
  loss.new_data_first = new_data;  // step 2b
  return new_data;
}

void OnAckInLoss(Context& cx, Tcb& tcb, LossState& loss, AckNews& news) {
  const bool recovered = tcb.snd.una >= tcb.recover;
  if (news.advanced && TryUndoLoss(cx, tcb, loss, news, false)) return;
  if (loss.frto && WatchForSpurious(cx, tcb, loss, news, recovered)) return;
  if (recovered) TryUndoRecovery(cx, tcb, loss, news);
}

// All that was sent before the episode is acknowledged. False: it goes on for one more ACK.
bool EndEpisode(Context& cx, Tcb& tcb, LossState& loss, const AckNews& news) {
  if (tcb.recovery == Recovery::kReduced) {
    if (tcb.snd.una == tcb.recover) return true;  // CWR has to reach the peer first
    EndReduction(tcb, loss);
    tcb.recovery = Recovery::kOpen;
  } else if (tcb.recovery == Recovery::kFast) {
    loss.duplicates = 0;
    if (TryUndoRecovery(cx, tcb, loss, news)) return false;
    EndReduction(tcb, loss);
    NoteRecoveryOver(loss);
  }
  return true;
}

void OnAckInRecovery(Context& cx, Tcb& tcb, LossState& loss, AckNews& news) {
  if (news.advanced && TryUndoPartial(cx, tcb, loss, news)) return;
  if (news.dsack && TryUndoByDsack(cx, tcb, loss)) KeepOpen(tcb, loss);
  FindLosses(cx, tcb, loss, news);
  if (tcb.recovery != Recovery::kFast && loss.flight.lost_count() != 0) {
    EnterFastRecovery(cx, tcb, loss, news);
  }
}

void OnAckWhileOpen(Context& cx, Tcb& tcb, LossState& loss, AckNews& news) {
  if (tcb.recovery <= Recovery::kDisorder && news.dsack) TryUndoByDsack(cx, tcb, loss);
  FindLosses(cx, tcb, loss, news);
  if (loss.flight.lost_count() != 0) {
    if (MtuProbeFailed(cx, tcb, loss)) return RepeatTooLarge(cx, tcb);
    return EnterFastRecovery(cx, tcb, loss, news);
  }
  if (!AnyRepeatOut(loss)) loss.repeated = false;
  if (news.ece) EnterReduced(cx, tcb, loss);
  if (tcb.recovery != Recovery::kReduced) KeepOpen(tcb, loss);
}

// RFC 8985 §7.4: was the probe a repair, that is, has it hidden a loss?
void OnProbeAnswered(Context& cx, Tcb& tcb, LossState& loss, const AckNews& news) {
  if (!loss.probe.out || tcb.snd.una < loss.probe.end) return;
  const Duration since = cx.now - loss.probe.sent_at;
  const bool too_soon = news.advanced && since < std::chrono::microseconds(tcb.rtt.min);
  const bool told = news.dsack && news.dsack_end == loss.probe.end;  // both copies have come
  if (loss.probe.repeats && (told || too_soon)) tcb.probes_wait = true;
  const bool harmless = !loss.probe.repeats || told || too_soon;  // nothing was lost
  const bool hid_a_loss = !harmless && tcb.snd.una > loss.probe.end;
  const bool copy_answered = !news.advanced && news.sacked == 0 && news.duplicate;
  if (harmless || hid_a_loss || copy_answered) loss.probe.out = false;
  if (!hid_a_loss) return;
  BeginReduction(cx, tcb, loss, Evidence::kLoss);
  tcb.recovery = Recovery::kReduced;
  loss.may_undo = false;
  EndReduction(tcb, loss);
  tcb.recovery = Recovery::kOpen;
}

bool Dubious(const Tcb& tcb, const LossState& loss, const AckNews& news) {
  return tcb.recovery != Recovery::kOpen || news.duplicate || news.sacked != 0 || news.dsack ||
         news.ece || loss.flight.lost_count() != 0;
}

// The ACK has come as far as something that is SACKed, and stops there: the peer may have thrown it
// away (RFC 2018 §8). If no ACK comes soon all of it is repeated (Linux: tcp_check_sack_reneging).
bool Reneges(Context& cx, Tcb& tcb, const LossState& loss, const AckNews& news) {
  constexpr Duration kLeast = std::chrono::milliseconds(10);
  const Flight& flight = loss.flight;
  if (!news.advanced || flight.empty()) return false;
  if (flight[flight.first()].where != SentSegment::Where::kSacked) return false;
  ArmRetransmit(cx, tcb, std::max(Duration(std::chrono::microseconds(tcb.rtt.srtt8 / 16)), kLeast));
  return true;
}

void Decide(Context& cx, Tcb& tcb, LossState& loss, AckNews& news) {
  if (news.ece) loss.prior_ssthresh = 0;  // whatever was lost or not: there is congestion
  if (Reneges(cx, tcb, loss, news)) return;
  if (tcb.recovery == Recovery::kOpen) {
    if (!AnyRepeatOut(loss)) loss.repeated = false;
  } else if (tcb.snd.una >= tcb.recover && !EndEpisode(cx, tcb, loss, news)) {
    return;
  }
  if (tcb.recovery == Recovery::kFast) return OnAckInRecovery(cx, tcb, loss, news);
  if (tcb.recovery == Recovery::kLoss) {
    OnAckInLoss(cx, tcb, loss, news);
    FindLosses(cx, tcb, loss, news);
    // A repeat that was lost in its turn begins a recovery of its own.
    if (tcb.recovery != Recovery::kOpen && !news.lost_repeat) return;
  }
  OnAckWhileOpen(cx, tcb, loss, news);
}

void Grow(Context& cx, Tcb& tcb, LossState& loss, const AckNews& news) {
  const bool limited = WindowInUse(tcb, loss) || tcb.recovery == Recovery::kLoss;
  Control(tcb).acked(cx, tcb, news, limited);
  DecayUnusedWindow(cx, tcb, loss);
}

// All is lost that is not SACKed, but for what RACK still expects. A peer that does not acknowledge
// what it has SACKed has thrown it away (RFC 2018 §8).
void MarkTimedOut(const Context& cx, const Tcb& tcb, LossState& loss) {
  Flight& flight = loss.flight;
  const bool reneged = flight[flight.first()].where == SentSegment::Where::kSacked;
  if (reneged) loss.reneged = true;
  for (std::uint32_t n = 0; n < flight.count(); ++n) {
    const Flight::Index i = flight.first() + n;
    const SentSegment& segment = flight[i];
    if (segment.where == SentSegment::Where::kLost) continue;
    if (segment.where == SentSegment::Where::kSacked && !reneged) continue;
    const bool expected = n != 0 && loss.rack.rtt != Duration(0) &&
                          segment.where == SentSegment::Where::kInFlight &&
                          RackPatience(cx, tcb, loss, segment) > Duration(0);
    if (!expected) flight.MarkLost(i);
  }
}

}  // namespace

// While the window is being reduced, ssthresh is what it will have grown to.
std::uint32_t CurrentSsthresh(const Tcb& tcb) {
  if (tcb.recovery == Recovery::kReduced || tcb.recovery == Recovery::kFast) return tcb.ssthresh;
  return std::max(tcb.ssthresh, tcb.cwnd / 4 * 3);
}

void OnAckNews(Context& cx, Tcb& tcb, LossState& loss, AckNews& news) {
  OnProbeAnswered(cx, tcb, loss, news);
  CountDuplicates(tcb, loss, news);
  loss.new_data_first = false;
  if (Dubious(tcb, loss, news)) Decide(cx, tcb, loss, news);
  FinishSample(cx, tcb, loss, news);
  if (const auto control = Control(tcb).control) return control(cx, tcb, news);
  const bool reducing = tcb.recovery == Recovery::kFast || tcb.recovery == Recovery::kReduced;
  // Where segments overtake each other a SACK is progress as well (Linux: tcp_may_raise_cwnd).
  const bool progress = news.advanced || (tcb.reordering > kUsualReordering && news.sacked != 0);
  if (reducing) {
    Reduce(cx, tcb, loss, news);
  } else if (progress) {
    Grow(cx, tcb, loss, news);
  }
}

void NoteAllAcknowledged(Context& cx, Tcb& tcb, LossState& loss) {
  DisarmReorder(cx, tcb, loss);
  const bool reducing = tcb.recovery == Recovery::kFast || tcb.recovery == Recovery::kReduced;
  if (reducing) EndReduction(tcb, loss);
  if (HoldsForPlainPeer(tcb)) return;
  tcb.recovery = Recovery::kOpen;
}

void EnterLossRecovery(Context& cx, Tcb& tcb) {
  LossState* loss = LossOf(cx, tcb);
  if (loss == nullptr || loss->flight.empty()) {
    tcb.pending.head = Outstanding(tcb) != 0;
    return;
  }
  const std::uint32_t lost = loss->flight.lost_bytes();
  MarkTimedOut(cx, tcb, *loss);
  loss->deliveries.lost += loss->flight.lost_bytes() - lost;
  // RFC 5681 §3.1: once for a lost flight, not again for each repeat of it. A closed window is no
  // loss, but on Linux.
  const bool fresh = tcb.recovery <= Recovery::kDisorder || tcb.snd.una >= tcb.recover;
  const bool open = tcb.snd.wnd != 0 || cx.settings.policy.repairs_as_linux;
  if ((fresh || (tcb.recovery == Recovery::kLoss && tcb.rtt.repeats == 0)) && open) {
    loss->prior_ssthresh = CurrentSsthresh(tcb);
    loss->prior_cwnd = tcb.cwnd;
    tcb.ssthresh = Control(tcb).reduced(cx, tcb);
    BeginUndo(tcb, *loss);
  }
  Control(tcb).timed_out(cx, tcb);
  tcb.cwr_owed = tcb.ecn;
  tcb.cwnd = loss->flight.pipe() + tcb.send_mss;
  tcb.recovery = Recovery::kLoss;
  tcb.recover = tcb.snd.nxt;
  loss->repeat_from = tcb.snd.una;  // from the beginning, if a part of it was under way
  loss->duplicates = 0;
  loss->probe.out = false;
  loss->new_data_first = false;
  loss->frto = cx.settings.frto != 0 && (fresh || tcb.rtt.repeats != 0);
  DisarmReorder(cx, tcb, *loss);
  DisarmProbe(cx, tcb, *loss);
}

void RepeatTooLarge(Context& cx, Tcb& tcb) {
  LossState* loss = LossOf(cx, tcb);
  if (loss == nullptr) return;
  Flight& flight = loss->flight;
  const SndSeq data_end = DataEnd(cx, tcb);  // a FIN takes no room
  for (std::uint32_t n = 0; n < flight.count(); ++n) {
    const Flight::Index i = flight.first() + n;
    const std::uint32_t fin = flight[i].end > data_end ? 1 : 0;
    const bool fits = flight.SizeOf(i) <= tcb.send_mss + fin;
    if (!fits && flight[i].where == SentSegment::Where::kInFlight) flight.MarkLost(i);
  }
  if (flight.lost_count() == 0) return;
  if (tcb.recovery != Recovery::kLoss) {
    tcb.ssthresh = CurrentSsthresh(tcb);
    tcb.recover = tcb.snd.nxt;
    tcb.recovery = Recovery::kLoss;
    loss->prior_ssthresh = 0;
    loss->may_undo = false;
    loss->frto = false;
    loss->new_data_first = false;
  }
  loss->probe.out = false;
  loss->repeat_from = tcb.snd.una;
  tcb.pending.tail = false;
  DisarmReorder(cx, tcb, *loss);
  DisarmProbe(cx, tcb, *loss);
  ArmRetransmit(cx, tcb, BackedOffRto(cx, tcb));
}

void OnReorderTimeout(Context& cx, Tcb& tcb, LossState& loss) {
  AckNews news;
  DetectLosses(cx, tcb, loss, news);
  if (news.lost == 0) return;
  loss.deliveries.lost += news.lost;
  if (MtuProbeFailed(cx, tcb, loss)) return RepeatTooLarge(cx, tcb);
  if (tcb.recovery != Recovery::kFast && tcb.recovery != Recovery::kLoss) {
    EnterFastRecovery(cx, tcb, loss, news);
    if (!OwnsWindow(tcb)) Reduce(cx, tcb, loss, news);
  }
}

void NoteSent(Context& cx, Tcb& tcb, LossState& loss, std::uint32_t length, bool repair) {
  if (tcb.recovery == Recovery::kFast || tcb.recovery == Recovery::kReduced) {
    loss.prr_out += length;
  }
  if (!repair) return;
  if (loss.may_undo) {
    ++loss.undo_repeats;
    loss.repeats_unexplained = false;
  }
  if (loss.repeated) return;
  loss.repeated = true;
  loss.repeated_stamp = TimestampNow(cx, tcb.ts.offset);
}

}  // namespace estab::tcp
