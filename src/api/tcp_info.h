// TCP_INFO: a connection's inner life in Linux's structure.
#pragma once

#include <cstddef>
#include <span>

#include "estab/options.h"

namespace estab::api {

/// Writes struct tcp_info (of <linux/tcp.h>), cut to `into`, and returns how many bytes that were.
/// Fields that have no counterpart are 0.
std::size_t WriteTcpInfo(const ConnectionInfo& info, std::span<std::byte> into);

}  // namespace estab::api
