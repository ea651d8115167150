// The news that a network device has gone.
#pragma once

#include "io/fd.h"
#include "io/os_error.h"

namespace estab::io {

/// Hears of every change of a device in this network namespace (rtnetlink), because the sockets on
/// a device hear only that it goes down, and then no more. Movable.
class DeviceWatch {
 public:
  /// Watches for the device that has that index now.
  static OsResult<DeviceWatch> Open(int index);

  DeviceWatch() = default;
  /// Readable when there is news.
  int fd() const { return fd_.get(); }
  /// Takes what news there is. True once the device has gone.
  bool Gone();

 private:
  DeviceWatch(Fd fd, int index) : fd_(std::move(fd)), index_(index) {}

  Fd fd_;
  int index_ = 0;
};

}  // namespace estab::io
