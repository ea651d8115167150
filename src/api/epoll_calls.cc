// Watching many handles: what an epoll handle's calls do.
#include <errno.h>
#include <poll.h>

#include "api/sockets.h"

namespace estab::api {

std::uint32_t PollBitsOf(std::uint8_t readiness) {
  std::uint32_t bits = 0;
  if ((readiness & kReadable) != 0) bits |= POLLIN | POLLRDNORM;
  if ((readiness & kWritable) != 0) bits |= POLLOUT | POLLWRNORM;
  if ((readiness & kReadClosed) != 0) bits |= POLLRDHUP;
  if ((readiness & kUrgent) != 0) bits |= POLLPRI;
  if ((readiness & kHangup) != 0) bits |= POLLHUP;
  if ((readiness & (kErrorPending | kReturned)) != 0) bits |= POLLERR;
  return bits;
}

std::uint8_t Sockets::ReadinessOf(OpenFile& file) {
  if (file.kind == FileKind::kEpoll) return file.epoll->Ready() ? std::uint8_t{kReadable} : 0;
  const int notice = file.notices != nullptr && !file.notices->empty() ? kReturned : 0;
  return static_cast<std::uint8_t>(driver_->stack().GetReadiness(file.socket).value_or(0) | notice);
}

std::uint32_t Sockets::PollBits(OpenFile& file) { return PollBitsOf(ReadinessOf(file)); }

void Sockets::OnReady(const ReadyEvent& event) {
  auto* file = static_cast<OpenFile*>(event.user);
  if (file == nullptr || file->watchers.empty()) return;
  // As Linux wakes: an end of any kind concerns everybody, whatever they wait for.
  const bool state_changed = (event.raised & (kReadClosed | kHangup | kErrorPending)) != 0;
  Epoll::Wake(*file, state_changed ? 0 : PollBitsOf(event.raised));
}

Result<int> Sockets::OpenEpoll(bool close_on_exec) {
  const Driver::Lock lock = driver_->Enter();
  if (driver_->ending()) return std::unexpected(Error::kBadHandle);
  auto file = std::make_unique<OpenFile>();
  file->kind = FileKind::kEpoll;
  FilePoller& poller = *this;
  file->epoll = std::make_unique<Epoll>(*file, poller);
  const int handle = files_.Add(file.get(), close_on_exec);
  if (handle < 0) return std::unexpected(Error::kNoBuffers);
  file.release();
  driver_->BeginWatching();
  return handle;
}

int Sockets::ControlEpoll(int epoll, int operation, int handle, const epoll_event* event) {
  const Driver::Lock lock = driver_->Enter();
  OpenFile* own = Find(epoll);
  OpenFile* file = Find(handle);
  if (own == nullptr || file == nullptr) return EBADF;
  if (own->kind != FileKind::kEpoll) return EINVAL;
  const int error = own->epoll->Control(operation, *file, handle, event);
  driver_->WakeAll();  // what is ready now may be what somebody waits for
  return error;
}

Result<std::size_t> Sockets::WaitEpoll(int epoll, std::span<epoll_event> events, Duration timeout) {
  Driver::Lock lock = driver_->Enter();
  OpenFile* file = Find(epoll);
  if (file == nullptr) return std::unexpected(Error::kBadHandle);
  if (file->kind != FileKind::kEpoll) return std::unexpected(Error::kInvalid);
  const Use use(*this, file);
  file->epoll->BeginWait();
  auto result = Blocking(lock, timeout, [&]() -> Result<std::size_t> {
    if (const std::size_t n = file->epoll->Collect(events)) return n;
    return std::unexpected(Error::kWouldBlock);
  });
  file->epoll->EndWait();
  if (!result && result.error() == Error::kWouldBlock) return std::size_t{0};
  return result;
}

}  // namespace estab::api
