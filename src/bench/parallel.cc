#include "bench/parallel.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace estab::bench {
namespace {

class Pool {
 public:
  Pool(std::size_t count, const std::function<void(std::size_t)>& work)
      : ready_(count), work_(work) {}

  void Work() {
    while (true) {
      std::unique_lock lock(mutex_);
      if (next_ == ready_.size()) return;
      const std::size_t mine = next_++;
      lock.unlock();
      work_(mine);
      lock.lock();
      ready_[mine] = true;
      changed_.notify_one();
    }
  }

  void WaitFor(std::size_t i) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ready_[i]; });
  }

 private:
  std::vector<bool> ready_;
  const std::function<void(std::size_t)>& work_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t next_ = 0;
};

}  // namespace

void InParallel(unsigned jobs, std::size_t count, const std::function<void(std::size_t)>& work,
                const std::function<void(std::size_t)>& done) {
  if (jobs <= 1) {
    for (std::size_t i = 0; i < count; ++i) {
      work(i);
      done(i);
    }
    return;
  }
  Pool pool(count, work);
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < std::min<std::size_t>(jobs, count); ++i) {
    threads.emplace_back([&pool] { pool.Work(); });
  }
  for (std::size_t i = 0; i < count; ++i) {
    pool.WaitFor(i);
    done(i);
  }
}

}  // namespace estab::bench
