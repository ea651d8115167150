// What a host did during a script, in a form that is the same for every host.
#pragma once

#include <string>
#include <vector>

#include "oracle/script.h"

namespace oracle {

/// A call's result, or a packet that left.
struct Entry {
  std::size_t step = 0;  // the last step begun before it
  Micros time = 0;
  bool packet = false;
  std::string text;      // numbers relative to the ISNs; without window, timestamp and time
  int window = -1;       // as it stands in the packet; -1: a call, or a segment without ACK and SYN
  bool opening = false;  // a SYN: its window is told exactly
  bool has_timestamp = false;
  std::int64_t timestamp = 0;  // ms since the flow's first

  std::string Text() const;
};

struct Trace {
  std::vector<Entry> calls;    // one for each step but `<`, `icmp`, `flow` and `wait`
  std::vector<Entry> packets;  // in the order in which they left
  std::vector<Micros> times;   // when each step began
  Micros end = 0;

  /// Steps and entries in their order, one a line.
  std::string Text(const Script& script) const;
};

}  // namespace oracle
