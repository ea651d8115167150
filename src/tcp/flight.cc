#include "tcp/flight.h"

#include <new>

#include "base/check.h"

namespace estab::tcp {

using Where = SentSegment::Where;

Flight::Flight() { Place(reinterpret_cast<SentSegment*>(inline_.data()), kInline); }

void Flight::Release(RingPool& pool) {
  if (mask_ + 1 != kInline) pool.Free(segments_, FlightBytes(mask_ + 1));
  Place(reinterpret_cast<SentSegment*>(inline_.data()), kInline);
  count_ = in_flight_count_ = 0;
  has_edge_ = false;
  pipe_ = sacked_bytes_ = sacked_count_ = lost_bytes_ = lost_count_ = repeated_count_ = 0;
}

bool Flight::Grow(RingPool& pool) {
  const std::uint32_t capacity = (mask_ + 1) * 2;
  if (capacity > kMost) return false;
  void* place = pool.Allocate(FlightBytes(capacity));
  if (place == nullptr) return false;
  SentSegment* old = segments_;
  const std::uint32_t old_mask = mask_;
  Place(static_cast<SentSegment*>(place), capacity);
  for (std::uint32_t n = 0; n < count_; ++n) {
    const Index i = head_ + n;
    ::new (&segments_[At(i)]) SentSegment(old[i & old_mask]);
    if ((*this)[i].where != Where::kSacked) open_.Add(At(i));
    if ((*this)[i].where == Where::kLost) lost_.Add(At(i));
  }
  if (old_mask + 1 != kInline) pool.Free(old, FlightBytes(old_mask + 1));
  return true;
}

SentSegment& Flight::Add(SndSeq from, SndSeq to, Time now) {
  ESTAB_CHECK(count_ <= mask_);
  if (count_ == 0) begin_ = end_ = from;
  const Index i = head_ + count_++;
  pipe_ += static_cast<std::uint32_t>(to - end_);
  end_ = to;
  SentSegment& segment = *::new (&segments_[At(i)]) SentSegment{
      .end = to, .sent_at = now, .in_flight = pipe_, .turn = turns_++};
  open_.Add(At(i));
  LinkNewest(i);
  return segment;
}

SentSegment& Flight::Repeat(Index i, Time now) {
  SentSegment& segment = (*this)[i];
  const bool repair = segment.where == Where::kLost || segment.repair;
  Leave(i);
  segment.where = Where::kInFlight;
  segment.repair = repair;
  if (segment.repeats < UINT8_MAX) ++segment.repeats;
  segment.sent_at = now;
  pipe_ += SizeOf(i);
  segment.in_flight = pipe_;
  segment.turn = turns_++;
  if (repair) ++repeated_count_;
  LinkNewest(i);
  return segment;
}

void Flight::PopFirst() {
  ESTAB_CHECK(count_ != 0);
  const SentSegment& first = (*this)[head_];
  if (first.where == Where::kInFlight && head_ == oldest_ && !first.repair) {
    LeaveInOrder(first);
  } else {
    Leave(head_);
  }
  open_.Remove(At(head_));
  begin_ = first.end;
  ++head_;
  --count_;
}

void Flight::TrimFirst(SndSeq una) {
  const auto bytes = static_cast<std::uint32_t>(una - begin_);
  const Where where = (*this)[head_].where;
  (where == Where::kInFlight ? pipe_
   : where == Where::kLost   ? lost_bytes_
                             : sacked_bytes_) -= bytes;
  begin_ = una;
}

Flight::Index Flight::Find(SndSeq seq) const {
  std::uint32_t low = 0;
  std::uint32_t high = count_;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if ((*this)[head_ + middle].end <= seq) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return head_ + low;
}

void Flight::MarkSacked(Index i) {
  Leave(i);
  SentSegment& segment = (*this)[i];
  segment.where = Where::kSacked;
  open_.Remove(At(i));
  highest_sacked_ = sacked_count_ == 0 ? segment.end : Later(highest_sacked_, segment.end);
  sacked_bytes_ += SizeOf(i);
  ++sacked_count_;
}

void Flight::MarkLost(Index i) {
  Leave(i);
  (*this)[i].where = Where::kLost;
  open_.Add(At(i));
  lost_.Add(At(i));
  lost_bytes_ += SizeOf(i);
  ++lost_count_;
}

void Flight::ReviveLost() {
  if (lost_count_ == 0) return;
  Index from = head_;
  const Chain lost = LostByTime(from, lost_count_);
  Index i;
  while (FirstLost(i)) {
    Leave(i);
    (*this)[i].where = Where::kInFlight;
    pipe_ += SizeOf(i);
  }
  const Chain all = Merge(Chain{oldest_, newest_, in_flight_count_}, lost);
  oldest_ = all.first;
  newest_ = all.last;
  in_flight_count_ = all.count;
  FindEdge();
}

// The next `count` of what is lost, `from` on, in order of transmission: sorted by merging, since a
// peer can see to it that any order of sequence is another one of time.
Flight::Chain Flight::LostByTime(Index& from, std::uint32_t count) {
  if (count == 1) {
    ESTAB_CHECK(Next(lost_, from));
    const Index i = from++;
    return Chain{i, i, 1};
  }
  const Chain first = LostByTime(from, count / 2);
  return Merge(first, LostByTime(from, count - count / 2));
}

Flight::Chain Flight::Merge(Chain a, Chain b) {
  Chain all;
  while (a.count + b.count != 0) {
    const bool from_a =
        b.count == 0 || (a.count != 0 && SentAfter((*this)[b.first], (*this)[a.first]));
    Chain& source = from_a ? a : b;
    const Index i = source.first;
    source.first = (*this)[i].newer;
    --source.count;
    if (all.count++ == 0) {
      all.first = i;
    } else {
      (*this)[all.last].newer = i;
      (*this)[i].older = all.last;
    }
    all.last = i;
  }
  return all;
}

// Leave of the first segment, if nothing was sent before it: what is usual.
void Flight::LeaveInOrder(const SentSegment& first) {
  pipe_ -= static_cast<std::uint32_t>(first.end - begin_);
  if (edge_ == head_) has_edge_ = false;
  oldest_ = first.newer;
  --in_flight_count_;
}

// Takes segment `i` out of the place and the counters that it is in.
void Flight::Leave(Index i) {
  SentSegment& segment = (*this)[i];
  const std::uint32_t size = SizeOf(i);
  switch (segment.where) {
    case Where::kInFlight:
      pipe_ -= size;
      if (segment.repair) --repeated_count_;
      segment.repair = false;
      Unlink(i);
      break;
    case Where::kSacked:
      sacked_bytes_ -= size;
      --sacked_count_;
      break;
    case Where::kLost:
      lost_bytes_ -= size;
      --lost_count_;
      lost_.Remove(At(i));
      break;
  }
}

bool Flight::Next(const BitTree& tree, Index& i) const {
  const std::uint32_t capacity = mask_ + 1;
  std::uint32_t place = tree.Next(At(i));
  if (place == capacity) {  // the ring goes on at its beginning
    place = tree.Next(0);
    if (place == capacity) return false;
    place += capacity;
  }
  const std::uint32_t ahead = place - At(i);
  if (ahead >= count_ - (i - head_)) return false;
  i += ahead;
  return true;
}

// Segment `i` has just been sent, or is as new as that.
void Flight::LinkNewest(Index i) {
  if (in_flight_count_++ == 0) {
    oldest_ = i;
  } else {
    (*this)[newest_].newer = i;
    (*this)[i].older = newest_;
  }
  newest_ = i;
}

void Flight::NoteLatest(Index i) {
  const SentSegment& segment = (*this)[i];
  latest_turn_ = segment.turn;
  if (segment.where != Where::kInFlight) return FindEdge();
  has_edge_ = i != oldest_;
  if (has_edge_) edge_ = segment.older;
}

// From the newest, since what was sent after the latest arrival is on its way for less than a round
// trip.
void Flight::FindEdge() {
  edge_ = newest_;
  std::uint32_t left = in_flight_count_;
  for (; left != 0 && !Overtaken((*this)[edge_]); --left) edge_ = (*this)[edge_].older;
  has_edge_ = left != 0;
}

void Flight::Unlink(Index i) {
  const SentSegment& segment = (*this)[i];
  if (has_edge_ && i == edge_) {
    has_edge_ = i != oldest_;
    edge_ = segment.older;
  }
  if (i == oldest_) {
    oldest_ = segment.newer;
  } else {
    (*this)[segment.older].newer = segment.newer;
  }
  if (i == newest_) {
    newest_ = segment.older;
  } else {
    (*this)[segment.newer].older = segment.older;
  }
  --in_flight_count_;
}

void Flight::Check() const {
  std::uint32_t bytes[3] = {};
  std::uint32_t counts[3] = {};
  std::uint32_t repeated = 0;
  for (std::uint32_t n = 0; n < count_; ++n) {
    const Index i = head_ + n;
    const SentSegment& segment = (*this)[i];
    ESTAB_CHECK(BeginOf(i) < segment.end);
    const auto where = static_cast<std::size_t>(segment.where);
    bytes[where] += SizeOf(i);
    ++counts[where];
    ESTAB_CHECK(!segment.repair || segment.where == Where::kInFlight);
    if (segment.repair) ++repeated;
    ESTAB_CHECK(open_.Has(At(i)) == (segment.where != Where::kSacked));
    ESTAB_CHECK(lost_.Has(At(i)) == (segment.where == Where::kLost));
  }
  ESTAB_CHECK(pipe_ == bytes[0] && in_flight_count_ == counts[0] && repeated_count_ == repeated);
  ESTAB_CHECK(sacked_bytes_ == bytes[1] && sacked_count_ == counts[1]);
  ESTAB_CHECK(lost_bytes_ == bytes[2] && lost_count_ == counts[2]);
  CheckOrder();
}

void Flight::CheckOrder() const {
  bool overtaken = false;
  Index last = 0;
  Index at = oldest_;
  for (std::uint32_t n = 0; n < in_flight_count_; ++n, at = (*this)[at].newer) {
    if (!Overtaken((*this)[at])) break;
    overtaken = true;
    last = at;
  }
  ESTAB_CHECK(has_edge_ == overtaken && (!overtaken || edge_ == last));
  Index i = oldest_;
  for (std::uint32_t n = 1; n < in_flight_count_; ++n) {
    ESTAB_CHECK(SentAfter((*this)[(*this)[i].newer], (*this)[i]));
    i = (*this)[i].newer;
  }
  ESTAB_CHECK(in_flight_count_ == 0 || i == newest_);
}

}  // namespace estab::tcp
