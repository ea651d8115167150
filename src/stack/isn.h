// Initial sequence numbers (RFC 6528) and the random start of timestamps (RFC 7323 §5.4).
#pragma once

#include "base/seq.h"
#include "base/siphash.h"
#include "estab/address.h"
#include "estab/time.h"

namespace estab::stack {

/// Where the numbers of a four-tuple begin: two halves of one SipHash-2-4 of it. The same for the
/// same four-tuple; others have nothing to do with each other.
struct Origins {
  std::uint32_t sequence = 0;  // F(tuple, secret) of RFC 6528
  /// What is added to the millisecond clock in a connection's timestamps: they grow from one
  /// connection of the tuple to the next (RFC 6191).
  std::uint32_t timestamps = 0;
};
Origins OriginsOf(const SipKey& key, const Tuple& tuple);

/// ISN = M + F(tuple, secret): M ticks every `tick_ns`. The same four-tuple later gets a number
/// that much further on.
SndSeq InitialSequence(const Origins& origins, Time now, std::int64_t tick_ns);

}  // namespace estab::stack
