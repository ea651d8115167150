#include "tcp/sack.h"

#include <algorithm>

#include "tcp/delivery.h"
#include "tcp/rack.h"
#include "tcp/rtt.h"

namespace estab::tcp {
namespace {

struct Block {
  SndSeq left;
  SndSeq right;
};

// RFC 2883 §4: the first block lies below the cumulative ACK, or within the second.
bool IsDsack(const wire::TcpOptions& options, SndSeq ack) {
  const Block first{SndSeq(options.sack[0].left), SndSeq(options.sack[0].right)};
  if (first.left < ack) return true;
  if (options.sack_count < 2) return false;
  const Block second{SndSeq(options.sack[1].left), SndSeq(options.sack[1].right)};
  return second.left <= first.left && first.right <= second.right;
}

// What arrived twice was repeated for nothing; when that holds for all that was repeated, the
// reduction was for nothing too. A duplicate that we never made says nothing.
void TakeDsack(Tcb& tcb, LossState& loss, Block block, AckNews& news) {
  const bool ours = block.left < block.right && block.right <= tcb.snd.nxt &&
                    tcb.snd.nxt - block.left <= static_cast<std::int32_t>(tcb.snd.max_wnd) * 2;
  if (!ours) return;
  news.dsack = true;
  news.dsack_end = block.right;
  WidenReorderWindow(tcb, loss);
  if (loss.may_undo && loss.undo_repeats != 0 && block.right > loss.undo_from) {
    const auto bytes = static_cast<std::uint32_t>(block.right - block.left);
    const std::uint32_t segments = (bytes + tcb.send_mss - 1) / tcb.send_mss;
    loss.undo_repeats -= std::min(loss.undo_repeats, segments);
  }
}

// Whether the ACK tells of a segment behind `i` too, sent once and after it: that one says all that
// RACK would learn from this one.
bool SaidByNext(const Flight& flight, Flight::Index i, SndSeq una) {
  if (i == flight.last()) return false;
  const SentSegment& next = flight[i + 1];
  return next.end <= una && next.where == SentSegment::Where::kInFlight && next.repeats == 0 &&
         flight[i].repeats == 0 && SentAfter(next, flight[i]);
}

// Segment `i`, not SACKed before, has arrived. What was SACKed lies before `highest`.
void NoteDelivered(Context& cx, Tcb& tcb, LossState& loss, Flight::Index i, SndSeq highest,
                   AckNews& news) {
  const SentSegment& segment = loss.flight[i];
  news.delivered += loss.flight.SizeOf(i);
  NoteArrival(cx, tcb, loss, i, news);
  if (segment.repeats != 0) return;
  if (segment.end <= tcb.recover) news.original = true;
  const SndSeq begin = loss.flight.BeginOf(i);
  if (begin >= highest || (news.late && news.late_from <= begin)) return;
  news.late = true;
  news.late_from = begin;
}

void TakeBlock(Context& cx, Tcb& tcb, LossState& loss, Block block, AckNews& news) {
  Flight& flight = loss.flight;
  Flight::Index i = flight.Find(block.left);
  const Flight::Index end = flight.first() + flight.count();
  // A segment counts when all of it has arrived.
  if (i != end && flight.BeginOf(i) < block.left) ++i;
  while (i != end && flight.NextOpen(i) && flight[i].end <= block.right) {
    NoteRackDelivery(cx, tcb, loss, i);
    NoteDelivered(cx, tcb, loss, i, flight.highest_sacked(), news);
    if (flight[i].repeats == 0 && news.sack_rtt < Duration(0)) {
      news.sack_rtt = cx.now - flight[i].sent_at;
    }
    news.sacked += flight.SizeOf(i);
    flight.MarkSacked(i);
    ++i;
  }
}

}  // namespace

void TakeSack(Context& cx, Tcb& tcb, LossState& loss, const Arriving& segment, AckNews& news) {
  const wire::TcpOptions& options = segment.header.options;
  std::array<Block, std::tuple_size_v<decltype(options.sack)>> blocks;
  std::size_t count = 0;
  for (std::size_t n = 0; n < options.sack_count; ++n) {
    const Block block{SndSeq(options.sack[n].left), SndSeq(options.sack[n].right)};
    if (n == 0 && IsDsack(options, segment.ack)) {
      TakeDsack(tcb, loss, block, news);
      continue;
    }
    const bool believable =
        block.left < block.right && block.left >= tcb.snd.una && block.right <= tcb.snd.nxt;
    if (!believable) continue;
    // Lowest first, so that one ACK for many segments does not look like reordering.
    std::size_t place = count++;
    for (; place != 0 && block.left < blocks[place - 1].left; --place) {
      blocks[place] = blocks[place - 1];
    }
    blocks[place] = block;
  }
  for (std::size_t n = 0; n < count; ++n) TakeBlock(cx, tcb, loss, blocks[n], news);
  if (news.late) NoteLateArrival(tcb, loss, news.late_from);
}

void NoteLateArrival(Tcb& tcb, const LossState& loss, SndSeq from) {
  constexpr std::uint32_t kMost = UINT8_MAX;
  const SndSeq highest = loss.flight.highest_sacked();
  if (from >= highest) return;
  const auto distance = static_cast<std::uint32_t>(highest - from);
  const std::uint32_t segments = (distance + tcb.send_mss - 1) / tcb.send_mss;
  if (segments > tcb.reordering) {
    tcb.reordering = static_cast<std::uint8_t>(std::min(segments, kMost));
  }
  tcb.reordering_seen = true;
}

void TakeCumulativeAck(Context& cx, Tcb& tcb, LossState& loss, SndSeq una, AckNews& news) {
  Flight& flight = loss.flight;
  news.late = false;
  while (!flight.empty() && flight[flight.first()].end <= una) {
    const Flight::Index i = flight.first();
    const SentSegment& segment = flight[i];
    if (segment.where != SentSegment::Where::kSacked) {
      if (!SaidByNext(flight, i, una)) NoteRackDelivery(cx, tcb, loss, i);
      // What this ACK SACKs besides came with it, not before it.
      NoteDelivered(cx, tcb, loss, i, news.prior_highest, news);
      if (segment.repeats != 0) {
        news.acked_repeat = true;
      } else if (news.rtt < Duration(0)) {
        news.rtt = cx.now - segment.sent_at;
      }
    }
    flight.PopFirst();
  }
  if (!flight.empty() && flight.begin() < una) {
    news.delivered += static_cast<std::uint32_t>(una - flight.begin());
    flight.TrimFirst(una);
  }
  if (news.late) NoteLateArrival(tcb, loss, news.late_from);
  if (!news.acked_repeat) return;
  news.rtt = Duration(-1);  // Karn
  // Without SACK nobody knows which copy of what has brought this ACK about.
  if (!tcb.sack) news.original = false;
}

}  // namespace estab::tcp
