#include "observe/peer_inference.h"

namespace estab::observe {
namespace {

std::uint32_t End(const SegmentSummary& s) {
  return s.seq + s.length + ((s.flags & kSyn) != 0 ? 1u : 0u) + ((s.flags & kFin) != 0 ? 1u : 0u);
}

bool AtOrAfter(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) >= 0; }

}  // namespace

std::optional<PeerInference::Change> PeerInference::MoveTo(State state) {
  if (state == state_) return std::nullopt;
  const Change change{state_, state};
  state_ = state;
  return change;
}

bool PeerInference::AcksItsFin(const SegmentSummary& received) const {
  return (received.flags & kAck) != 0 && its_fin_end_ && AtOrAfter(received.ack, *its_fin_end_);
}

bool PeerInference::AcksTheFin(const SegmentSummary& sent) const {
  return (sent.flags & kAck) != 0 && other_fin_end_ && AtOrAfter(sent.ack, *other_fin_end_);
}

std::optional<PeerInference::Change> PeerInference::SentFin(const SegmentSummary& segment) {
  its_fin_end_ = End(segment);
  switch (state_) {
    case State::kEstablished:
    case State::kSynRcvd:
      // ACK of the other's FIN and its own FIN in one segment: it was in CLOSE_WAIT between.
      return MoveTo(AcksTheFin(segment) ? State::kLastAck : State::kFinWait1);
    case State::kCloseWait:
      return MoveTo(State::kLastAck);
    default:
      return std::nullopt;
  }
}

std::optional<PeerInference::Change> PeerInference::Sent(const SegmentSummary& segment) {
  if ((segment.flags & kRst) != 0) return MoveTo(State::kClosed);
  if ((segment.flags & kSyn) != 0) {
    return MoveTo((segment.flags & kAck) != 0 ? State::kSynRcvd : State::kSynSent);
  }
  if ((segment.flags & kFin) != 0) return SentFin(segment);
  if (state_ == State::kSynSent && (segment.flags & kAck) != 0) return MoveTo(State::kEstablished);
  if (!AcksTheFin(segment)) return std::nullopt;
  switch (state_) {
    case State::kEstablished:
      return MoveTo(State::kCloseWait);
    case State::kFinWait1:
      return MoveTo(State::kClosing);
    case State::kFinWait2:
      return MoveTo(State::kTimeWait);
    default:
      return std::nullopt;
  }
}

std::optional<PeerInference::Change> PeerInference::Received(const SegmentSummary& segment) {
  if ((segment.flags & kRst) != 0) {
    // A refused SYN leaves a listener where it was.
    if (state_ == State::kListen || state_ == State::kTimeWait) return std::nullopt;
    return MoveTo(State::kClosed);
  }
  if ((segment.flags & kFin) != 0) other_fin_end_ = End(segment);
  if ((segment.flags & (kSyn | kAck)) == kSyn) {
    if (state_ == State::kClosed) state_ = State::kListen;
    return std::nullopt;
  }
  if (state_ == State::kSynRcvd && (segment.flags & kAck) != 0) return MoveTo(State::kEstablished);
  if (!AcksItsFin(segment)) return std::nullopt;
  switch (state_) {
    case State::kFinWait1:
      return MoveTo(State::kFinWait2);
    case State::kClosing:
      return MoveTo(State::kTimeWait);
    case State::kLastAck:
      return MoveTo(State::kClosed);
    default:
      return std::nullopt;
  }
}

}  // namespace estab::observe
