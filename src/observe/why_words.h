// The sentences of "why": causes, states, timers.
#pragma once

#include <string>

#include "estab/options.h"
#include "observe/journal.h"

namespace estab::observe {

/// "connect() was called", "SYN|ACK arrived (seq 5000, ack 1001)", "the retransmission timer ran
/// out", "ICMP arrived (type 3, code 1)".
std::string CauseSentence(const Cause& cause);

/// "our SYN is acknowledged ... (RFC 9293 §3.10.7.3) [syn-sent-syn-ack]".
std::string RuleSentence(RuleId rule);

/// What a connection in that state waits for.
std::string WaitsFor(const ConnectionInfo& info);

/// The next timer and what it will do; if none runs, what that means.
std::string NextSentence(const ConnectionInfo& info);

/// "12.345 s", to the millisecond.
std::string MillisText(Duration span);

}  // namespace estab::observe
