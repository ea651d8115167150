// Opening, listening, accepting, closing.
#include <utility>

#include "api/sockets.h"
#include "observe/why.h"

namespace estab::api {

Result<std::unique_ptr<Sockets>> Sockets::Create(
    const std::optional<std::array<std::uint8_t, 32>>& seed, std::shared_ptr<Exchange::End> end) {
  auto driver = Driver::Create(seed, std::move(end));
  if (!driver) return std::unexpected(driver.error());
  return std::unique_ptr<Sockets>(new Sockets(std::move(*driver)));
}

Sockets::~Sockets() { End(); }

OpenFile* Sockets::Find(int handle) const {
  return driver_->ending() ? nullptr : files_.Find(handle);
}

Result<OpenFile*> Sockets::FindSocket(int handle) const {
  OpenFile* file = Find(handle);
  if (file == nullptr) return std::unexpected(Error::kBadHandle);
  if (file->kind != FileKind::kTcpSocket) return std::unexpected(Error::kNotSocket);
  return file;
}

Result<bool> Sockets::IsIpv6(int handle) {
  const Driver::Lock lock = driver_->Enter();
  const Result<OpenFile*> file = FindSocket(handle);
  if (!file) return std::unexpected(file.error());
  return (*file)->ipv6;
}

void Sockets::Place(OpenFile& file, SocketId socket) {
  file.socket = socket;
  static_cast<void>(driver_->stack().SetUser(socket, &file));
}

Result<int> Sockets::Adopt(SocketId socket, bool ipv6, Flags flags, const OpenFile* parent) {
  auto file = std::make_unique<OpenFile>();
  file->ipv6 = ipv6;
  file->nonblocking = flags.nonblocking;
  if (parent != nullptr) file->stage = SocketStage::kConnected;
  file->report_queue = parent != nullptr && parent->report_queue;
  file->zero_copy = parent != nullptr && parent->zero_copy;
  file->receive_timeout = parent != nullptr ? parent->receive_timeout : kNoTimeout;
  file->send_timeout = parent != nullptr ? parent->send_timeout : kNoTimeout;
  const int handle = files_.Add(file.get(), flags.close_on_exec);
  if (handle < 0) return std::unexpected(Error::kNoBuffers);
  Place(*file, socket);
  file.release();
  return handle;
}

Result<int> Sockets::Open(bool ipv6, Flags flags) {
  const Driver::Lock lock = driver_->Enter();
  if (driver_->ending()) return std::unexpected(Error::kBadHandle);
  const Result<SocketId> socket = driver_->stack().Open(ipv6);
  if (!socket) return std::unexpected(socket.error());
  const Result<int> handle = Adopt(*socket, ipv6, flags, nullptr);
  if (!handle) driver_->stack().Close(driver_->Now(), *socket);
  return handle;
}

Result<void> Sockets::Bind(int handle, const Endpoint& local) {
  return With(handle, [&](OpenFile& file, Stack& stack, Time) {
    Result<void> result = stack.Bind(file.socket, local);
    if (result) file.bound = local;
    return result;
  });
}

Result<void> Sockets::Listen(int handle, int backlog) {
  return With(handle, [&](OpenFile& file, Stack& stack, Time now) -> Result<void> {
    if (file.stage != SocketStage::kUnconnected) return std::unexpected(Error::kInvalid);
    return stack.Listen(now, file.socket, backlog < 0 ? INT32_MAX : backlog);
  });
}

Result<int> Sockets::Accept(int handle, Flags flags) {
  Driver::Lock lock = driver_->Enter();
  const Result<OpenFile*> found = FindSocket(handle);
  if (!found) return std::unexpected(found.error());
  OpenFile* file = *found;
  const Use use(*this, file);
  const Duration timeout = file->nonblocking ? Duration::zero() : file->receive_timeout;
  const Result<SocketId> socket = Blocking(
      lock, timeout, [&] { return driver_->stack().Accept(driver_->Now(), file->socket); });
  if (!socket) return std::unexpected(socket.error());
  const Result<int> accepted = Adopt(*socket, file->ipv6, flags, file);
  if (!accepted) {
    driver_->stack().Abort(driver_->Now(), *socket);
    driver_->Settle();
  }
  return accepted;
}

Result<void> Sockets::Shutdown(int handle, How how) {
  const Driver::Lock lock = driver_->Enter();
  const Result<OpenFile*> found = FindSocket(handle);
  if (!found) return std::unexpected(found.error());
  OpenFile* file = *found;
  Stack& stack = driver_->stack();
  Result<void> result;
  const Result<ConnectionInfo> info = stack.GetInfo(driver_->Now(), file->socket);
  const State state = info ? info->state : State::kClosed;
  if (state == State::kListen) {
    // As Linux: the receiving side of a listener is its listening.
    if (how != How::kWrite) result = Reopen(*file);
  } else if (state == State::kSynSent) {
    // As Linux: whichever side it is, the attempt is over and the socket as new.
    static_cast<void>(stack.Shutdown(driver_->Now(), file->socket, How::kBoth));
    result = Reopen(*file);
    static_cast<void>(stack.SetError(file->socket, Error::kConnectionReset));
  } else {
    result = stack.Shutdown(driver_->Now(), file->socket, how);
    const bool undecided = state == State::kClosed || state == State::kSynRcvd;
    if (file->stage == SocketStage::kConnecting) {
      file->stage = undecided ? SocketStage::kDisconnecting : SocketStage::kConnected;
    }
  }
  driver_->Settle();
  driver_->WakeAll();  // others may wait on this socket
  return result;
}

Result<int> Sockets::Duplicate(int handle, int lowest, bool close_on_exec) {
  return WithAny(handle, [&](OpenFile& file) -> Result<int> {
    const int duplicate = files_.Add(&file, close_on_exec, lowest);
    if (duplicate < 0) return std::unexpected(Error::kNoBuffers);
    return duplicate;
  });
}

Result<void> Sockets::Close(int handle) {
  Driver::Lock lock = driver_->Enter();
  if (Find(handle) == nullptr) return std::unexpected(Error::kBadHandle);
  OpenFile* file = files_.Remove(handle);
  if (file->references == 1 && file->kind == FileKind::kTcpSocket) Linger(lock, *file);
  Release(file);
  driver_->Settle();
  return {};
}

void Sockets::Release(OpenFile* file) {
  if (--file->references > 0) return;
  Epoll::Forget(*file);
  OwnReferences(*file);
  if (file->kind == FileKind::kTcpSocket) {
    driver_->stack().Close(driver_->Now(), file->socket);
  } else {
    driver_->EndWatching();
  }
  delete file;
}

// SO_LINGER {1, n}: sends the FIN and waits until it is acknowledged.
void Sockets::Linger(Driver::Lock& lock, OpenFile& file) {
  Stack& stack = driver_->stack();
  const Result<SocketOptions> options = stack.GetOptions(file.socket);
  if (!options || !options->linger || options->linger_seconds == 0) return;
  const Result<ConnectionInfo> info = stack.GetInfo(driver_->Now(), file.socket);
  constexpr StateSet kLasting = In(State::kSynRcvd) | In(State::kEstablished) |
                                In(State::kCloseWait) | In(State::kFinWait1) | In(State::kClosing) |
                                In(State::kLastAck);
  // With unread data the close is a reset, and nothing will be acknowledged.
  if (!info || (In(info->state) & kLasting) == 0 || info->receive_queue > 0) return;
  static_cast<void>(stack.Shutdown(driver_->Now(), file.socket, How::kWrite));
  const Duration timeout = std::chrono::seconds(options->linger_seconds);
  static_cast<void>(Blocking(lock, timeout, [&]() -> Result<void> {
    if (!stack.Drained(file.socket).value_or(true)) return std::unexpected(Error::kWouldBlock);
    return {};
  }));
}

Result<void> Sockets::Poll(std::span<PollItem> items, Duration timeout) {
  Driver::Lock lock = driver_->Enter();
  const auto look = [&]() -> Result<void> {
    if (driver_->ending()) return std::unexpected(Error::kBadHandle);
    bool any = false;
    for (PollItem& item : items) {
      if (item.handle < 0) continue;
      OpenFile* file = Find(item.handle);
      item.bad = file == nullptr;
      if (!item.bad) item.readiness = ReadinessOf(*file);
      const int always = kHangup | kErrorPending | kReturned;
      any |= item.bad || (item.readiness & (item.wanted | always)) != 0;
    }
    if (!any) return std::unexpected(Error::kWouldBlock);
    return {};
  };
  const Result<void> result = Blocking(lock, timeout, look);
  if (!result && result.error() == Error::kBadHandle) return result;
  return {};
}

Result<std::string> Sockets::Why(int handle) {
  return With(handle, [&](OpenFile& file, Stack& stack, Time now) -> Result<std::string> {
    const Result<ConnectionInfo> info = stack.GetInfo(now, file.socket);
    if (!info) return std::unexpected(info.error());
    const ConnectionNumber number = info->number != 0 ? info->number : file.past_connection;
    return observe::Why(driver_->journal(), stack, now, number);
  });
}

std::string Sockets::Why(const Tuple& tuple) {
  const Driver::Lock lock = driver_->Enter();
  return observe::Why(driver_->journal(), driver_->stack(), driver_->Now(), tuple);
}

}  // namespace estab::api
