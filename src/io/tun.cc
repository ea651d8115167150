#include "io/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>

#include "io/entropy.h"
#include "io/interface.h"
#include "io/vnet.h"

namespace estab::io {
namespace {

constexpr const char* kDevice = "/dev/net/tun";
constexpr std::size_t kLongestFrame = kLongestPacket + wire::kEthernetHeaderSize;

std::unexpected<OsError> Refused(int os_errno, std::string message) {
  return std::unexpected(OsError{FromErrno(os_errno), os_errno, std::move(message)});
}

std::unexpected<OsError> CannotOpenDevice(int os_errno) {
  switch (os_errno) {
    case ENOENT:
      return Refused(os_errno,
                     "/dev/net/tun is missing; load the module (modprobe tun), or give the "
                     "container the device (--device /dev/net/tun)");
    case ENODEV:
    case ENXIO:
      return Refused(os_errno, "the kernel has no TUN driver; load the module (modprobe tun)");
    case EPERM:
    case EACCES:
      return Refused(os_errno,
                     "no permission to open /dev/net/tun; run as root, or in a network namespace "
                     "of your own (unshare -Urn)");
    default:
      return Refused(os_errno, std::string("cannot open /dev/net/tun: ") + std::strerror(os_errno));
  }
}

std::unexpected<OsError> CannotAttach(int os_errno, const std::string& name, int flags) {
  switch (os_errno) {
    case EPERM:
    case EACCES:
      return Refused(os_errno, "no permission to make or take the TUN device " + name +
                                   "; run as root, in a network namespace of your own (unshare "
                                   "-Urn), or have it made for you (ip tuntap add)");
    case EBUSY:
      return Refused(os_errno, "the TUN device " + name +
                                   " is in use by another program; stop that one or choose another "
                                   "name");
    case EINVAL:
      if ((flags & IFF_MULTI_QUEUE) != 0) {
        return Refused(os_errno, "the network device " + name +
                                     " exists and is none of many queues; choose another name, or "
                                     "make it anew with multi_queue (ip tuntap add " +
                                     name + " mode tun multi_queue)");
      }
      return Refused(os_errno, "the network device " + name +
                                   " exists and is not a TUN device (or a TAP device, if that is "
                                   "asked for); choose another name");
    default:
      return Refused(os_errno,
                     "cannot open the TUN device " + name + ": " + std::strerror(os_errno));
  }
}

OsResult<Fd> Attach(const std::string& name, int flags) {
  if (auto good = CheckDeviceName(name); !good) return std::unexpected(good.error());
  Fd fd(open(kDevice, O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) return CannotOpenDevice(errno);
  ifreq request{};
  name.copy(request.ifr_name, name.size());
  request.ifr_flags = static_cast<short>(flags);
  int result = ioctl(fd.get(), TUNSETIFF, &request);
  if (result != 0 && errno == EINVAL && (flags & IFF_MULTI_QUEUE) == 0) {
    // It may have been made for many queues: then it wants to be told so.
    request.ifr_flags = static_cast<short>(flags | IFF_MULTI_QUEUE);
    result = ioctl(fd.get(), TUNSETIFF, &request);
  }
  if (result != 0) return CannotAttach(errno, name, flags);
  return fd;
}

}  // namespace

OsResult<Tun> Tun::OpenQueue(const std::string& name, const TunOptions& options, int flags) {
  flags |= IFF_NO_PI | (options.frames ? IFF_TAP : IFF_TUN) | (options.offload ? IFF_VNET_HDR : 0);
  auto fd = Attach(name, flags);
  if (!fd) return std::unexpected(fd.error());
  Tun tun(std::move(*fd), name);
  if (options.offload) tun.PrepareOffload();
  if (!tun.PrepareBuffers()) return Refused(ENOMEM, "no memory for the packets of " + name);
  if (!options.frames) return tun;
  wire::MacAddress mac;
  if (!FillRandom(std::as_writable_bytes(std::span(mac.bytes)))) {
    return Refused(errno, "the system has no randomness to give");
  }
  constexpr unsigned kLocal = 2;  // made up here, and no group's
  mac.bytes[0] = static_cast<std::uint8_t>((mac.bytes[0] & 0xfcu) | kLocal);
  tun.station_ = mac;
  return tun;
}

OsResult<Tun> Tun::Open(std::string_view name, const TunOptions& options) {
  return OpenQueue(std::string(name), options, 0);
}

OsResult<std::vector<Tun>> Tun::OpenQueues(std::string_view name, std::size_t count,
                                           const TunOptions& options) {
  std::vector<Tun> queues;
  while (queues.size() < count) {
    auto queue = OpenQueue(std::string(name), options, IFF_MULTI_QUEUE);
    if (!queue) return std::unexpected(queue.error());
    queue->station_ = queues.empty() ? queue->station_ : queues.front().station_;
    queues.push_back(std::move(*queue));
  }
  return queues;
}

// With IFF_VNET_HDR the header is there whatever the kernel offers; offloads may still be refused,
// and then the kernel sends nothing that needs them.
void Tun::PrepareOffload() {
  offload_ = true;
  constexpr unsigned kAll = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  (void)ioctl(fd_.get(), TUNSETOFFLOAD, kAll);
}

bool Tun::PrepareBuffers() {
  buffer_ = std::make_unique_for_overwrite<std::byte[]>(kBufferSize);
  return buffer_ != nullptr;
}

SinkCapabilities Tun::Capabilities() const {
  if (!offload_) return {};
  return {.checksum = true, .max_size = kLongestPacket};
}

// One packet to where `at` points, its header before it; 0 if there is none.
std::size_t Tun::Read(std::byte* at, RxPacket& packet) {
  const std::size_t lead = offload_ ? sizeof(VnetHeader) : 0;
  for (;;) {
    const ssize_t n = read(fd_.get(), at - lead, lead + kLongestFrame);
    if (n < 0 && errno == EINTR) continue;
    if (n <= static_cast<ssize_t>(lead)) {
      // EAGAIN: no more. EIO: it is down, and may come up again. EBADFD: it was removed.
      gone_ = gone_ || (n < 0 && errno == EBADFD);
      return 0;
    }
    packet = RxPacket{};
    packet.data = {at, static_cast<std::size_t>(n) - lead};
    if (!offload_) return packet.data.size();
    VnetHeader header;
    std::memcpy(&header, at - lead, sizeof(header));
    TakeVnetHeader(header, packet);
    return packet.data.size();
  }
}

std::span<const RxPacket> Tun::ReadBatch(LinkId link) {
  constexpr std::size_t kLine = 64;
  std::size_t count = 0;
  std::size_t at = kLine;
  drained_ = false;
  while (count < kBatch && at + kLongestFrame <= kBufferSize) {
    const std::size_t size = Read(buffer_.get() + at, packets_[count]);
    drained_ = size == 0;
    if (drained_) break;
    packets_[count++].link = link;
    // An odd number of cache lines apart, so that the headers do not all compete for one set.
    at += ((size + sizeof(VnetHeader) + kLine - 1) / kLine | 1) * kLine;
  }
  return std::span(packets_).first(count);
}

SinkResult Tun::Write(std::span<const std::byte> frame_header, const TxPacket& packet) {
  const VnetHeader header = VnetHeaderOf(packet, frame_header.size());
  const auto pieces = pieces_.Of(offload_ ? &header : nullptr, frame_header, packet);
  ssize_t n = 0;
  do {
    n = writev(fd_.get(), pieces.data(), static_cast<int>(pieces.size()));
  } while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) {
    wants_write_ = true;
    return SinkResult::kBusy;
  }
  wants_write_ = false;
  if (n < 0) ++dropped_;
  return SinkResult::kSent;
}

}  // namespace estab::io
