// SIGTERM and SIGINT as something to poll for.
#pragma once

#include "io/fd.h"

namespace estab::cli {

/// From its making on these signals no longer end the process, and SIGPIPE is ignored. To be made
/// before any thread.
class Signals {
 public:
  /// Throws Failure of status 1.
  Signals();
  /// Readable once one has come.
  int fd() const { return fd_.get(); }
  /// Takes one from there; 0 if there is none.
  int Take();

 private:
  io::Fd fd_;
};

}  // namespace estab::cli
