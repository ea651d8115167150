// A passive opener's half of a handshake: the SYN_RCVD that is only a record (RFC 4987).
#pragma once

#include "tcp/context.h"
#include "tcp/negotiation.h"
#include "wire/segment.h"

namespace estab::tcp {

/// What a half-open connection remembers; everything else comes with its TCB. The stack keeps it
/// (with its place in lists and wheel) within 128 bytes.
struct HalfOpen {
  Tuple tuple;
  LinkId link = 0;
  ConnectionNumber number = 0;
  SndSeq iss;
  RcvSeq irs;
  std::uint32_t ts_recent = 0;
  std::uint32_t ts_offset = 0;
  Stamp first_at = 0;     // the first SYN|ACK
  Stamp sent_at = 0;      // the last
  Stamp answered_at = 0;  // the last answer to a repeated SYN or to what did not fit; 0: none
  std::uint16_t peer_mss = 0;
  std::uint16_t announced_mss = 0;
  std::uint16_t window = 0;       // announced in the SYN|ACK, unscaled
  std::uint16_t peer_window = 0;  // of the SYN, unscaled
  std::uint8_t send_scale = 0;
  std::uint8_t receive_scale = 0;
  std::uint8_t repeats = 0;
  bool timestamps : 1 = false;
  bool window_scaling : 1 = false;
  bool sack : 1 = false;
  bool ecn : 1 = false;
  bool repeated : 1 = false;  // more than one SYN|ACK went out: no round trip to be had from it
  bool acked : 1 = false;     // the final ACK came, but could not or should not complete it yet
};

/// What becomes of a segment for a listener that has no record of its four-tuple.
enum class ListenStep : std::uint8_t { kDrop, kReset, kOpen };
struct ListenVerdict {
  RuleId rule;
  ListenStep step;
};
/// RFC 9293 §3.10.7.2. kOpen if a half-open record is to be made (kListenSyn), queues permitting.
ListenVerdict ArriveListen(const wire::Segment& segment);

/// Fills in a record from the SYN that makes it. The tuple, link, number, ISS and timestamp offset
/// are the caller's.
void TakeSyn(const Settings& settings, const SocketOptions& options, std::uint32_t mtu,
             const wire::Segment& syn, HalfOpen& half);

/// What becomes of a segment for a half-open record.
enum class HalfOpenStep : std::uint8_t {
  kDrop,
  kReset,     // answer with RST made from the segment; the record stays
  kRefuse,    // answer with RST made from the segment, and drop the record
  kAck,       // answer with an ACK that says what is expected
  kSynAck,    // the same SYN|ACK again, and the timer anew
  kForget,    // drop the record
  kComplete,  // make it a connection and give it the segment
};
/// What two holders of a half-open connection, record and full TCB, decide alike.
/// `timestamps`: agreed on. RFC 7323 §3.2: then every segment but a reset carries one.
inline bool LacksTimestamp(const Settings& settings, bool timestamps,
                           const wire::Segment& segment) {
  return settings.policy.timestamps_required && timestamps && !segment.options.has_timestamp &&
         !segment.Has(kRst);
}
struct HalfOpenVerdict {
  RuleId rule;
  HalfOpenStep step;
};
/// RFC 9293 §3.10.7.4 for SYN_RCVD, and RFC 5961. Changes nothing but the rate limiter's stamps.
/// kComplete is only the connection's own half of the decision: the accept queue has its say.
HalfOpenVerdict ArriveHalfOpen(const Settings& settings, const SocketOptions& options, Stamp now,
                               const wire::Segment& segment, HalfOpen& half,
                               ChallengeBudget& challenges);

/// What to do when the SYN|ACK's timer has run out.
enum class SynAckStep : std::uint8_t { kRepeat, kWait, kGiveUp };
/// `retries`: how many SYN|ACKs may be repeated. kWait: with TCP_DEFER_ACCEPT and the final ACK
/// seen nothing is sent until the wait for data is nearly over.
SynAckStep OnSynAckTimeout(const SocketOptions& options, int retries, const HalfOpen& half);

/// Under load old records make way for young ones (RFC 4987 §3.3 as Linux has it): while over half
/// of the queue is taken, each doubling of old to young costs a retry, down to two. `young`:
/// records whose timer has not run out yet.
int RetriesUnderLoad(int retries, std::uint32_t queued, std::uint32_t young, std::uint32_t backlog);

/// The SYN|ACK of a record, and the ACK that answers what does not fit.
wire::Segment MakeSynAck(const HalfOpen& half, Stamp now);
wire::Segment MakeAck(const HalfOpen& half, Stamp now);

/// Makes the connection: SYN_RCVD, as if its TCB had been there from the SYN on. `tcb.options` must
/// be in place; the path takes packets of `mtu` bytes.
void Promote(Context& cx, const HalfOpen& half, std::uint32_t mtu, Tcb& tcb);

}  // namespace estab::tcp
