#include "cli/control.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cli/failure.h"
#include "io/clock.h"

namespace estab::cli {
namespace {

constexpr std::size_t kMostClients = 16;
constexpr std::size_t kMostRequest = 4096;
constexpr std::size_t kEnough = std::size_t{64} * 1024;  // of an answer, before it is sent
constexpr Duration kPatience = std::chrono::seconds(10);

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    Misused("--control {}: a path of 1 to {} bytes", path, sizeof(address.sun_path) - 1);
  }
  path.copy(address.sun_path, path.size());
  return address;
}

io::Fd NewSocket(int flags) {
  io::Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (!fd.valid()) Failed("--control: no socket: {}", std::strerror(errno));
  return fd;
}

const sockaddr* Generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

// Removes a socket that nobody serves any more.
void ClearStale(const std::string& path, const sockaddr_un& address) {
  struct stat status{};
  if (lstat(path.c_str(), &status) != 0) return;
  if (!S_ISSOCK(status.st_mode)) Failed("--control {}: there is a file of that name", path);
  const io::Fd probe = NewSocket(0);
  if (connect(probe.get(), Generic(address), sizeof(address)) == 0) {
    Failed("--control {}: another estab serves there", path);
  }
  if (errno == ECONNREFUSED) unlink(path.c_str());
}

}  // namespace

Control::Control(const std::string& path, MachineGroup& machines)
    : path_(path), machines_(machines), listener_() {
  const sockaddr_un address = AddressOf(path);
  ClearStale(path, address);
  listener_ = NewSocket(SOCK_NONBLOCK);
  const mode_t before = umask(0177);
  const int bound = bind(listener_.get(), Generic(address), sizeof(address));
  const int error = errno;
  umask(before);
  if (bound != 0) Failed("--control {}: {}", path, std::strerror(error));
  if (listen(listener_.get(), 8) != 0) Failed("--control {}: {}", path, std::strerror(errno));
}

Control::~Control() { unlink(path_.c_str()); }

void Control::Poll(std::vector<pollfd>& polled) const {
  polled.push_back({listener_.get(), POLLIN, 0});
  for (const auto& client : clients_) {
    const bool answering = client->task != nullptr || !client->out.empty();
    polled.push_back({client->fd.get(), static_cast<short>(answering ? POLLOUT : POLLIN), 0});
  }
}

void Control::Accept() {
  io::Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd.valid()) return;
  // One too many is closed at once, and says so to its user.
  if (clients_.size() >= kMostClients) return;
  auto client = std::make_unique<Client>();
  client->fd = std::move(fd);
  client->deadline = io::MonotonicNow() + kPatience;
  clients_.push_back(std::move(client));
}

bool Control::Read(Client& client) {
  char buffer[1024];
  const ssize_t n = read(client.fd.get(), buffer, sizeof(buffer));
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return false;
  client.in.append(buffer, static_cast<std::size_t>(n));
  const std::size_t end = client.in.find('\n');
  if (end == std::string::npos) return client.in.size() <= kMostRequest;
  client.task = MakeControlTask(machines_, client.in.substr(0, end));
  return true;
}

bool Control::Write(Client& client) {
  if (client.task != nullptr && client.out.size() < kEnough && client.task(client.out)) {
    client.task = nullptr;
    client.done = true;
  }
  if (client.out.empty()) return !client.done;
  const ssize_t n = send(client.fd.get(), client.out.data(), client.out.size(), MSG_NOSIGNAL);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  client.out.erase(0, static_cast<std::size_t>(n));
  client.deadline = io::MonotonicNow() + kPatience;
  return !client.done || !client.out.empty();
}

bool Control::ServeClient(Client& client, short events) {
  if (io::MonotonicNow() >= client.deadline) return false;
  if ((events & POLLOUT) != 0) return Write(client);
  if ((events & POLLIN) != 0) return Read(client);
  return (events & (POLLERR | POLLHUP)) == 0;
}

void Control::Serve(std::span<const pollfd> polled) {
  const std::size_t before = std::min(clients_.size(), polled.size() - 1);
  std::vector<std::unique_ptr<Client>> left;
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    const short events = i < before ? polled[i + 1].revents : short{0};
    if (ServeClient(*clients_[i], events)) left.push_back(std::move(clients_[i]));
  }
  clients_ = std::move(left);
  if ((polled[0].revents & POLLIN) != 0) Accept();
}

}  // namespace estab::cli
