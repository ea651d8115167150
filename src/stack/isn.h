// Initial sequence numbers (RFC 6528) and the random start of timestamps (RFC 7323 §5.4).
#pragma once

#include "base/seq.h"
#include "base/siphash.h"
#include "estab/address.h"
#include "estab/time.h"

namespace estab::stack {

/// ISN = M + F(tuple, secret): M ticks every `tick_ns`, F is SipHash-2-4. The same four-tuple later
/// gets a number that much further on; others have nothing to do with each other.
SndSeq InitialSequence(const SipKey& key, const Tuple& tuple, Time now, std::int64_t tick_ns);

/// What is added to the millisecond clock in a connection's timestamps. The same for the same
/// four-tuple, so that its timestamps grow from one connection to the next (RFC 6191).
std::uint32_t TimestampOffset(const SipKey& key, const Tuple& tuple);

}  // namespace estab::stack
