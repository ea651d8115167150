// What the operating system said no to, in a line that says what to do about it.
#pragma once

#include <expected>
#include <string>

#include "estab/error.h"

namespace estab::io {

/// A refusal of the operating system.
struct OsError {
  Error error = Error::kIo;
  int os_errno = 0;     // as the system call left it; 0 if none was involved
  std::string message;  // one line for people, without a full stop or newline
};

template <class T>
using OsResult = std::expected<T, OsError>;

/// The Error that comes nearest to an errno.
Error FromErrno(int os_errno);

}  // namespace estab::io
