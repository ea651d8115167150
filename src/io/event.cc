#include "io/event.h"

#include <errno.h>
#include <sys/eventfd.h>

#include <cstdint>

namespace estab::io {

OsResult<Event> Event::Create() {
  Fd fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!fd.valid()) {
    return std::unexpected(OsError{FromErrno(errno), errno,
                                   "cannot make an eventfd; raise the limit of open files "
                                   "(ulimit -n)"});
  }
  return Event(std::move(fd));
}

void Event::Signal() const {
  const std::uint64_t one = 1;
  // It can only fail when the counter is full, and then it is readable already.
  [[maybe_unused]] const ssize_t n = write(fd_.get(), &one, sizeof(one));
}

void Event::Clear() const {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t n = read(fd_.get(), &count, sizeof(count));
}

}  // namespace estab::io
