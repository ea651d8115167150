// The journal in plain sentences: why is this connection in its state, and what will happen next?
#pragma once

#include <string>

#include "estab/stack.h"
#include "observe/journal.h"

namespace estab::observe {

/// Tells of one connection for a tired engineer: who it is, its state, since when and why, what it
/// waits for, which timer runs out next and what that will do; then its history, oldest first, each
/// event with its rule and the section that it rests on. `present` is what lives of it now; nullptr
/// if nothing does. At most some hundred lines.
std::string WhyText(const Story& story, const ConnectionInfo* present, Time now);

/// The same by number, alive or dead; a sentence that says so if nothing is remembered.
std::string Why(const Journal& journal, const Stack& stack, Time now, ConnectionNumber number);

/// The same by four-tuple (ours is `local`): what lives between these ends, else the youngest that
/// is remembered; else what became of segments that were refused there. With a remote end of all
/// zeros and port 0: the listener at `local`, and whom it refused lately.
std::string Why(const Journal& journal, const Stack& stack, Time now, const Tuple& tuple);

}  // namespace estab::observe
