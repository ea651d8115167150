// An arriving segment with its two kinds of numbers told apart.
#pragma once

#include <span>

#include "base/seq.h"
#include "estab/observer.h"
#include "wire/segment.h"

namespace estab::tcp {

/// A decoded segment as the receiving side sees it: SEG.SEQ in the peer's space, SEG.ACK in ours.
/// Trimming narrows `seq`, `data` and `fin`; `header` stays as it came.
struct Arriving {
  explicit Arriving(const wire::Segment& segment)
      : header(segment),
        seq(segment.seq),
        ack(segment.ack),
        data(segment.payload),
        fin(segment.Has(kFin)) {}

  const wire::Segment& header;
  RcvSeq seq;
  SndSeq ack;
  std::span<const std::byte> data;
  bool fin;

  bool Has(TcpFlag flag) const { return header.Has(flag); }
  /// SEG.LEN after trimming; a SYN counts as long as `seq` is still its own number.
  std::uint32_t length() const {
    const bool syn = Has(kSyn) && seq.raw() == header.seq;
    return static_cast<std::uint32_t>(data.size()) + (syn ? 1u : 0u) + (fin ? 1u : 0u);
  }
  RcvSeq end() const { return seq + length(); }
};

/// What the stack shall answer to a segment, apart from what the connection itself has to send.
enum class Answer : std::uint8_t {
  kNothing,
  kReset,  // RST in the form of RFC 9293 §3.10.7.1, made from the segment itself
};

/// The end of a segment's way through a connection.
struct Verdict {
  RuleId rule;
  Answer answer = Answer::kNothing;
  bool row = false;  // another segment may be taken for more of the same (ArriveInRow)
};

/// The gist of `segment` for observers.
SegmentSummary Summarize(const wire::Segment& segment);
/// The same in its place.
void Summarize(const wire::Segment& segment, SegmentSummary& summary);

}  // namespace estab::tcp
