// The C++ door: the host.
#include "estab/host.h"

#include <limits>
#include <vector>

#include "api/host_state.h"
#include "io/entropy.h"

namespace estab {
namespace {

using api::Driver;
using api::OpenFile;
using api::Sockets;

std::optional<Endpoint> ParseEndpoint(std::string_view address, std::uint16_t port) {
  const auto parsed = IpAddress::Parse(address);
  if (!parsed) return std::nullopt;
  return Endpoint{*parsed, port};
}

std::unexpected<Error> Told(std::string* message, std::string text, Error error) {
  if (message != nullptr) *message = std::move(text);
  return std::unexpected(error);
}

// The socket is new and this thread's alone: it is there.
void SetSendTimeout(Sockets& sockets, int handle, Duration timeout) {
  static_cast<void>(sockets.With(handle, [&](OpenFile& file, Stack&, Time) -> Result<void> {
    file.send_timeout = timeout;
    return {};
  }));
}

}  // namespace

Result<std::array<std::uint8_t, 32>> RandomSeed() {
  std::array<std::uint8_t, 32> seed;
  if (!io::FillRandom(std::as_writable_bytes(std::span(seed)))) {
    return std::unexpected(Error::kIo);
  }
  return seed;
}

Host::Host(std::shared_ptr<HostState> state) : state_(std::move(state)) {}
Host::Host(Host&&) noexcept = default;

Host& Host::operator=(Host&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

Host::~Host() {
  if (state_ != nullptr) state_->sockets().End();
}

Result<Host> Host::Create(const HostOptions& options) {
  auto sockets = Sockets::Create(options.seed);
  if (!sockets) return std::unexpected(sockets.error());
  if (options.observer != nullptr) (*sockets)->driver().AddObserver(*options.observer);
  if (options.virtual_clock) {
    if (auto done = (*sockets)->driver().MakeVirtual(); !done) return std::unexpected(done.error());
  }
  return Host(std::make_shared<HostState>(std::move(*sockets)));
}

Result<LinkId> Host::AddTun(std::string_view name, std::string* message) {
  return state_->sockets().driver().AddLink(io::LinkKind::kTun, name, message);
}

Result<LinkId> Host::AddTap(std::string_view name, std::string* message) {
  return state_->sockets().driver().AddLink(io::LinkKind::kTap, name, message);
}

Result<LinkId> Host::AddPacket(std::string_view device, std::string* message) {
  return state_->sockets().driver().AddLink(io::LinkKind::kPacket, device, message);
}

Result<LinkId> Host::AddXdp(std::string_view device, std::string* message) {
  return state_->sockets().driver().AddLink(io::LinkKind::kXdp, device, message);
}

Result<void> Host::SetBusyPoll(bool on, std::string* message) {
  return state_->sockets().driver().SetBusyPoll(on, message);
}

void Host::PullOutput(bool on) { state_->sockets().driver().PullOutput(on); }

Result<void> Host::BringUp(LinkId link, std::span<const std::string_view> kernel_addresses,
                           std::string* message) {
  io::Tun::Setup setup;
  for (const std::string_view text : kernel_addresses) {
    const auto prefix = Prefix::Parse(text);
    if (!prefix) {
      return Told(message, "'" + std::string(text) + "' is not an address with prefix",
                  Error::kInvalid);
    }
    setup.kernel_addresses.push_back(*prefix);
  }
  Driver& driver = state_->sockets().driver();
  const Driver::Lock lock = driver.Enter();
  io::Tun* tun = driver.links().Tun(link);
  if (tun == nullptr) return Told(message, "not a TUN or TAP link", Error::kInvalid);
  const auto up = tun->BringUp(setup);
  if (!up) return Told(message, up.error().message, up.error().error);
  return {};
}

Result<LinkId> Host::AddMemoryLink(std::uint32_t mtu) {
  if (mtu > std::numeric_limits<std::uint16_t>::max()) return std::unexpected(Error::kInvalid);
  return state_->sockets().driver().AddMemoryLink(static_cast<int>(mtu));
}

Result<void> Host::AddAddress(LinkId link, std::string_view cidr) {
  const auto prefix = Prefix::Parse(cidr);
  if (!prefix) return std::unexpected(Error::kInvalid);
  return state_->sockets().driver().AddAddress(link, *prefix);
}

Result<void> Host::AddRoute(LinkId link, std::string_view cidr, std::string_view via) {
  const auto prefix = Prefix::Parse(cidr);
  const auto hop = IpAddress::Parse(via);
  if (!prefix || (!via.empty() && !hop)) return std::unexpected(Error::kInvalid);
  return state_->sockets().driver().AddRoute(link, *prefix, hop ? &*hop : nullptr);
}

Result<TcpListener> Host::Listen(std::string_view address, std::uint16_t port, int backlog) {
  const auto local = ParseEndpoint(address, port);
  if (!local) return std::unexpected(Error::kInvalid);
  Sockets& sockets = state_->sockets();
  const Result<int> handle = sockets.Open(!local->address.is_v4(), {});
  if (!handle) return std::unexpected(handle.error());
  TcpListener listener(state_, *handle);
  SocketOptions options;
  options.reuse_address = true;
  Result<void> done = listener.SetOptions(options);
  if (done) done = sockets.Bind(*handle, *local);
  if (done) done = sockets.Listen(*handle, backlog);
  if (!done) return std::unexpected(done.error());
  return listener;
}

Result<TcpStream> Host::Connect(std::string_view address, std::uint16_t port, Duration timeout) {
  const auto remote = ParseEndpoint(address, port);
  if (!remote) return std::unexpected(Error::kInvalid);
  Sockets& sockets = state_->sockets();
  const Result<int> handle = sockets.Open(!remote->address.is_v4(), {});
  if (!handle) return std::unexpected(handle.error());
  TcpStream stream(state_, *handle);
  SetSendTimeout(sockets, *handle, timeout);
  const Result<void> connected = sockets.Connect(*handle, *remote);
  if (!connected) {
    const Error error = connected.error();
    return std::unexpected(error == Error::kInProgress ? Error::kTimedOut : error);
  }
  SetSendTimeout(sockets, *handle, api::kNoTimeout);
  return stream;
}

Result<TcpStream> Host::StartConnect(const Endpoint& remote) {
  Sockets& sockets = state_->sockets();
  const Result<int> handle =
      sockets.Open(!remote.address.is_v4(), {.nonblocking = true, .close_on_exec = false});
  if (!handle) return std::unexpected(handle.error());
  TcpStream stream(state_, *handle);
  const Result<void> begun = sockets.Connect(*handle, remote);
  if (!begun && begun.error() != Error::kInProgress) return std::unexpected(begun.error());
  return stream;
}

Time Host::Now() {
  Driver& driver = state_->sockets().driver();
  const Driver::Lock lock = driver.Enter();
  return driver.Clock();
}

Result<void> Host::Advance(Duration by) {
  if (by < Duration::zero()) return std::unexpected(Error::kInvalid);
  return state_->sockets().driver().Advance(static_cast<std::uint64_t>(by.count()));
}

std::optional<Duration> Host::UntilDeadline() { return state_->sockets().driver().UntilDeadline(); }

std::size_t Host::PollIo(std::chrono::milliseconds timeout) {
  constexpr auto kMost = std::chrono::milliseconds(std::numeric_limits<int>::max());
  return state_->sockets().driver().PollIo(static_cast<int>(std::min(timeout, kMost).count()));
}

Result<void> Host::Inject(LinkId link, std::span<const std::byte> packet) {
  return state_->sockets().driver().Inject(link, packet);
}

Result<std::size_t> Host::Collect(LinkId link, std::span<std::byte> into, Time* at) {
  return state_->sockets().driver().Collect(link, into, at);
}

Result<void> Host::Set(std::string_view name, std::string_view value) {
  Driver& driver = state_->sockets().driver();
  const Driver::Lock lock = driver.Enter();
  const Result<void> result = driver.stack().SetSetting(name, value);
  driver.Settle();
  return result;
}

Result<std::string> Host::Get(std::string_view name) {
  Driver& driver = state_->sockets().driver();
  const Driver::Lock lock = driver.Enter();
  std::array<char, kSettingTextSize> text{};
  const auto value = driver.stack().GetSetting(name, text);
  if (!value) return std::unexpected(value.error());
  return std::string(*value);
}

std::string Host::Why(const Tuple& tuple) { return state_->sockets().Why(tuple); }

StackCounters Host::Counters() {
  Driver& driver = state_->sockets().driver();
  const Driver::Lock lock = driver.Enter();
  return driver.stack().Counters();
}

std::size_t Host::List(ListCursor& cursor, std::span<ConnectionInfo> out) {
  Driver& driver = state_->sockets().driver();
  const Driver::Lock lock = driver.Enter();
  return driver.stack().List(driver.Now(), cursor, out);
}

void Host::ForEach(void (*visit)(void* context, const ConnectionInfo& info), void* context) {
  Driver& driver = state_->sockets().driver();
  const Driver::Lock lock = driver.Enter();
  driver.stack().ForEach(visit, context, driver.Now());
}

estab_stack* Host::c_stack() const { return &state_->stack; }

}  // namespace estab
