// TIME_WAIT: no connection any more, but a memory that keeps the next one safe (RFC 9293 §3.6.1).
#pragma once

#include "tcp/context.h"
#include "wire/segment.h"

namespace estab::tcp {

/// What is left of a connection in TIME_WAIT. The addresses, in one of two sizes, are the stack's
/// to keep; with them and its place in the wheel a record has at most 64 bytes (IPv4) or 96 (IPv6).
/// What can be computed anew, as the offset of our timestamps, is not kept.
struct TimeWait {
  RcvSeq rcv_nxt;
  SndSeq snd_nxt;
  std::uint32_t ts_recent = 0;
  Stamp entered_at = 0;   // when TIME_WAIT began; unlike 2MSL it never begins anew
  Stamp answered_at = 0;  // for the rate limit; 0: never
  ConnectionNumber number = 0;
  std::uint16_t window = 0;  // the field as last sent
  std::uint8_t tos = 0;
  std::uint8_t link : 4 = 0;
  std::uint8_t timestamps : 1 = 0;
  std::uint8_t reuse_address : 1 = 0;  // SO_REUSEADDR of the socket it came from
  std::uint8_t reuse_port : 1 = 0;     // SO_REUSEPORT likewise
};

/// What becomes of a segment.
struct TimeWaitVerdict {
  RuleId rule;
  bool ack = false;      // answer with an ACK
  bool restart = false;  // 2MSL anew
  bool end = false;      // the record goes
  bool reopen = false;   // ... and the SYN goes to the listener, with an ISS beyond `snd_nxt`
};

/// RFC 9293 §3.10.7.4 for TIME_WAIT, RFC 6191, RFC 1337. `listening`: somebody would take a SYN.
/// Changes nothing but TS.Recent and the rate limiter's stamp. `restarted_at` is when 2MSL began.
TimeWaitVerdict ArriveTimeWait(const Settings& settings, Stamp now, Stamp restarted_at,
                               const wire::Segment& segment, bool listening, TimeWait& record);

/// Whether an outgoing connection may take the four-tuple over (tcp_tw_reuse). `bound`: its port
/// was chosen by bind().
bool MayReuse(const Settings& settings, Stamp now, bool loopback, bool bound,
              const TimeWait& record);

/// Takes from a connection what its record needs.
TimeWait MakeTimeWait(const Tcb& tcb, Stamp now);

/// The ACK of a record; ports are the caller's. `timestamp`: our clock, offset included.
wire::Segment MakeAck(const TimeWait& record, std::uint32_t timestamp);

/// The first sequence number for a connection that follows a record: beyond every old window.
inline SndSeq NextIss(const TimeWait& record) { return record.snd_nxt + 65535 + 2; }

}  // namespace estab::tcp
