#include "tcp/ecn.h"

#include "tcp/ack_policy.h"

namespace estab::tcp {

std::uint16_t EcnFlagsOfSyn(const Settings& settings, const Tcb& tcb, const Plan& plan) {
  if (!tcb.ecn) return 0;
  if ((plan.flags & kAck) != 0) return kEce;
  const bool shy = plan.repeat && settings.ecn_fallback != 0;
  return shy ? 0 : kEce | kCwr;
}

void AckReduction(Tcb& tcb, const Arriving& segment) {
  const bool reduced = tcb.ecn && segment.Has(kCwr);
  if (reduced && !segment.header.payload.empty()) AckOnce(tcb);
}

void TakeMarkOf(Tcb& tcb, const Arriving& segment) {
  if (segment.header.payload.empty()) return;
  const int mark = segment.header.tos & kEcnMask;
  const bool begins = mark == kCe && !tcb.ecn_echo;
  // As Linux: unmarked data among marked is most likely a repeat, whose sender waits for the ACK.
  const bool repeat = mark == kNotEct && tcb.ecn_seen;
  if (begins || repeat) AcknowledgeNext(tcb, 2);
  if (mark == kNotEct) return;
  tcb.ecn_seen = true;
  if (mark == kCe) tcb.ecn_echo = true;
}

}  // namespace estab::tcp
