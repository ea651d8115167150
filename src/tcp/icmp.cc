#include "tcp/icmp.h"

namespace estab::tcp {
namespace {

using Kind = IcmpMeaning::Kind;

// Destination unreachable, by code (RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1).
constexpr IcmpMeaning kUnreachable[] = {
    {Kind::kSoft, Error::kNetworkUnreachable, true},  // 0 net
    {Kind::kSoft, Error::kHostUnreachable, true},     // 1 host
    {Kind::kHard, Error::kProtocolNotAvailable},      // 2 protocol
    {Kind::kHard, Error::kConnectionRefused},         // 3 port
    {Kind::kTooBig},                                  // 4 fragmentation needed
    {Kind::kSoft, Error::kOperationNotSupported},     // 5 source route failed
    {Kind::kSoft, Error::kNetworkUnreachable},        // 6 net unknown
    {Kind::kSoft, Error::kHostDown},                  // 7 host unknown
    {Kind::kSoft, Error::kNotOnNetwork},              // 8 source host isolated
    {Kind::kSoft, Error::kNetworkUnreachable},        // 9 net prohibited
    {Kind::kSoft, Error::kHostUnreachable},           // 10 host prohibited
    {Kind::kSoft, Error::kNetworkUnreachable},        // 11 net, for this type of service
    {Kind::kSoft, Error::kHostUnreachable},           // 12 host, for this type of service
    {Kind::kSoft, Error::kHostUnreachable},           // 13 filtered
    {Kind::kSoft, Error::kHostUnreachable},           // 14 precedence violation
    {Kind::kSoft, Error::kHostUnreachable},           // 15 precedence cutoff
};

// ICMPv6 destination unreachable, by code (RFC 4443 §3.1).
constexpr IcmpMeaning kUnreachableV6[] = {
    {Kind::kSoft, Error::kNetworkUnreachable},       // 0 no route
    {Kind::kHard, Error::kAccessDenied, true},       // 1 prohibited
    {Kind::kSoft, Error::kHostUnreachable},          // 2 beyond scope
    {Kind::kSoft, Error::kHostUnreachable},          // 3 address
    {Kind::kHard, Error::kConnectionRefused, true},  // 4 port
    {Kind::kSoft, Error::kAccessDenied, true},       // 5 source address policy
    {Kind::kSoft, Error::kAccessDenied, true},       // 6 reject route
};

IcmpMeaning MeaningOfV4(const wire::IcmpError& icmp) {
  switch (static_cast<wire::IcmpType>(icmp.type)) {
    case wire::IcmpType::kUnreachable:
      return icmp.code < std::size(kUnreachable) ? kUnreachable[icmp.code] : IcmpMeaning{};
    case wire::IcmpType::kTimeExceeded:
      // Fragments of ours that never became whole: TCP sends none.
      if (icmp.code == wire::kReassemblyTimeExceeded) return {};
      return {Kind::kSoft, Error::kHostUnreachable, true};
    case wire::IcmpType::kParameterProblem:
      return {Kind::kSoft, Error::kProtocolError, true};
    default:
      return {};
  }
}

IcmpMeaning MeaningOfV6(const wire::IcmpError& icmp) {
  switch (static_cast<wire::IcmpV6Type>(icmp.type)) {
    case wire::IcmpV6Type::kUnreachable:
      if (icmp.code < std::size(kUnreachableV6)) return kUnreachableV6[icmp.code];
      return {Kind::kSoft, Error::kProtocolError, true};
    case wire::IcmpV6Type::kPacketTooBig:
      return {Kind::kTooBig};
    case wire::IcmpV6Type::kTimeExceeded:
      return {Kind::kSoft, Error::kHostUnreachable};
    case wire::IcmpV6Type::kParameterProblem:
      return {Kind::kSoft, Error::kProtocolError, true};
    default:
      return {};
  }
}

constexpr StateSet kConcerned =
    In(State::kSynSent) | In(State::kSynRcvd) | (kSynchronized & ~In(State::kTimeWait));

// Whether the error ends an attempt to open, which nothing has confirmed yet.
bool EndsOpening(const Policy& policy, const IcmpMeaning& meaning) {
  return meaning.kind == Kind::kHard || policy.soft_icmp_ends_opening;
}

}  // namespace

IcmpMeaning MeaningOf(const wire::IcmpError& icmp) {
  return icmp.v6 ? MeaningOfV6(icmp) : MeaningOfV4(icmp);
}

bool ArriveIcmp(Context& cx, Tcb& tcb, SndSeq seq, const IcmpMeaning& meaning) {
  const Policy& policy = cx.settings.policy;
  const bool at_end = policy.icmp_may_quote_next && seq == tcb.snd.nxt;
  const bool in_flight =
      IsIn(tcb.state, kConcerned) && seq >= tcb.snd.una && (seq < tcb.snd.nxt || at_end);
  const bool ends = EndsOpening(policy, meaning);
  if (!in_flight || meaning.kind == Kind::kNothing) {
    Apply(cx, tcb, RuleId::kIcmpStray);
  } else if (meaning.kind == Kind::kTooBig) {
    Apply(cx, tcb, RuleId::kIcmpTooBig);
    return true;
  } else if (ends && tcb.state == State::kSynSent) {
    ApplyClosed(cx, tcb, RuleId::kIcmpSynSent, meaning.error);
  } else if (ends && tcb.state == State::kSynRcvd && !tcb.passive) {
    ApplyClosed(cx, tcb, RuleId::kIcmpSynRcvd, meaning.error);
  } else {
    tcb.soft_error = static_cast<std::uint8_t>(meaning.error);
    Apply(cx, tcb, RuleId::kIcmpSoft);
  }
  return false;
}

RuleId JudgeIcmpHalfOpen(const Policy& policy, SndSeq iss, SndSeq seq, const IcmpMeaning& meaning) {
  if (seq != iss || meaning.kind == Kind::kNothing) return RuleId::kIcmpStray;
  if (meaning.kind == Kind::kTooBig) return RuleId::kIcmpTooBig;
  const bool drops =
      policy.soft_icmp_ends_opening ? meaning.drops_half_open : meaning.kind == Kind::kHard;
  return drops ? RuleId::kIcmpHalfOpen : RuleId::kIcmpSoft;
}

}  // namespace estab::tcp
