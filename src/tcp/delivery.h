// How fast data arrives: samples of the delivery rate (draft-cheng-iccrg-delivery-rate-estimation;
// Linux: tcp_rate.c). Between a segment's sending and its arrival so many bytes were delivered, in
// that time; or in the time that it took to send them, if that was longer, for ACKs may come in a
// bunch.
#pragma once

#include "tcp/ack_news.h"
#include "tcp/context.h"

namespace estab::tcp {

/// Tcb::delivery_rate counts in so many bytes a second: 32 bits hold up to 275 Gbit/s.
constexpr std::uint64_t kRateUnit = 8;

/// Bytes a second; 0 for no time.
constexpr std::uint64_t RateOf(std::uint64_t bytes, Duration time) {
  return time <= Duration(0) ? 0 : bytes * 1'000'000'000 / static_cast<std::uint64_t>(time.count());
}

/// Segment `i` has gone out, for the first time or again.
void MarkSent(const Context& cx, const Tcb& tcb, LossState& loss, Flight::Index i);
/// Segment `i`, not known to be there before, has arrived.
void NoteArrival(const Context& cx, Tcb& tcb, LossState& loss, Flight::Index i, AckNews& news);
/// All is known of the ACK: completes news.sample.
void FinishSample(const Context& cx, Tcb& tcb, LossState& loss, AckNews& news);

/// The user is about to give us more: whether what is in flight is all that there was to send.
/// Until it has arrived, samples say nothing of the path.
void NoteAppLimit(const Context& cx, const Tcb& tcb, LossState& loss);

}  // namespace estab::tcp
