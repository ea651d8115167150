#include "engine/report.h"

#include <cstdio>

namespace bench_engine {

void Report::Print(bool json) const {
  if (!json) {
    std::printf("%s\n", workload_.c_str());
    for (const auto& [name, value] : figures_) {
      std::printf("  %-26s %.10g\n", name.c_str(), value);
    }
    return;
  }
  std::printf("{\"workload\": \"%s\"", workload_.c_str());
  for (const auto& [name, value] : figures_) {
    std::printf(", \"%s\": %.10g", name.c_str(), value);
  }
  std::printf("}\n");
}

}  // namespace bench_engine
