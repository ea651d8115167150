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

namespace estab::io {
namespace {

constexpr const char* kDevice = "/dev/net/tun";

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

std::unexpected<OsError> CannotAttach(int os_errno, const std::string& name) {
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
      return Refused(os_errno, "the network device " + name +
                                   " exists and is not a TUN device; choose another name");
    default:
      return Refused(os_errno,
                     "cannot open the TUN device " + name + ": " + std::strerror(os_errno));
  }
}

}  // namespace

OsResult<Tun> Tun::Open(std::string_view name) {
  if (name.empty() || name.size() >= IFNAMSIZ || name.find_first_of("/ %") != name.npos) {
    return Refused(EINVAL, "'" + std::string(name) +
                               "' is not a device name; use 1 to 15 characters without blanks, "
                               "slashes and percent signs");
  }
  Fd fd(open(kDevice, O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) return CannotOpenDevice(errno);
  ifreq request{};
  name.copy(request.ifr_name, name.size());
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (ioctl(fd.get(), TUNSETIFF, &request) != 0) return CannotAttach(errno, std::string(name));
  Tun tun(std::move(fd), std::string(name));
  if (auto prepared = tun.PrepareBuffers(); !prepared) return std::unexpected(prepared.error());
  return tun;
}

OsResult<void> Tun::PrepareBuffers() {
  const OsResult<std::uint32_t> mtu = Mtu();
  if (!mtu) return std::unexpected(mtu.error());
  // An odd number of cache lines apart, so that the headers do not all compete for one set.
  stride_ = (std::max<std::size_t>(*mtu, 1500) + 127) / 64 * 64 + 64;
  if (stride_ / 64 % 2 == 0) stride_ += 64;
  buffers_ = std::make_unique_for_overwrite<std::byte[]>(stride_ * kBatch);
  return {};
}

std::span<const RxPacket> Tun::ReadBatch(LinkId link) {
  std::size_t count = 0;
  while (count < kBatch) {
    std::byte* buffer = buffers_.get() + count * stride_;
    const ssize_t n = read(fd_.get(), buffer, stride_);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      // EAGAIN: no more. EIO: it is down, and may come up again. EBADFD: it was removed.
      gone_ = gone_ || (n < 0 && errno == EBADFD);
      break;
    }
    packets_[count] = RxPacket{};
    packets_[count].data = {buffer, static_cast<std::size_t>(n)};
    packets_[count].link = link;
    ++count;
  }
  return std::span(packets_).first(count);
}

SinkResult Tun::Write(const TxPacket& packet) {
  constexpr std::size_t kPieces = 64;
  std::array<iovec, kPieces> pieces;
  int count = 0;
  const auto add = [&](const std::byte* data, std::size_t size) {
    pieces[static_cast<std::size_t>(count++)] = {const_cast<std::byte*>(data), size};
  };
  add(packet.header.data(), packet.header.size());
  if (packet.payload.size() < kPieces) {
    for (const Slice& slice : packet.payload) add(slice.data, slice.size);
  } else {
    scratch_.clear();
    for (const Slice& slice : packet.payload) {
      scratch_.insert(scratch_.end(), slice.data, slice.data + slice.size);
    }
    add(scratch_.data(), scratch_.size());
  }
  ssize_t n = 0;
  do {
    n = writev(fd_.get(), pieces.data(), count);
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
