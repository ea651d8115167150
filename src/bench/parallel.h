// The same work many times, on several threads; the results in order.
#pragma once

#include <cstddef>
#include <functional>

namespace estab::bench {

/// Calls work(0) to work(count - 1) on `jobs` threads, and done(i) on the calling thread, in order,
/// each as soon as it and all before it are ready. With one job everything is on the calling
/// thread.
void InParallel(unsigned jobs, std::size_t count, const std::function<void(std::size_t)>& work,
                const std::function<void(std::size_t)>& done);

}  // namespace estab::bench
