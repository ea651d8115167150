// For our own bugs, and for nothing else: what peers and callers do wrong never ends here.
#pragma once

namespace estab {

/// Prints one line to standard error and aborts.
[[noreturn]] void CheckFailed(const char* expression, const char* file, int line);

}  // namespace estab

#define ESTAB_CHECK(expression) \
  ((expression) ? static_cast<void>(0) : ::estab::CheckFailed(#expression, __FILE__, __LINE__))
