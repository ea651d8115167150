// What must hold of a connection after every event.
#pragma once

#include "tcp/context.h"

namespace estab::tcp {

/// Aborts, naming the invariant, if one does not hold.
void CheckInvariants(const Context& cx, const Tcb& tcb);

}  // namespace estab::tcp
