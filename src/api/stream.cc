// The C++ door: streams and listeners.
#include <utility>

#include "api/host_state.h"
#include "estab/host.h"

namespace estab {
namespace {

using api::OpenFile;
using api::Sockets;
using api::WithFile;
using api::WithHost;

Result<void> SetNonBlockingOf(const std::weak_ptr<HostState>& host, int handle, bool on) {
  return WithFile(host, handle, [&](OpenFile& file, Stack&, Time) -> Result<void> {
    file.nonblocking = on;
    return {};
  });
}

Result<SocketOptions> OptionsOf(const std::weak_ptr<HostState>& host, int handle) {
  return WithFile(host, handle,
                  [](OpenFile& file, Stack& stack, Time) { return stack.GetOptions(file.socket); });
}

Result<void> SetOptionsOf(const std::weak_ptr<HostState>& host, int handle,
                          const SocketOptions& options) {
  return WithFile(host, handle, [&](OpenFile& file, Stack& stack, Time now) {
    return stack.SetOptions(now, file.socket, options);
  });
}

Result<Tuple> TupleOf(const std::weak_ptr<HostState>& host, int handle) {
  return WithFile(host, handle,
                  [](OpenFile& file, Stack& stack, Time) { return stack.GetTuple(file.socket); });
}

Result<void> CloseOf(const std::weak_ptr<HostState>& host, int& handle) {
  if (handle < 0) return std::unexpected(Error::kBadHandle);
  const int closed = std::exchange(handle, -1);
  return WithHost(host, [&](Sockets& sockets) { return sockets.Close(closed); });
}

}  // namespace

// --- TcpStream
// -------------------------------------------------------------------------------------

TcpStream::TcpStream(std::weak_ptr<HostState> host, int handle)
    : host_(std::move(host)), handle_(handle) {}

TcpStream::TcpStream(TcpStream&& other) noexcept
    : host_(std::move(other.host_)), handle_(std::exchange(other.handle_, -1)) {}

TcpStream& TcpStream::operator=(TcpStream&& other) noexcept {
  std::swap(host_, other.host_);
  std::swap(handle_, other.handle_);
  return *this;
}

TcpStream::~TcpStream() { static_cast<void>(Close()); }

Result<std::size_t> TcpStream::Read(std::span<std::byte> into) {
  const iovec piece{into.data(), into.size()};
  return WithHost(host_,
                  [&](Sockets& sockets) { return sockets.Receive(handle_, {&piece, 1}, {}); });
}

Result<std::size_t> TcpStream::Peek(std::span<std::byte> into) {
  const iovec piece{into.data(), into.size()};
  Sockets::ReceiveFlags flags;
  flags.peek = true;
  return WithHost(host_,
                  [&](Sockets& sockets) { return sockets.Receive(handle_, {&piece, 1}, flags); });
}

Result<std::size_t> TcpStream::Write(std::span<const std::byte> bytes) {
  const iovec piece{const_cast<std::byte*>(bytes.data()), bytes.size()};
  return WithHost(host_,
                  [&](Sockets& sockets) { return sockets.Send(handle_, {&piece, 1}, false); });
}

Result<void> TcpStream::WriteAll(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const Result<std::size_t> n = Write(bytes);
    if (!n) return std::unexpected(n.error());
    bytes = bytes.subspan(*n);
  }
  return {};
}

Result<TcpStream::Referred> TcpStream::WriteReference(std::span<const std::byte> bytes) {
  const iovec piece{const_cast<std::byte*>(bytes.data()), bytes.size()};
  return WithHost(host_, [&](Sockets& sockets) -> Result<Referred> {
    Referred referred;
    const Result<std::size_t> n =
        sockets.SendReference(handle_, {&piece, 1}, false, {}, &referred.call);
    if (!n) return std::unexpected(n.error());
    referred.bytes = *n;
    return referred;
  });
}

Result<std::optional<ReturnedCalls>> TcpStream::TakeReturned() {
  return WithHost(host_, [&](Sockets& sockets) { return sockets.TakeReturned(handle_); });
}

Result<std::size_t> TcpStream::Borrow(std::span<BorrowedBytes> pieces) {
  return WithHost(host_, [&](Sockets& sockets) { return sockets.Borrow(handle_, pieces, false); });
}

Result<void> TcpStream::GiveBack(std::span<const BorrowedBytes> pieces) {
  return WithHost(host_, [&](Sockets& sockets) { return sockets.GiveBack(pieces); });
}

Result<void> TcpStream::ShutdownWrite() {
  return WithHost(host_, [&](Sockets& sockets) { return sockets.Shutdown(handle_, How::kWrite); });
}

Result<void> TcpStream::ShutdownRead() {
  return WithHost(host_, [&](Sockets& sockets) { return sockets.Shutdown(handle_, How::kRead); });
}

Result<void> TcpStream::Close() { return CloseOf(host_, handle_); }

Result<void> TcpStream::Abort() {
  Result<SocketOptions> options = Options();
  if (!options) return std::unexpected(options.error());
  options->linger = true;
  options->linger_seconds = 0;
  static_cast<void>(SetOptions(*options));
  return Close();
}

Result<std::uint8_t> TcpStream::Poll(std::uint8_t wanted, Duration timeout) {
  return WithHost(host_, [&](Sockets& sockets) -> Result<std::uint8_t> {
    Sockets::PollItem item{.handle = handle_, .wanted = wanted};
    if (handle_ < 0) return std::unexpected(Error::kBadHandle);
    const Result<void> polled = sockets.Poll({&item, 1}, timeout);
    if (!polled) return std::unexpected(polled.error());
    if (item.bad) return std::unexpected(Error::kBadHandle);
    return item.readiness;
  });
}

Result<void> TcpStream::SetNonBlocking(bool on) { return SetNonBlockingOf(host_, handle_, on); }

Result<void> TcpStream::SetTimeouts(Duration read, Duration write) {
  return WithFile(host_, handle_, [&](OpenFile& file, Stack&, Time) -> Result<void> {
    file.receive_timeout = read;
    file.send_timeout = write;
    return {};
  });
}

Result<SocketOptions> TcpStream::Options() const { return OptionsOf(host_, handle_); }

Result<void> TcpStream::SetOptions(const SocketOptions& options) {
  return SetOptionsOf(host_, handle_, options);
}

Result<std::optional<Error>> TcpStream::TakeError() {
  return WithFile(host_, handle_,
                  [](OpenFile& file, Stack& stack, Time) { return stack.TakeError(file.socket); });
}

Result<ConnectionInfo> TcpStream::Info() const {
  return WithFile(host_, handle_, [](OpenFile& file, Stack& stack, Time now) {
    return stack.GetInfo(now, file.socket);
  });
}

Result<Endpoint> TcpStream::Local() const {
  const Result<Tuple> tuple = TupleOf(host_, handle_);
  if (!tuple) return std::unexpected(tuple.error());
  return tuple->local;
}

Result<Endpoint> TcpStream::Remote() const {
  const Result<Tuple> tuple = TupleOf(host_, handle_);
  if (!tuple) return std::unexpected(tuple.error());
  return tuple->remote;
}

Result<std::string> TcpStream::Why() const {
  return WithHost(host_, [&](Sockets& sockets) { return sockets.Why(handle_); });
}

// --- TcpListener
// -----------------------------------------------------------------------------------

TcpListener::TcpListener(std::weak_ptr<HostState> host, int handle)
    : host_(std::move(host)), handle_(handle) {}

TcpListener::TcpListener(TcpListener&& other) noexcept
    : host_(std::move(other.host_)), handle_(std::exchange(other.handle_, -1)) {}

TcpListener& TcpListener::operator=(TcpListener&& other) noexcept {
  std::swap(host_, other.host_);
  std::swap(handle_, other.handle_);
  return *this;
}

TcpListener::~TcpListener() { static_cast<void>(Close()); }

Result<TcpStream> TcpListener::Accept() {
  const Result<int> handle =
      WithHost(host_, [&](Sockets& sockets) { return sockets.Accept(handle_, {}); });
  if (!handle) return std::unexpected(handle.error());
  return TcpStream(host_, *handle);
}

Result<void> TcpListener::SetNonBlocking(bool on) { return SetNonBlockingOf(host_, handle_, on); }

Result<void> TcpListener::SetTimeout(Duration accept) {
  return WithFile(host_, handle_, [&](OpenFile& file, Stack&, Time) -> Result<void> {
    file.receive_timeout = accept;
    return {};
  });
}

Result<void> TcpListener::SetOptions(const SocketOptions& options) {
  return SetOptionsOf(host_, handle_, options);
}

Result<SocketOptions> TcpListener::Options() const { return OptionsOf(host_, handle_); }

Result<Endpoint> TcpListener::Local() const {
  const Result<Tuple> tuple = TupleOf(host_, handle_);
  if (!tuple) return std::unexpected(tuple.error());
  return tuple->local;
}

Result<void> TcpListener::Close() { return CloseOf(host_, handle_); }

}  // namespace estab
