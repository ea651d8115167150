#include "tcp/arrive.h"

#include "tcp/congestion/congestion.h"
#include "tcp/rtt.h"
#include "tcp/timers.h"
#include "tcp/window_use.h"

namespace estab::tcp {

void Summarize(const wire::Segment& segment, SegmentSummary& s) {
  s.flags = segment.flags;
  s.window = segment.window;
  s.seq = segment.seq;
  s.ack = segment.ack;
  s.length = static_cast<std::uint32_t>(segment.payload.size());
  s.has_timestamp = segment.options.has_timestamp;
  s.ts_value = segment.options.ts_value;
  s.ts_echo = segment.options.ts_echo;
}

SegmentSummary Summarize(const wire::Segment& segment) {
  SegmentSummary summary;
  Summarize(segment, summary);
  return summary;
}

Verdict Arrive(Context& cx, Tcb& tcb, const wire::Segment& segment) {
  tcb.segments_in += segment.count();
  Arriving arriving(segment);
  return tcb.state == State::kSynSent ? ArriveSynSent(cx, tcb, arriving)
                                      : ArriveSynchronized(cx, tcb, arriving);
}

void BecomeEstablished(Context& cx, Tcb& tcb) {
  const bool sampled = tcb.rtt.srtt8 != 0;
  if (!sampled) ResetRto(cx, tcb, tcb.syn_repeated);
  tcb.rtt.repeats = 0;
  tcb.rtt.backoff = 0;
  ++tcb.delivered;
  tcb.recover = tcb.snd.una - 1;
  tcb.snd.small = tcb.snd.una;
  BeginControl(cx, tcb);
  NoteWindowAdapted(cx, tcb);
  // RFC 5681 §3.1 begins with one segment after a lost SYN, which RFC 6928 §2 wants for more than
  // one only: a single one tells more of timers than of the path.
  if (tcb.segments_repeated > 1) tcb.cwnd = tcb.send_mss;
  tcb.cwr_owed = tcb.ecn && tcb.syn_repeated && !tcb.passive;
  tcb.rcv.round = tcb.rcv.nxt;
  tcb.rtt.read_round = static_cast<std::uint16_t>(cx.stamp());
  tcb.last_heard = cx.stamp();
  tcb.last_data_at = tcb.last_heard;  // idle since then, as Linux tells it in TCP_INFO
  UpdateKeepalive(cx, tcb);
}

}  // namespace estab::tcp
