// The part of a run that is measured: the process's time, allocations of the process, and
// instructions if the run is under callgrind.
#pragma once

#include <time.h>

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
  Region() : heap_(HeapAllocations()), began_(ProcessTime()) { CALLGRIND_START_INSTRUMENTATION; }
  void Stop() {
    CALLGRIND_STOP_INSTRUMENTATION;
    ns_ = ProcessTime() - began_;
    heap_ = HeapAllocations() - heap_;
  }
  double ns() const { return ns_; }
  std::uint64_t heap() const { return heap_; }

 private:
  // Of this process alone: on a busy machine the world's clock says less.
  static double ProcessTime() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
  }

  std::uint64_t heap_;
  double began_;
  double ns_ = 0;
};

}  // namespace bench_engine
