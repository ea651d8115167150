#include "common/harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char* program = "harness";

_Noreturn void fail(const char* what) {
  fprintf(stderr, "%s: %s\n", program, what);
  exit(1);
}

static _Noreturn void wrong_use(const char* what, const char* which) {
  fprintf(stderr, "%s: %s%s\n", program, what, which);
  exit(2);
}

static uint64_t number(const char* option, const char* text) {
  char* end = NULL;
  if (text == NULL) wrong_use("a number is missing after ", option);
  errno = 0;
  const uint64_t value = strtoull(text, &end, 10);
  if (errno != 0 || *end != '\0' || *text < '0' || *text > '9') wrong_use("not a number: ", text);
  return value;
}

static _Noreturn void help(const struct workload* workloads) {
  printf("usage: %s WORKLOAD [--count N] [--warm N] [--connections N] [--buffer BYTES]\n\n",
         program);
  printf("Prints one line of JSON. Workloads:");
  for (const struct workload* w = workloads; w->name != NULL; ++w) printf(" %s", w->name);
  printf("\n");
  exit(0);
}

int run_workload(int argc, char** argv, const char* harness, const struct workload* workloads) {
  struct options o = {.buffer = 1 << 20};
  program = harness;
  if (argc < 2) wrong_use("a workload is missing", "");
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--help") == 0) help(workloads);
  }
  for (int i = 2; i < argc; i += 2) {
    if (strcmp(argv[i], "--count") == 0) {
      o.count = number(argv[i], argv[i + 1]);
    } else if (strcmp(argv[i], "--warm") == 0) {
      o.warm = number(argv[i], argv[i + 1]);
    } else if (strcmp(argv[i], "--connections") == 0) {
      o.connections = number(argv[i], argv[i + 1]);
    } else if (strcmp(argv[i], "--buffer") == 0) {
      o.buffer = (uint32_t)number(argv[i], argv[i + 1]);
    } else {
      wrong_use("unknown option: ", argv[i]);
    }
  }
  for (const struct workload* w = workloads; w->name != NULL; ++w) {
    if (strcmp(w->name, argv[1]) != 0) continue;
    w->measure(&o);
    return 0;
  }
  wrong_use("unknown workload: ", argv[1]);
}

void report_begin(const char* workload) { printf("{\"workload\": \"%s\"", workload); }
void report(const char* name, double value) { printf(", \"%s\": %.10g", name, value); }
void report_costs(uint64_t operations, double ns, uint64_t packets) {
  report("operations", (double)operations);
  report("ns_per_op", ns / (double)operations);
  report("packets_per_op", (double)packets / (double)operations);
}
void report_end(void) { printf("}\n"); }

uint32_t* shuffled(size_t n) {
  uint32_t* order = malloc((n + 1) * sizeof *order);
  uint64_t x = 88172645463325252u;
  must(order != NULL, "no memory");
  for (size_t i = 0; i < n; ++i) order[i] = (uint32_t)i;
  for (size_t i = n; i > 1; --i) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    const size_t j = x % i;
    const uint32_t swap = order[i - 1];
    order[i - 1] = order[j];
    order[j] = swap;
  }
  return order;
}
