// Packets with the reasons for them, as a pcapng file that Wireshark reads.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "estab/time.h"

namespace estab::observe {

/// One IP packet on the wire, and what is to be said of it.
struct CapturedPacket {
  Time at{};
  std::vector<std::byte> bytes;
  std::string comment;  // lines of UTF-8; may be empty
};

/// What the file says of itself.
struct CaptureInfo {
  std::string title;      // of the section
  std::string interface;  // of the one interface, e.g. "A to B"
};

/// A whole file: one section, one interface of LINKTYPE_RAW with nanosecond times, one enhanced
/// packet block each. Times are counted from 1970, as the stacks' clock counts from 0. The format
/// is that of draft-ietf-opsawg-pcapng.
std::string ToPcapng(const CaptureInfo& info, std::span<const CapturedPacket> packets);

}  // namespace estab::observe
