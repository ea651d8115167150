// A ladder as JSON, for programs.
#pragma once

#include <string>

#include "observe/ladder.h"

namespace estab::observe {

/// One object: title, hosts (name, endpoint, inferred), rows, left_out. Each row has "at" (ns from
/// the origin), "kind" ("segment", "state", "call", "timer", "note") and what its kind has.
/// Sequence numbers are absolute; "isn" and "ack_isn", where known, are what to subtract. Indented
/// by two.
std::string LadderToJson(const Ladder& ladder);

}  // namespace estab::observe
