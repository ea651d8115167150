#include "io/af_xdp.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>

#include "io/packet_socket.h"
#include "io/unfinished.h"

namespace estab::io {
namespace {

constexpr std::uint32_t kRing = 2048;        // frames each way
constexpr std::uint32_t kSmallFrame = 2048;  // of memory
constexpr std::uint32_t kLargeFrame = 4096;
constexpr std::uint32_t kHeadroom = 256;  // that the kernel keeps in a frame (XDP_PACKET_HEADROOM)

constexpr std::uint16_t kNobodysType = 0x88b5;  // of frames, for experiments (IEEE 802)

std::uint32_t MostIn(std::uint32_t frame) {
  return frame - kHeadroom - static_cast<std::uint32_t>(wire::kEthernetHeaderSize);
}

OsError Refusal(int os_errno, std::string message) {
  return {FromErrno(os_errno), os_errno, std::move(message)};
}

// Whether another way of having the device may do where this one did not.
bool WorthAnother(const OsError& error) {
  return error.os_errno == EOPNOTSUPP || error.os_errno == EINVAL || error.os_errno == ENOSPC ||
         error.os_errno == ENXIO;
}

}  // namespace

AfXdp::Socket::~Socket() {
  if (socket != nullptr) library->socket_delete(socket);
  if (umem != nullptr) library->umem_delete(umem);
}

AfXdp::AfXdp(const XdpLibrary& library, Interface device)
    : device_(std::move(device)),
      socket_(std::make_unique<Socket>(library)),
      checks_left_(device_.driver == "veth"),
      frame_size_(device_.mtu <= MostIn(kSmallFrame) ? kSmallFrame : kLargeFrame) {}

AfXdp::~AfXdp() = default;

OsResult<AfXdp> AfXdp::Open(std::string_view name, const XdpOptions& options) {
  const auto device = FindEthernet(name);
  if (!device) return std::unexpected(device.error());
  const auto library = XdpLibrary::Get();
  if (!library) return std::unexpected(library.error());
  if (device->mtu > MostIn(kLargeFrame)) {
    return std::unexpected(Refusal(EINVAL, "an MTU of " + std::to_string(device->mtu) +
                                               " is more than a frame of AF_XDP holds (" +
                                               std::to_string(MostIn(kLargeFrame)) +
                                               "); ip link set " + device->name + " mtu 1500"));
  }
  struct Way {
    bool native, copy;
  };
  OsError first;
  for (const Way way : {Way{true, false}, Way{true, true}, Way{false, true}}) {
    if (options.mode != XdpMode::kBest && way.native != (options.mode == XdpMode::kNative))
      continue;
    if (options.copy != XdpCopy::kBest && way.copy != (options.copy == XdpCopy::kCopy)) continue;
    auto link = OpenWhenFree(**library, *device, way.native, way.copy, options.queue);
    if (link) return link;
    if (first.message.empty()) first = link.error();
    if (!WorthAnother(link.error())) return link;
    first = std::move(link.error());
  }
  return std::unexpected(std::move(first));
}

// The kernel frees a queue a little after whoever had it has gone: a program that is started anew
// shall have it.
OsResult<AfXdp> AfXdp::OpenWhenFree(const XdpLibrary& library, const Interface& device, bool native,
                                    bool copy, std::uint32_t queue) {
  constexpr int kTries = 10;
  constexpr int kPauseMs = 50;
  auto link = OpenAs(library, device, native, copy, queue);
  for (int i = 1; i < kTries && !link && link.error().os_errno == EBUSY; ++i) {
    poll(nullptr, 0, kPauseMs);
    link = OpenAs(library, device, native, copy, queue);
  }
  return link;
}

OsResult<AfXdp> AfXdp::OpenAs(const XdpLibrary& library, const Interface& device, bool native,
                              bool copy, std::uint32_t queue) {
  AfXdp link(library, device);
  link.native_ = native;
  link.copy_ = copy;
  link.queue_ = queue;
  auto program = XdpProgram::Attach(library, device, native);
  if (!program) return std::unexpected(program.error());
  link.program_ = std::move(*program);
  if (auto made = link.MakeSocket(copy, queue); !made) return std::unexpected(made.error());
  link.FillAll();
  auto groups = OpenPacketSocket();
  if (!groups) return std::unexpected(groups.error());
  if (auto bound = BindPacketSocket(*groups, device, kNobodysType); !bound) {
    return std::unexpected(bound.error());
  }
  link.groups_ = std::move(*groups);
  auto watch = DeviceWatch::Open(device.index);
  if (!watch) return std::unexpected(watch.error());
  link.watch_ = std::move(*watch);
  if (auto ready = link.program_->Redirect(queue, link.fd_); !ready) {
    return std::unexpected(ready.error());
  }
  return link;
}

OsResult<void> AfXdp::MakeSocket(bool copy, std::uint32_t queue) {
  frames_ =
      Mapping(std::size_t{2 * kRing} * frame_size_, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1);
  if (!frames_.valid()) return std::unexpected(Refusal(errno, "no memory for the frames"));
  const xsk_umem_config memory{.fill_size = kRing,
                               .comp_size = kRing,
                               .frame_size = frame_size_,
                               .frame_headroom = 0,
                               .flags = 0};
  Socket& s = *socket_;
  int failed =
      s.library->umem_create(&s.umem, frames_.data(), frames_.size(), &s.fill, &s.done, &memory);
  if (failed != 0) {
    return std::unexpected(Refusal(
        -failed, std::string("cannot give memory to AF_XDP: ") + std::strerror(-failed) +
                     (failed == -ENOBUFS ? "; raise the limit of locked memory (ulimit -l)" : "")));
  }
  xsk_socket_config config{};
  config.rx_size = kRing;
  config.tx_size = kRing;
  config.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD;
  config.bind_flags = static_cast<__u16>(XDP_USE_NEED_WAKEUP | (copy ? XDP_COPY : XDP_ZEROCOPY));
  failed = s.library->socket_create(&s.socket, device_.name.c_str(), queue, s.umem, &s.rx, &s.tx,
                                    &config);
  if (failed == 0) {
    fd_ = s.library->socket_fd(s.socket);
    return {};
  }
  std::string message = "cannot have queue " + std::to_string(queue) + " of " + device_.name +
                        (copy ? "" : " without copies") + ": ";
  if (failed == -EOPNOTSUPP) {
    message += "its driver cannot do that";
  } else if (failed == -EINVAL) {
    message += "there is no such queue, or its driver cannot do that";
  } else if (failed == -EBUSY) {
    message += "another program has it";
  } else {
    message += std::strerror(-failed);
  }
  return std::unexpected(Refusal(-failed, std::move(message)));
}

// The lower half of the memory is for what comes, the upper for what goes.
void AfXdp::FillAll() {
  std::uint32_t index = 0;
  xsk_ring_prod__reserve(&socket_->fill, kRing, &index);
  for (std::uint64_t i = 0; i < kRing; ++i) {
    *xsk_ring_prod__fill_addr(&socket_->fill, index++) = i * frame_size_;
  }
  xsk_ring_prod__submit(&socket_->fill, kRing);
  free_.reserve(kRing);
  for (std::uint64_t i = kRing; i < std::uint64_t{2} * kRing; ++i) free_.push_back(i * frame_size_);
}

std::string AfXdp::Describe() const {
  return "xdp:" + device_.name + " (" + (native_ ? "native" : "generic") + ", " +
         (copy_ ? "copy" : "zero-copy") + ", queue " + std::to_string(queue_) + ")";
}

// The frames of the last batch are empty again.
void AfXdp::GiveBack() {
  if (read_count_ == 0) return;
  const auto count = static_cast<std::uint32_t>(read_count_);
  std::uint32_t index = 0;
  xsk_ring_prod__reserve(&socket_->fill, count, &index);  // there is room for all there are
  for (const std::uint64_t address : std::span(read_).first(read_count_)) {
    *xsk_ring_prod__fill_addr(&socket_->fill, index++) = address & ~std::uint64_t{frame_size_ - 1};
  }
  xsk_ring_prod__submit(&socket_->fill, count);
  read_count_ = 0;
}

std::span<const RxPacket> AfXdp::ReadBatch(LinkId link) {
  GiveBack();
  std::uint32_t index = 0;
  std::uint32_t count = xsk_ring_cons__peek(&socket_->rx, kBatch, &index);
  if (count == 0 && (busy_poll_ || xsk_ring_prod__needs_wakeup(&socket_->fill) != 0)) {
    (void)recvfrom(fd_, nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);  // has the driver look
    count = xsk_ring_cons__peek(&socket_->rx, kBatch, &index);
  }
  drained_ = count < kBatch;
  if (count == 0) {
    LookForTrouble();
    return {};
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    const xdp_desc& frame = *xsk_ring_cons__rx_desc(&socket_->rx, index + i);
    read_[i] = frame.addr;
    packets_[i] = RxPacket{};
    packets_[i].data = {At(frame.addr), frame.len};
    packets_[i].link = link;
    packets_[i].checksum_ok = checks_left_ && IsUnfinished(packets_[i].data);
  }
  xsk_ring_cons__release(&socket_->rx, count);
  read_count_ = count;
  return std::span(packets_).first(count);
}

// Asking costs a call: who looks all the time asks seldom.
void AfXdp::LookForTrouble() {
  constexpr std::uint32_t kSeldom = 4096;
  if (busy_poll_ && ++idle_reads_ % kSeldom != 0) return;
  gone_ = gone_ || watch_.Gone();
}

void AfXdp::TakeDone() {
  std::uint32_t index = 0;
  const std::uint32_t count = xsk_ring_cons__peek(&socket_->done, kRing, &index);
  for (std::uint32_t i = 0; i < count; ++i) {
    free_.push_back(*xsk_ring_cons__comp_addr(&socket_->done, index + i));
  }
  if (count != 0) xsk_ring_cons__release(&socket_->done, count);
}

SinkResult AfXdp::Write(std::span<const std::byte> frame_header, const TxPacket& packet) {
  const std::size_t size = frame_header.size() + packet.size();
  if (size > frame_size_) {
    ++dropped_;
    return SinkResult::kSent;
  }
  if (free_.empty()) {
    Flush();
    TakeDone();
  }
  std::uint32_t index = 0;
  wants_write_ = free_.empty() || xsk_ring_prod__reserve(&socket_->tx, 1, &index) == 0;
  if (wants_write_) return SinkResult::kBusy;
  xdp_desc& frame = *xsk_ring_prod__tx_desc(&socket_->tx, index);
  frame = {.addr = free_.back(), .len = static_cast<std::uint32_t>(size), .options = 0};
  free_.pop_back();
  std::byte* at = At(frame.addr);
  const auto put = [&at](const void* data, std::size_t n) {
    std::memcpy(at, data, n);
    at += n;
  };
  if (!frame_header.empty()) put(frame_header.data(), frame_header.size());
  put(packet.header.data(), packet.header.size());
  for (const Slice& slice : packet.payload) put(slice.data, slice.size);
  ++written_;
  return SinkResult::kSent;
}

void AfXdp::Flush() {
  if (written_ == 0 && !wants_write_) return;
  if (written_ != 0) xsk_ring_prod__submit(&socket_->tx, std::exchange(written_, 0));
  if (xsk_ring_prod__needs_wakeup(&socket_->tx) != 0) Kick();
  TakeDone();
}

// Has the kernel send what the ring holds. With copies it does so within the call, some frames a
// call; without, the driver does it when it can.
void AfXdp::Kick() {
  const auto left = [this] {
    return socket_->tx.cached_prod - __atomic_load_n(socket_->tx.consumer, __ATOMIC_ACQUIRE);
  };
  std::uint32_t before = 0;
  std::uint32_t now = left();
  do {
    before = now;
    if (sendto(fd_, nullptr, 0, MSG_DONTWAIT, nullptr, 0) < 0 && errno != EAGAIN &&
        errno != EBUSY && errno != ENOBUFS) {
      return;  // it is down, or gone
    }
    now = left();
  } while (copy_ && now != 0 && now != before);
  wants_write_ = copy_ && now != 0;
}

OsResult<void> AfXdp::SetBusyPoll(bool on) {
  constexpr int kMicroseconds = 20;
  const auto set = [this](int option, int value) {
    return setsockopt(fd_, SOL_SOCKET, option, &value, sizeof(value)) == 0;
  };
  if (set(SO_PREFER_BUSY_POLL, on ? 1 : 0) && set(SO_BUSY_POLL, on ? kMicroseconds : 0) &&
      set(SO_BUSY_POLL_BUDGET, static_cast<int>(kBatch))) {
    busy_poll_ = on;
    return {};
  }
  return std::unexpected(Refusal(
      errno, "cannot have the queue of " + device_.name + " polled: " + std::strerror(errno)));
}

}  // namespace estab::io
