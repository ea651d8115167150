// A connection's block with all that its functions need, and no stack around it: for what is
// checked by hand-computed numbers.
#pragma once

#include "tcp/context.h"

namespace estab::tcp {

struct BareTcb {
  BareTcb() { tcb.options = &options; }

  Memory memory{HeapAllocator()};
  Settings settings;
  Buffers buffers{memory};
  Recorder recorder;
  ChallengeBudget challenges;
  Context cx{Time{} + std::chrono::seconds(100), settings, buffers, recorder, challenges, Cause{}};
  SocketOptions options;
  Tcb tcb;
};

}  // namespace estab::tcp
