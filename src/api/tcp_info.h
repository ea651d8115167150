// TCP_INFO: a connection's inner life in Linux's structure.
#pragma once

#include <cstddef>
#include <span>

#include "estab/options.h"

namespace estab::api {

/// Writes struct tcp_info (of <linux/tcp.h>), cut to `into`, and returns how many bytes that were.
/// Fields that have no counterpart are 0.
std::size_t WriteTcpInfo(const ConnectionInfo& info, std::span<std::byte> into);

/// The same for TCP_CC_INFO: struct tcp_bbr_info for bbr, nothing for others.
std::size_t WriteCongestionInfo(const ConnectionInfo& info, std::span<std::byte> into);

}  // namespace estab::api
