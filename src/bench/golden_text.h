// The golden file of this version, compiled in: src/bench/path.golden.
#pragma once

#include <string_view>

namespace estab::bench {

extern const std::string_view kGoldenText;

}  // namespace estab::bench
