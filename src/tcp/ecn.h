// Explicit congestion notification (RFC 3168): routers mark packets where they would else drop
// them, the receiver echoes the mark, and the sender reduces its window as it would for a loss.
#pragma once

#include "tcp/arriving.h"
#include "tcp/context.h"
#include "tcp/sender.h"

namespace estab::tcp {

/// The two bits of the IP header, beside the DSCP (RFC 3168 §5).
constexpr std::uint8_t kEcnMask = 3;
constexpr std::uint8_t kNotEct = 0;
constexpr std::uint8_t kEct0 = 2;  // what we send
constexpr std::uint8_t kCe = 3;    // congestion experienced

/// Values of tcp_ecn.
constexpr std::int32_t kEcnAsk = 1;  // ask for it in our SYN, and accept it; other than 0: accept

/// Whether a SYN asks for ECN (RFC 3168 §6.1.1): ECE and CWR, in a packet that is not marked as
/// capable itself. With AE set it asks for more accurate feedback, and is content with this.
inline bool AsksForEcn(const wire::Segment& syn) {
  return syn.Has(kEce) && syn.Has(kCwr) && (syn.tos & kEcnMask) == kNotEct;
}

/// Whether a SYN|ACK agrees to it: ECE without CWR, for some hosts just send back what they got.
inline bool AgreesToEcn(const wire::Segment& syn_ack) {
  return syn_ack.Has(kEce) && !syn_ack.Has(kCwr);
}

/// The flags of our SYN or SYN|ACK. A SYN that is repeated goes without, for what ate the first may
/// have disliked them (RFC 3168 §6.1.1.1; tcp_ecn_fallback).
std::uint16_t EcnFlagsOfSyn(const Settings& settings, const Tcb& tcb, const Plan& plan);

/// Whether the plan's packet may be marked on its way. New data only: not what is sent again, nor
/// what carries no data (RFC 3168 §6.1.4, §6.1.5, §6.1.6).
inline bool IsEcnCapable(const Tcb& tcb, const Plan& plan) {
  return tcb.ecn && plan.kind == Plan::Kind::kData && plan.length != 0 && !plan.repeat;
}

/// The flags of any other segment: ECE until the peer's CWR has come, CWR on the first new data
/// after a reduction.
inline std::uint16_t EcnFlags(const Tcb& tcb, const Plan& plan) {
  std::uint16_t flags = tcb.ecn_echo ? kEce : 0;
  if (tcb.cwr_owed && IsEcnCapable(tcb, plan)) flags |= kCwr;
  return flags;
}

/// A segment has been found acceptable: its CWR ends our echo.
inline void TakeCwr(Tcb& tcb, const Arriving& segment) {
  if (tcb.ecn && segment.Has(kCwr)) tcb.ecn_echo = false;
}
/// Its data has been taken in: with CWR it is acknowledged without delay, for whoever has just
/// reduced its window may have one segment left in it (as Linux).
void AckReduction(Tcb& tcb, const Arriving& segment);
/// Data is taken in: its mark begins the echo (RFC 3168 §6.1.3).
void TakeMarkOf(Tcb& tcb, const Arriving& segment);
inline void TakeMark(Tcb& tcb, const Arriving& segment) {
  if (tcb.ecn) TakeMarkOf(tcb, segment);
}

/// Whether an ACK tells that one of our packets was marked.
inline bool EchoesMark(const Tcb& tcb, const Arriving& segment) {
  return tcb.ecn && segment.Has(kEce) && !segment.Has(kSyn);
}

}  // namespace estab::tcp
