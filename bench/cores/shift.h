// One thread, bound to a processor, that does a workload's operations for as long as it is told.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

namespace bench_cores {

using Clock = std::chrono::steady_clock;

/// Some operations of a workload; returns how many.
using Operations = std::function<double()>;

/// A worker; idle between Begin and End of others.
class Shift {
 public:
  /// In a thread on processor `processor`, which makes its own operations and everything that they
  /// need: its memory is its own.
  Shift(unsigned processor, const std::function<Operations()>& prepare);
  ~Shift();
  Shift(const Shift&) = delete;
  Shift& operator=(const Shift&) = delete;

  /// Lets it work for so long.
  void Begin(Clock::duration span);
  /// Waits until it has, and returns how many operations a second it did, by the clock on the wall.
  double End();

 private:
  void Run(unsigned processor, const std::function<Operations()>& prepare);
  void Work(const Operations& operations);

  std::mutex mutex_;
  std::condition_variable changed_;
  bool ready_ = false;
  bool working_ = false;
  bool over_ = false;
  Clock::duration span_{};
  double rate_ = 0;
  std::thread thread_;
};

}  // namespace bench_cores
