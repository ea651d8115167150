#include "io/link_spec.h"

#include <errno.h>

#include <charconv>

#include "io/af_packet.h"
#include "io/interface.h"
#include "io/tun.h"

#ifdef ESTAB_HAVE_XDP
#include "io/af_xdp.h"
#endif

namespace estab::io {
namespace {

std::unexpected<OsError> Refused(std::string message) {
  return std::unexpected(OsError{Error::kInvalid, EINVAL, std::move(message)});
}

bool ReadPacketOption(std::string_view option, PacketOptions& options) {
  if (option != "blocks") return false;
  options.blocks = true;
  return true;
}

bool ReadQueue(std::string_view text, std::uint32_t& queue) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), queue);
  return error == std::errc{} && stop == text.data() + text.size();
}

bool ReadXdpOption(std::string_view option, XdpOptions& options) {
  constexpr std::string_view kQueue = "queue=";
  if (option == "mode=native") {
    options.mode = XdpMode::kNative;
  } else if (option == "mode=generic") {
    options.mode = XdpMode::kGeneric;
  } else if (option == "copy") {
    options.copy = XdpCopy::kCopy;
  } else if (option == "zerocopy") {
    options.copy = XdpCopy::kZeroCopy;
  } else {
    return option.starts_with(kQueue) && ReadQueue(option.substr(kQueue.size()), options.queue);
  }
  return true;
}

OsResult<void> ReadOption(std::string_view option, LinkSpec& spec) {
  const std::string quoted = "'" + std::string(option) + "'";
  switch (spec.kind) {
    case LinkKind::kPacket:
      if (ReadPacketOption(option, spec.packet)) return {};
      return Refused(quoted + " is no option of a packet link; the one there is is 'blocks'");
    case LinkKind::kXdp:
      if (ReadXdpOption(option, spec.xdp)) return {};
      return Refused(quoted +
                     " is no option of an xdp link; those are mode=native, mode=generic, copy, "
                     "zerocopy and queue=N");
    case LinkKind::kTun:
    case LinkKind::kTap:
      break;
  }
  return Refused("a TUN or TAP link has no options: " + quoted + " cannot stand there");
}

template <class Opened>
OsResult<std::unique_ptr<Device>> AsDevice(OsResult<Opened> opened) {
  if (!opened) return std::unexpected(std::move(opened.error()));
  return std::make_unique<Opened>(std::move(*opened));
}

}  // namespace

OsResult<LinkSpec> ReadLink(LinkKind kind, std::string_view text) {
  LinkSpec spec{.kind = kind, .device = std::string(text.substr(0, text.find(',')))};
  if (auto good = CheckDeviceName(spec.device); !good) return std::unexpected(good.error());
  text.remove_prefix(spec.device.size());
  while (!text.empty()) {
    text.remove_prefix(1);
    const std::string_view option = text.substr(0, text.find(','));
    if (auto read = ReadOption(option, spec); !read) return std::unexpected(read.error());
    text.remove_prefix(option.size());
  }
  if (spec.xdp.mode == XdpMode::kGeneric && spec.xdp.copy == XdpCopy::kZeroCopy) {
    return Refused("mode=generic always copies; leave out zerocopy or take mode=native");
  }
  return spec;
}

OsResult<std::unique_ptr<Device>> OpenLink(const LinkSpec& spec) {
  switch (spec.kind) {
    case LinkKind::kPacket:
      return AsDevice(AfPacket::Open(spec.device, spec.packet));
    case LinkKind::kXdp:
#ifdef ESTAB_HAVE_XDP
      return AsDevice(AfXdp::Open(spec.device, spec.xdp));
#else
      return Refused(
          "this estab was built without AF_XDP; install libxdp-dev and libbpf-dev, and build it "
          "anew");
#endif
    case LinkKind::kTun:
    case LinkKind::kTap:
      break;
  }
  return AsDevice(Tun::Open(spec.device, {.offload = true, .frames = spec.kind == LinkKind::kTap}));
}

}  // namespace estab::io
