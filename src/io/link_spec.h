// Links as people write them: "tun:estab0", "packet:eth0,blocks", "xdp:eth0,mode=native,queue=1".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "io/device.h"
#include "io/os_error.h"

namespace estab::io {

enum class LinkKind : std::uint8_t { kTun, kTap, kPacket, kXdp };

/// How an AF_PACKET link reads.
struct PacketOptions {
  /// From a ring of blocks (TPACKET_V3), which the kernel hands over when they are full or a
  /// millisecond old; otherwise by calls that take what is there at once.
  bool blocks = false;
};

/// Where in the kernel an AF_XDP link gets its frames, and how.
enum class XdpMode : std::uint8_t { kBest, kNative, kGeneric };
enum class XdpCopy : std::uint8_t { kBest, kCopy, kZeroCopy };
struct XdpOptions {
  XdpMode mode = XdpMode::kBest;
  XdpCopy copy = XdpCopy::kBest;
  std::uint32_t queue = 0;  // of the device
};

struct LinkSpec {
  LinkKind kind = LinkKind::kTun;
  std::string device;
  PacketOptions packet = {};
  XdpOptions xdp = {};
};

/// Reads what stands behind the colon: a device's name, and for packet and xdp options, each after
/// a comma: "blocks"; "mode=native", "mode=generic", "copy", "zerocopy", "queue=N". kInvalid.
OsResult<LinkSpec> ReadLink(LinkKind kind, std::string_view text);

/// Opens the device. Errors are those of its kind.
OsResult<std::unique_ptr<Device>> OpenLink(const LinkSpec& spec);

}  // namespace estab::io
