// Where two hosts differ.
#pragma once

#include <string>
#include <vector>

#include "oracle/trace.h"

namespace oracle {

/// One place where the kernel and estab do not agree. Empty: there is nothing on that side.
struct Difference {
  Micros time = 0;
  std::string kernel;
  std::string estab;

  /// Both in one line, as the `matches` of differences.txt see them.
  std::string Text() const { return "kernel: " + kernel + " | estab: " + estab; }
};

/// Compares a script's traces: calls one by one, packets in the order in which they left, with
/// flags, numbers, window, options and their order, length, data, TOS, TTL.
///
/// Time: the kernel's timers may be late by an eighth of their span, and its thread by 25 ms; every
/// timer begins with one of the last few events. A packet that may come so late that the script has
/// ended may be missing in the kernel's trace.
std::vector<Difference> Compare(const Script& script, const Trace& kernel, const Trace& estab);

}  // namespace oracle
