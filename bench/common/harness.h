/* What the harnesses in C share: options, the measured region, the report. They speak as
 * bench_engine does: HARNESS WORKLOAD [--count N] ..., one line of JSON. */
#ifndef BENCH_COMMON_HARNESS_H_
#define BENCH_COMMON_HARNESS_H_

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#if defined(__has_include)
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#endif
#endif
#ifndef CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_START_INSTRUMENTATION (void)0
#define CALLGRIND_STOP_INSTRUMENTATION (void)0
#endif

struct options {
  uint64_t count;       /* operations to measure; 0: as the workload thinks fit */
  uint64_t warm;        /* operations before that; 0: likewise */
  uint64_t connections; /* that are there, or besides */
  uint32_t buffer;      /* bytes of each buffer, of bulk */
};

struct workload {
  const char* name;
  void (*measure)(const struct options* options);
};

/* Runs the workload that the arguments name. The exit status: 2, with one line, for arguments that
 * make no sense. `workloads` ends with a name of NULL. */
int run_workload(int argc, char** argv, const char* harness, const struct workload* workloads);

/* Ends the process with one line. */
_Noreturn void fail(const char* what);
/* The same unless `holds`. */
static inline void must(int holds, const char* what) {
  if (!holds) fail(what);
}

static inline uint64_t or_else(uint64_t asked, uint64_t otherwise) {
  return asked != 0 ? asked : otherwise;
}

/* The time that this process has had: on a busy machine the world's says less. */
static inline uint64_t process_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Between these two the process's time is measured, and callgrind counts. */
static inline uint64_t region_start(void) {
  const uint64_t began = process_ns();
  CALLGRIND_START_INSTRUMENTATION;
  return began;
}
static inline double region_stop(uint64_t began) {
  CALLGRIND_STOP_INSTRUMENTATION;
  return (double)(process_ns() - began);
}

/* The report: one line of JSON. */
void report_begin(const char* workload);
void report(const char* name, double value);
void report_costs(uint64_t operations, double ns, uint64_t packets);
void report_end(void);

/* The numbers below n in an order without order, always the same; to be freed. */
uint32_t* shuffled(size_t n);

#endif /* BENCH_COMMON_HARNESS_H_ */
