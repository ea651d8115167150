// What ICMP errors mean to TCP, and what they do (RFC 9293 §3.9.2.2, RFC 5461, RFC 5927).
#pragma once

#include "tcp/context.h"
#include "wire/icmp.h"

namespace estab::tcp {

/// What an ICMP error says to a connection.
struct IcmpMeaning {
  enum class Kind : std::uint8_t {
    kNothing,  // not for TCP: its own fragments' time-out, a code that nobody knows
    kSoft,     // it may pass
    kHard,     // it will not
    kTooBig,   // path MTU discovery's
  };
  Kind kind = Kind::kNothing;
  Error error{};                 // told to the user; not for kNothing and kTooBig
  bool drops_half_open = false;  // Linux's choice (tcp_req_err), which asks neither kind
};

/// Linux's table (icmp_err_convert, icmpv6_err_convert) with the RFC's division into soft and hard.
/// The errors that no RFC puts on either side are soft.
IcmpMeaning MeaningOf(const wire::IcmpError& icmp);

/// An ICMP error that quotes a segment of this connection with sequence number `seq`. Only what is
/// in flight can have caused one: anything else is a blind attacker's (RFC 5927 §4.1). It may end
/// an attempt to open; a synchronised connection only remembers it, for the case that it times out.
/// True: the packet was too big for the path, and the path's MTU is the caller's affair.
bool ArriveIcmp(Context& cx, Tcb& tcb, SndSeq seq, const IcmpMeaning& meaning);

/// The same for a half-open record whose SYN|ACK has sequence number `iss`: the rule that fires.
/// kIcmpHalfOpen means that the record is to be dropped.
RuleId JudgeIcmpHalfOpen(const Policy& policy, SndSeq iss, SndSeq seq, const IcmpMeaning& meaning);

}  // namespace estab::tcp
