#include "cores/shift.h"

#include <pthread.h>
#include <sched.h>

namespace bench_cores {

Shift::Shift(unsigned processor, const std::function<Operations()>& prepare) {
  thread_ = std::thread([this, processor, &prepare] { Run(processor, prepare); });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ready_; });
}

Shift::~Shift() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Shift::Begin(Clock::duration span) {
  {
    const std::lock_guard lock(mutex_);
    span_ = span;
    working_ = true;
  }
  changed_.notify_all();
}

double Shift::End() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !working_; });
  return rate_;
}

void Shift::Run(unsigned processor, const std::function<Operations()>& prepare) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(processor, &set);
  // Where that is not allowed the scheduler will do.
  static_cast<void>(pthread_setaffinity_np(pthread_self(), sizeof(set), &set));
  const Operations operations = prepare();
  std::unique_lock lock(mutex_);
  ready_ = true;
  changed_.notify_all();
  for (;;) {
    changed_.wait(lock, [this] { return working_ || over_; });
    if (over_) return;
    lock.unlock();
    Work(operations);
    lock.lock();
    working_ = false;
    changed_.notify_all();
  }
}

void Shift::Work(const Operations& operations) {
  const Clock::time_point begun = Clock::now();
  Clock::time_point now = begun;
  double done = 0;
  while (now - begun < span_) {
    done += operations();
    now = Clock::now();
  }
  rate_ = done / std::chrono::duration<double>(now - begun).count();
}

}  // namespace bench_cores
