#include "tcp/time_wait.h"

#include "tcp/acceptance.h"
#include "tcp/challenge.h"
#include "tcp/half_open.h"
#include "tcp/policy.h"

namespace estab::tcp {
namespace {

// A SYN that no duplicate of the old connection can be: a later timestamp, or, where there are
// none, a sequence number beyond the old ones. An older timestamp never, whatever the number.
bool ProvablyNew(const TimeWait& record, const wire::Segment& syn, bool paws_rejects) {
  if (paws_rejects) return false;
  if (record.timestamps && syn.options.has_timestamp &&
      Precedes(record.ts_recent, syn.options.ts_value)) {
    return true;
  }
  return RcvSeq(syn.seq) > record.rcv_nxt;
}

}  // namespace

TimeWaitVerdict ArriveTimeWait(const Settings& settings, Stamp now, Stamp restarted_at,
                               const wire::Segment& segment, bool listening, TimeWait& record) {
  const RcvSeq seq(segment.seq);
  const bool paws = record.timestamps && PawsRejects(record.ts_recent, now - restarted_at, segment);
  if (segment.Has(kRst)) {
    const bool ends = seq == record.rcv_nxt && settings.rfc1337 == 0;
    return {.rule = ends ? RuleId::kTimeWaitRst : RuleId::kTimeWaitRstIgnored, .end = ends};
  }
  // A SYN may begin a connection that agrees on nothing.
  if (!segment.Has(kSyn) && LacksTimestamp(settings, record.timestamps, segment)) {
    return {.rule = RuleId::kNoTimestamp};
  }
  if (segment.Has(kSyn) && !segment.Has(kAck)) {
    if (listening && !segment.Has(kFin) && ProvablyNew(record, segment, paws)) {
      return {.rule = RuleId::kTimeWaitReopen, .end = true, .reopen = true};
    }
    // Nobody listens for what could be a new connection: that is no part of an ACK loop.
    const bool could_open = !segment.Has(kFin) && ProvablyNew(record, segment, paws);
    const bool answer = could_open || MayAnswer(settings, now, record.answered_at);
    const bool restart = paws && settings.policy.old_syn_restarts_time_wait;
    return {.rule = RuleId::kTimeWaitOldSyn, .ack = answer, .restart = restart};
  }
  if (!paws && seq == record.rcv_nxt && segment.length() == 0) {
    if (record.timestamps && segment.options.has_timestamp) {
      record.ts_recent = segment.options.ts_value;
    }
    return {.rule = RuleId::kTimeWaitAck, .restart = true};
  }
  const bool repeated_fin = segment.Has(kFin) && seq + segment.length() == record.rcv_nxt;
  const bool limited = segment.length() == 0 || segment.Has(kSyn);
  const bool answer = !limited || MayAnswer(settings, now, record.answered_at);
  const bool restart = paws || segment.Has(kAck);
  if (!answer) return {.rule = RuleId::kTimeWaitLimited, .restart = restart};
  return {.rule = repeated_fin ? RuleId::kTimeWaitRepeatedFin : RuleId::kTimeWaitOld,
          .ack = true,
          .restart = restart};
}

// tcp_tw_reuse_delay counts from the entry into TIME_WAIT, as on Linux, whose tw_entry_stamp no
// restart of 2MSL changes: a peer that goes on sending does not put the taking over off.
bool MayReuse(const Settings& settings, Stamp now, bool loopback, bool bound,
              const TimeWait& record) {
  if (bound && settings.policy.bound_port_takes_time_wait) return record.timestamps;
  if (settings.tw_reuse == 0 || (settings.tw_reuse == 2 && !loopback)) return false;
  return record.timestamps &&
         now - record.entered_at >= static_cast<Stamp>(settings.tw_reuse_delay_ms);
}

TimeWait MakeTimeWait(const Tcb& tcb, Stamp now) {
  TimeWait record;
  record.rcv_nxt = tcb.rcv.nxt;
  record.snd_nxt = tcb.snd.nxt;
  record.ts_recent = tcb.ts.recent;
  record.entered_at = now;
  record.number = tcb.number;
  const auto window =
      tcb.rcv.adv > tcb.rcv.nxt ? static_cast<std::uint32_t>(tcb.rcv.adv - tcb.rcv.nxt) : 0u;
  record.window = static_cast<std::uint16_t>(window >> tcb.receive_scale);
  record.tos = Tos(*tcb.options, tcb.tuple.remote.address);
  record.link = static_cast<std::uint8_t>(tcb.link & 0xf);
  record.timestamps = tcb.timestamps;
  record.reuse_address = tcb.options->reuse_address;
  record.reuse_port = tcb.options->reuse_port;
  return record;
}

wire::Segment MakeAck(const TimeWait& record, std::uint32_t timestamp) {
  wire::Segment segment;
  segment.flags = kAck;
  segment.seq = record.snd_nxt.raw();
  segment.ack = record.rcv_nxt.raw();
  segment.window = record.window;
  segment.options.has_timestamp = record.timestamps;
  segment.options.ts_value = record.timestamps ? timestamp : 0;
  segment.options.ts_echo = record.timestamps ? record.ts_recent : 0;
  return segment;
}

}  // namespace estab::tcp
