// One transfer between two ends over the path model, in real time.
#pragma once

#include <expected>
#include <string>

#include "bench/cell.h"
#include "beside_kernel/end.h"

namespace beside_kernel {

/// Which TCP stands where.
struct Pairing {
  bool estab_sends = false;
  bool estab_receives = false;
};

struct TransferConfig {
  estab::bench::Cell cell;
  Pairing pairing;
  std::uint64_t seed = 1;
  estab::Duration warm_up{};   // not measured
  estab::Duration measured{};  // behind it
};

/// Payload bits per second that the receiving application read while it was measured.
std::expected<double, std::string> MeasureTransfer(const TransferConfig& config);

}  // namespace beside_kernel
