#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>

#include "beside_kernel/addresses.h"
#include "beside_kernel/end.h"
#include "io/fd.h"
#include "io/tun.h"
#include "observe/format.h"

namespace beside_kernel {
namespace {

using estab::io::Fd;
using estab::io::Tun;

constexpr std::size_t kSocketBlock = 65536;
constexpr int kSocketUnsent = 4 * kSocketBlock;
// So many blocks in one step at most, so that packets do not wait for the application.
constexpr int kSocketBlocksAStep = 16;

sockaddr_in SocketAddress(const estab::Endpoint& endpoint) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  address.sin_addr.s_addr = htonl(endpoint.address.v4());
  return address;
}

bool WriteSetting(const std::string& name, const std::string& value) {
  std::string path = "/proc/sys/" + name;
  for (std::size_t i = 10; i < path.size(); ++i) path[i] = path[i] == '.' ? '/' : path[i];
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "we"),
                                                             std::fclose);
  return file && std::fputs(value.c_str(), file.get()) >= 0 && std::fflush(file.get()) == 0;
}

// What lives in the namespace. It keeps the namespace alive, and goes with it.
struct Place {
  std::unique_ptr<Tun> tun;
  Fd socket;
  std::string error;
};

// Runs in a thread of its own, whose namespace changes with it.
void Settle(const EndConfig& config, Place& place) {
  if (unshare(CLONE_NEWNET) != 0) {
    place.error = fmt::format("no network namespace: {}", std::strerror(errno));
    return;
  }
  const std::string buffers = fmt::format("4096 {0} {0}", config.buffer);
  const std::pair<const char*, std::string> settings[] = {{"net.ipv4.tcp_rmem", buffers},
                                                          {"net.ipv4.tcp_wmem", buffers},
                                                          {"net.ipv4.tcp_no_metrics_save", "1"}};
  for (const auto& [name, value] : settings) {
    if (WriteSetting(name, value)) continue;
    place.error = fmt::format("the kernel refuses {} = {}", name, value);
    return;
  }
  auto tun = Tun::Open("wire");
  if (!tun) {
    place.error = tun.error().message;
    return;
  }
  Tun::Setup setup;
  setup.mtu = kMtu;
  setup.kernel_addresses = {{AddressOf(config.role).address, 24}};
  if (auto up = tun->BringUp(setup); !up) {
    place.error = up.error().message;
    return;
  }
  place.tun = std::make_unique<Tun>(*std::move(tun));
  place.socket = Fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!place.socket.valid()) {
    place.error = std::strerror(errno);
    return;
  }
  // Only the first namespace may have any as its default, but a socket may.
  const std::string& cc = config.cc;
  const auto size = static_cast<socklen_t>(cc.size());
  if (setsockopt(place.socket.get(), IPPROTO_TCP, TCP_CONGESTION, cc.data(), size) != 0) {
    place.error = fmt::format("the kernel refuses TCP_CONGESTION {}: {}", cc, std::strerror(errno));
  }
}

class KernelEnd final : public End {
 public:
  KernelEnd(Role role, Place place)
      : role_(role),
        tun_(std::move(place.tun)),
        socket_(std::move(place.socket)),
        block_(kSocketBlock) {}

  void Begin(Time) override {
    const sockaddr_in own = SocketAddress(AddressOf(role_));
    const sockaddr_in peer = SocketAddress(AddressOf(Role::kReceiver));
    if (role_ == Role::kReceiver) {
      Expect(bind(socket_.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) == 0);
      Expect(listen(socket_.get(), 1) == 0);
      return;
    }
    setsockopt(socket_.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kSocketUnsent, sizeof kSocketUnsent);
    const int done = connect(socket_.get(), reinterpret_cast<const sockaddr*>(&peer), sizeof peer);
    Expect(done == 0 || errno == EINPROGRESS);
  }

  void Step(Time) override {
    if (role_ == Role::kSender) return Send();
    if (!connection_.valid()) {
      connection_ = Fd(accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    }
    if (connection_.valid()) Receive();
  }

  void Collect(Time, const PacketTaker& take) override {
    for (const estab::RxPacket& packet : tun_->ReadBatch(0)) take(packet.data);
  }

  void Deliver(Time, std::span<const std::byte> packet) override {
    estab::TxPacket out;
    out.header = packet;
    static_cast<void>(tun_->Write(out));
  }

  Time NextDeadline() override { return estab::kNever; }

  void AddDescriptors(std::vector<pollfd>& fds) const override {
    fds.push_back({tun_->fd(), POLLIN, 0});
    if (role_ == Role::kSender) {
      fds.push_back({socket_.get(), POLLOUT, 0});
    } else {
      fds.push_back({connection_.valid() ? connection_.get() : socket_.get(), POLLIN, 0});
    }
  }

  std::uint64_t received() const override { return received_; }
  std::string failure() const override { return failure_; }

 private:
  void Expect(bool good) {
    if (!good && failure_.empty()) failure_ = fmt::format("the kernel: {}", std::strerror(errno));
  }

  void Send() {
    // The low-water mark is felt by poll, not by send.
    pollfd ready{socket_.get(), POLLOUT, 0};
    for (int i = 0; i < kSocketBlocksAStep && poll(&ready, 1, 0) == 1; ++i) {
      const ssize_t sent = send(socket_.get(), block_.data(), block_.size(), MSG_NOSIGNAL);
      if (sent < 0) return Expect(errno == EAGAIN || errno == ENOTCONN);
    }
  }

  void Receive() {
    for (int i = 0; i < kSocketBlocksAStep; ++i) {
      const ssize_t got = recv(connection_.get(), block_.data(), block_.size(), 0);
      if (got < 0) return Expect(errno == EAGAIN);
      received_ += static_cast<std::uint64_t>(got);
    }
  }

  Role role_;
  std::unique_ptr<Tun> tun_;
  Fd socket_;  // of the sender, or the listener
  Fd connection_;
  std::vector<char> block_;
  std::uint64_t received_ = 0;
  std::string failure_;
};

}  // namespace

MadeEnd MakeKernelEnd(const EndConfig& config) {
  Place place;
  std::thread([&] { Settle(config, place); }).join();
  if (!place.error.empty()) return std::unexpected(place.error);
  return std::make_unique<KernelEnd>(config.role, std::move(place));
}

}  // namespace beside_kernel
