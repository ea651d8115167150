// Waking a thread that sleeps in poll.
#pragma once

#include "io/fd.h"
#include "io/os_error.h"

namespace estab::io {

/// An eventfd: readable from Signal until Clear. Any thread may signal.
class Event {
 public:
  static OsResult<Event> Create();

  /// The descriptor to poll for POLLIN.
  int fd() const { return fd_.get(); }
  /// Makes it readable. Signals do not pile up.
  void Signal() const;
  /// Makes it unreadable again.
  void Clear() const;

 private:
  explicit Event(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace estab::io
