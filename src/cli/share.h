// What the machines of a group have in common, and what each has of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "api/exchange.h"
#include "cli/link_options.h"
#include "cli/pcap.h"
#include "io/device.h"

namespace estab::cli {

/// One machine's part.
struct Share {
  std::array<std::uint8_t, 32> secret{};
  std::shared_ptr<api::Exchange::End> end;           // nullptr: it is alone
  std::vector<std::unique_ptr<io::Device>> devices;  // by link: a queue of each
  std::shared_ptr<PcapFile> pcap;                    // nullptr: nothing is recorded
};

/// Opens links and recordings as `options` says, for `count` machines. Throws Failure, with nothing
/// left behind.
std::vector<Share> MakeShares(const LinkOptions& options, std::size_t count);

}  // namespace estab::cli
