// Taking a file away after root has been given up.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <string>

#include "io/fd.h"

namespace estab::cli {

/// Keeps a child that stays what this process is now, holds nothing but the folder of `path`, and
/// does one thing: when this process ends, however it ends, it removes the file, if it is still the
/// one that was there when the child was made. The user nobody could not.
class Janitor {
 public:
  /// Without a child, because the system has none to give, the file stays.
  explicit Janitor(const std::string& path);
  /// Has it removed now, and waits until it is.
  ~Janitor();
  Janitor(const Janitor&) = delete;
  Janitor& operator=(const Janitor&) = delete;

 private:
  [[noreturn]] static void Wait(int news, int folder, const char* name, const struct stat& file);

  io::Fd life_;  // closed when this process ends
  pid_t child_ = -1;
};

}  // namespace estab::cli
