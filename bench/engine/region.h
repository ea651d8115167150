// The part of a run that is measured: time, allocations of the process, and instructions if the run
// is under callgrind.
#pragma once

#include <chrono>
#include <cstdint>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION static_cast<void>(0)
#define CALLGRIND_STOP_INSTRUMENTATION static_cast<void>(0)
#endif

namespace bench_engine {

/// How often operator new was called in this process.
std::uint64_t HeapAllocations();

/// Begins with its making. Under `valgrind --tool=callgrind --instr-atstart=no` only what lies
/// between that and Stop is counted.
class Region {
 public:
  Region() : heap_(HeapAllocations()), began_(std::chrono::steady_clock::now()) {
    CALLGRIND_START_INSTRUMENTATION;
  }
  void Stop() {
    CALLGRIND_STOP_INSTRUMENTATION;
    ns_ = static_cast<double>((std::chrono::steady_clock::now() - began_).count());
    heap_ = HeapAllocations() - heap_;
  }
  double ns() const { return ns_; }
  std::uint64_t heap() const { return heap_; }

 private:
  std::uint64_t heap_;
  std::chrono::steady_clock::time_point began_;
  double ns_ = 0;
};

}  // namespace bench_engine
