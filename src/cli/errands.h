// What one thread has another do.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>

#include "io/event.h"

namespace estab::cli {

/// Errands for a thread that serves. It polls fd() beside its links and is asked for nothing else:
/// packets pass no lock.
class Errands {
 public:
  /// Throws Failure of status 1.
  Errands();

  /// Has `errand` done by the thread that serves, waits until it is, and throws what it throws.
  /// Once nobody serves any more it is done here. One caller at a time.
  void Do(const std::function<void()>& errand);

  // The thread that serves:
  /// Readable when there is something to do.
  int fd() const { return event_.fd(); }
  /// Does it.
  void Run();
  /// It serves no more.
  void Close();

 private:
  void RunWaiting();  // under the lock

  io::Event event_;
  std::mutex mutex_;
  std::condition_variable done_;
  const std::function<void()>* errand_ = nullptr;
  std::exception_ptr thrown_;
  bool closed_ = false;
};

}  // namespace estab::cli
